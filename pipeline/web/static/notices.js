// Notices: what an action came to.  The server sends them in the header HX-Trigger:
// {"notice": {"kind": "ok" or "bad", "text": "…"}}

const GOOD_MS = 6000;
const ICONS = { ok: "check", bad: "cross" }; // as in components.html
const region = document.getElementById("notices");

/** Show a notice; good news leaves by itself, bad news stays until it is closed. */
export function notify(kind, text) {
  // Behind an open dialog nobody would see or hear it.
  const place = document.querySelector("dialog[open] .dialog-error");
  if (kind === "bad" && place) place.textContent = text;
  else show(kind, text);
}

function show(kind, text) {
  const toast = document.createElement("div");
  toast.className = `toast is-${kind}`;
  if (kind === "bad") toast.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = text;
  toast.append(icon(ICONS[kind]), words);
  region.append(toast);
  attend(toast);
}

function icon(name) {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  drawing.classList.add("icon");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(use);
  return drawing;
}

function attend(toast) {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet";
  close.textContent = "Close";
  close.addEventListener("click", () => toast.remove());
  toast.append(close);
  if (toast.classList.contains("is-bad")) return;
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : toast.remove());
  setTimeout(leave, GOOD_MS);
}

document.addEventListener("notice", ({ detail }) => notify(detail.kind, detail.text));
for (const toast of region.children) attend(toast); // the one that came with the page
