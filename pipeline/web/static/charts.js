// Draws every [data-chart] with uPlot: {unit, times, series: [{label, values, kind}], spark}.
// A chart that changes gets new data, not a new drawing, so updates do not flicker.
import { amount } from "./words.js";

const drawn = new Map(); // element → {plot, json, shape}
const ORDER = ["first", "second", "third"];

/** The colour of a kind in this theme: the canvas knows no custom properties. */
function ink(kind) {
  const probe = document.createElement("span");
  probe.className = `ink-${kind}`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const faded = (color, share) => `color-mix(in srgb, ${color} ${share}%, transparent)`;

function series(one, index, chart) {
  const color = ink(one.kind ?? ORDER[index % ORDER.length]);
  return {
    label: one.label,
    stroke: color,
    width: chart.spark ? 1.5 : 2,
    fill: chart.spark || chart.series.length === 1 ? faded(color, 14) : undefined,
    dash: !chart.spark && index === 2 ? [5, 4] : undefined, // not by colour alone
    points: { show: false },
    value: (_, value) => (value == null ? "–" : amount(value, chart.unit)),
  };
}

const fromZero = (_, __, most) => [0, most > 0 ? most * 1.05 : 1];

const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calendar = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const atTime = (seconds, long) => (long ? calendar : clock).format(seconds * 1000);

function options(chart, width, height) {
  const common = {
    width, height,
    scales: { x: { time: !chart.spark }, y: { range: fromZero } },
    series: [{}, ...chart.series.map((one, index) => series(one, index, chart))],
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
  };
  if (chart.spark) {
    return { ...common, axes: [{ show: false }, { show: false }], legend: { show: false }, cursor: { show: false }, padding: [2, 0, 1, 0] };
  }
  const long = chart.times.at(-1) - chart.times[0] > 86_400;
  common.series[0] = { label: "Time (UTC)", value: (_, seconds) => (seconds == null ? "–" : atTime(seconds, long)) };
  const axis = { stroke: ink("axis"), grid: { stroke: ink("grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const labels = (_, splits) => splits.map((value) => amount(value, chart.unit));
  const room = (_, values) => 16 + Math.max(0, ...(values ?? []).map((text) => text.length * 6.2));
  return {
    ...common,
    axes: [{ ...axis, grid: { show: false }, space: 72, size: 28, values: timeLabels }, { ...axis, values: labels, size: room, space: 32 }],
    cursor: { y: false, drag: { x: false, y: false } },
    padding: [8, 8, 0, 0],
    legend: { markers: { fill: (plot, index) => plot.series[index].stroke() } },
  };
}

// uPlot's own labels are American; ours are those of the rest of the page.
function timeLabels(_, splits, __, ___, step) {
  return splits.map((seconds) => {
    const text = atTime(seconds, step >= 3600 * 6);
    return step >= 60 && step < 3600 * 6 ? text.slice(0, 5) : text;
  });
}

function draw(host) {
  const json = host.dataset.chart;
  const before = drawn.get(host);
  if (before?.json === json) return;
  const chart = JSON.parse(json);
  const data = [chart.times, ...chart.series.map((one) => one.values)];
  const shape = JSON.stringify([chart.unit, chart.series.map((one) => [one.label, one.kind])]);
  if (before?.shape === shape) {
    before.plot.setData(data);
    before.json = json;
    return;
  }
  before?.plot.destroy();
  const plot = new window.uPlot(options(chart, host.clientWidth || 200, heightOf(host)), data, host);
  drawn.set(host, { plot, json, shape });
  sizes.observe(host);
}

const heightOf = (host) => parseInt(getComputedStyle(host).getPropertyValue("--plot-height"), 10) || 180;

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const one = drawn.get(target);
    const width = Math.floor(contentRect.width);
    if (one && width > 0 && width !== one.plot.width) one.plot.setSize({ width, height: heightOf(target) });
  }
});

function drop(host) {
  drawn.get(host).plot.destroy();
  drawn.delete(host);
  sizes.unobserve(host);
}

function drawAll() {
  for (const host of drawn.keys()) if (!host.isConnected) drop(host);
  for (const host of document.querySelectorAll("[data-chart]")) draw(host);
  for (const table of document.querySelectorAll("details[open] [data-chart-table]")) fill(table);
}

function drawAnew() {
  for (const host of drawn.keys()) drop(host);
  drawAll();
}

// ── The same in words: a table, made when somebody opens it ──────────────────────────────────

function fill(table) {
  const chart = JSON.parse(table.closest(".chart").querySelector("[data-chart]").dataset.chart);
  const long = chart.times.at(-1) - chart.times[0] > 86_400;
  const rows = chart.times.map((seconds, at) => {
    const row = document.createElement("tr");
    row.append(cell(atTime(seconds, long), ""));
    for (const { values } of chart.series) {
      row.append(cell(values[at] == null ? "–" : amount(values[at], chart.unit), "number"));
    }
    return row;
  });
  table.tBodies[0].replaceChildren(...rows.reverse());
}

function cell(text, className) {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

document.addEventListener("toggle", ({ target }) => {
  const table = target.open && target.querySelector?.("[data-chart-table]");
  if (table) fill(table);
}, true); // `toggle` does not bubble

document.addEventListener("live:changed", drawAll);
document.addEventListener("theme", drawAnew);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAnew);
drawAll();
