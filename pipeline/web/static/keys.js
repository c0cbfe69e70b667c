// Keyboard shortcuts.  None of them changes anything but the page: acting takes Enter on a button.
import { pause, refresh } from "./live.js";

const GO_MS = 1500; // how long `g` waits for its letter
let going = 0;

const help = document.getElementById("help");
const switched = document.getElementById("keys-on");

// Single letters get in the way of speech input, so they can be switched off.
// https://www.w3.org/WAI/WCAG22/Understanding/character-key-shortcuts.html
try {
  switched.checked = localStorage.getItem("keys") !== "off";
  switched.addEventListener("change", () => localStorage.setItem("keys", switched.checked ? "on" : "off"));
} catch {
  // storage is forbidden in this browser: it holds for this page only
}

const ACTIONS = {
  "/": () => document.getElementById("search")?.focus(),
  "?": () => help.showModal(),
  j: () => move(1),
  k: () => move(-1),
  r: () => refresh(),
  p: () => pause(),
  x: () => currentRow()?.querySelector("input.check")?.click(),
  Enter: () => openRow(),
  g: () => { going = Date.now(); },
};

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isField(target)) {
    if (key === "Escape") target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  // Enter belongs to the link or button that has the focus.
  if (key === "Enter" ? !target.matches("[data-row]") : !switched.checked) return;
  const awaited = Date.now() - going < GO_MS;
  going = 0;
  const act = (awaited && goTo(key)) || (Object.hasOwn(ACTIONS, key) && ACTIONS[key]);
  if (!act) return;
  event.preventDefault();
  act();
});

function isField(element) {
  if (element.isContentEditable || element.matches("select, textarea")) return true;
  return element.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit])");
}

function goTo(letter) {
  const link = document.querySelector(`.site-nav [data-go="${CSS.escape(letter)}"]`);
  return link && (() => link.click());
}

// ── Rows: table rows and cards that carry data-row, its value is where they lead ─────────────

const rows = () => [...document.querySelectorAll("#live [data-row]")];
const currentRow = () => document.activeElement?.closest("[data-row]");

function move(step) {
  const all = rows();
  const at = all.indexOf(currentRow());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  next?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

function openRow() {
  const href = currentRow()?.dataset.row || currentRow()?.querySelector("a")?.getAttribute("href");
  if (href) location.assign(href);
}
