// Numbers and times as people read them: the same words as pipeline/words.py, so that what
// the browser counts on does not differ from what the server wrote.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** "3 s", "4 min", "2 h 5 min". */
export function duration(seconds) {
  let left = Math.max(0, Math.round(seconds));
  if (left === 0) return "0 s";
  const first = UNITS.findIndex(([size]) => left >= size);
  const parts = [];
  for (const [size, unit] of UNITS.slice(first, first < 2 ? first + 2 : first + 1)) {
    const amount = Math.floor(left / size);
    left %= size;
    if (amount) parts.push(`${amount} ${unit}`);
  }
  return parts.join(" ");
}

/** How long ago, or how far ahead. */
export function age(seconds) {
  return seconds < -0.5 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/** Short durations exactly, as the component `duration` shows them. */
export function exactDuration(seconds) {
  if (seconds > 0 && seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
  return seconds >= 1 && seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

export const count = (number) => round(number).toLocaleString("en-US");

/** A number with its unit, as in `data-chart`. */
export function amount(number, unit) {
  if (unit === "seconds") return exactDuration(number);
  if (unit === "percent") return percent(number);
  if (unit === "bytes") return bytes(number);
  return count(number);
}

/** Never rounded up to 100. */
const percent = (share) => (share >= 1 ? "100%" : `${Math.min(share * 100, 99.9).toFixed(1)}%`);

function bytes(number) {
  if (number < 1024) return `${number.toFixed(0)} Byte${number === 1 ? "" : "s"}`;
  const power = Math.min(4, Math.floor(Math.log2(number) / 10));
  return `${(number / 1024 ** power).toFixed(1)} ${["KiB", "MiB", "GiB", "TiB"][power - 1]}`;
}

// Three digits are as exact as anybody reads.
const round = (number) => (Math.abs(number) >= 100 ? Math.round(number) : Number(number.toPrecision(3)));
