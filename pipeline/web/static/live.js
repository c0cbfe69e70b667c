// Keeps #live current by server-sent events, as long as somebody looks.
//
//   event: live   data: the new HTML of the block     event: beat   nothing new
//   event: gone   the page or the session is no more: ask the server what to show instead
import { morph } from "./morph.js";
import { notify } from "./notices.js";
import { duration } from "./words.js";

const QUIET_MS = 15_000; // longer without a word, and the visitor is told
const LONGEST_WAIT_MS = 30_000;

const live = document.getElementById("live");
const button = document.getElementById("live-status");
const banner = document.getElementById("stale");

let stream = null;
let paused = false;
let lastWord = Date.now();
let waitMs = 1000;
let retry = 0;
let asking = null; // of the refresh under way

/** Where the events come from: the page may have moved on since it was loaded. */
function address() {
  const url = new URL(live.dataset.live, location.href);
  url.searchParams.set("page", location.pathname + location.search);
  return url;
}

function open() {
  close();
  if (paused || document.hidden || !live.dataset.live) return;
  stream = new EventSource(address());
  stream.addEventListener("live", ({ data }) => { heard(); apply(data); });
  stream.addEventListener("beat", heard);
  // The wait is for the case that the page is there and its stream says that it is not.
  stream.addEventListener("gone", () => setTimeout(() => location.reload(), Math.max(0, 5000 - performance.now())));
  stream.addEventListener("error", lost);
}

function close() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
  asking?.abort();
}

function heard() {
  lastWord = Date.now();
  waitMs = 1000;
  tell();
}

// A stream that ends is opened again by the browser; one that is refused is not.
function lost() {
  if (stream?.readyState !== EventSource.CLOSED) return;
  clearTimeout(retry);
  // The jitter keeps all tabs from coming back at once to a server that has just started.
  retry = setTimeout(again, waitMs * (0.75 + Math.random() / 2));
  waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
}

/** Ask for the page: it tells why the stream is refused, and is newer than what is shown. */
async function again() {
  await refresh({ quietly: true });
  open();
}

/** Get the changing part once, now. */
export async function refresh({ quietly = false } = {}) {
  asking?.abort();
  const own = (asking = new AbortController());
  try {
    const response = await fetch(location.href, {
      headers: { "HX-Request": "true" }, cache: "no-store", signal: own.signal,
    });
    if (response.status === 401 || response.redirected) location.reload(); // signed out
    else if (response.ok) {
      const html = await response.text();
      heard();
      apply(html);
    } else if (!quietly) notify("bad", `The page cannot be read now: the server answered with ${response.status}.`);
  } catch (error) {
    if (error.name !== "AbortError" && !quietly) notify("bad", "The server does not answer.");
  } finally {
    if (asking === own) asking = null;
  }
}

// ── Applying ────────────────────────────────────────────────────────────────────────────────

let pressed = false; // a click is under way: nothing may move away under it
let held = null;

function apply(html) {
  if (pressed) held = html;
  else morph(live, html);
}

function release() {
  pressed = false;
  const html = held;
  held = null;
  // The click comes after the release of the button; it goes first.
  if (html !== null) setTimeout(() => apply(html));
}

document.addEventListener("pointerdown", () => { pressed = true; });
for (const end of ["pointerup", "pointercancel", "dragend"]) document.addEventListener(end, release);
window.addEventListener("blur", release);

// ── Telling ─────────────────────────────────────────────────────────────────────────────────

function tell() {
  if (!button) return;
  const quietMs = Date.now() - lastWord;
  const since = quietMs < 1500 ? "just now" : `${duration(quietMs / 1000)} ago`;
  const stale = !paused && !document.hidden && quietMs > QUIET_MS;
  banner.hidden = !stale;
  banner.querySelector("[data-stale-since]").textContent = since;
  button.hidden = false;
  button.classList.toggle("is-stale", stale);
  button.setAttribute("aria-pressed", String(paused));
  button.querySelector("[data-live-text]").textContent = `${paused ? "stopped, from" : "updated"} ${since}`;
}

export function pause() {
  if (!button) return;
  paused = !paused;
  if (paused) close();
  else again();
  tell();
}

// ── When ────────────────────────────────────────────────────────────────────────────────────

button?.addEventListener("click", pause);
document.addEventListener("refresh", () => refresh()); // an action has changed something
document.addEventListener("visibilitychange", () => {
  if (document.hidden) close();
  else if (!paused) {
    lastWord = Math.max(lastWord, Date.now() - QUIET_MS / 2); // nobody was asked meanwhile
    open();
  }
});
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", ({ persisted }) => persisted && open());

// A tab, a search, the next page: what comes of the old address must not replace the new.
document.addEventListener("htmx:beforeSwap", ({ target }) => target === live && close());
document.addEventListener("htmx:afterSettle", ({ target }) => {
  if (target !== live) return;
  heard();
  open();
});

if (live?.dataset.live) {
  setInterval(tell, 1000);
  tell();
  open();
}
