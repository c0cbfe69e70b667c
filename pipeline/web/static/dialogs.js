// Dialogs: asking for a reason or a typed name, and confirming.
import { notify } from "./notices.js";
import { selectedCount } from "./select.js";

document.addEventListener("click", ({ target }) => {
  const opener = target.closest("[data-opens]");
  if (opener) open(document.getElementById(opener.dataset.opens));
  if (target.closest("[data-closes]")) target.closest("dialog").close();
});

function open(dialog) {
  for (const place of dialog.querySelectorAll(".dialog-error")) place.textContent = "";
  dialog.querySelector("form[hx-post]")?.reset();
  checkTyped(dialog);
  dialog.showModal();
}

// A name that has to be typed.  The server compares it too; this only spares a refusal.
document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-typed]")) checkTyped(target.closest("dialog"));
});

function checkTyped(dialog) {
  const field = dialog.querySelector("[data-typed]");
  if (field) dialog.querySelector("[type=submit]").disabled = field.value !== field.dataset.typed;
}

// A dialog closes when what it asked for is done; otherwise it says why not and stays.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) detail.elt.closest("dialog")?.close();
});

// htmx would ask by window.confirm, which says neither what nor how dangerous.
document.addEventListener("htmx:confirm", (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  const asked = meaning(elt);
  const dialog = document.getElementById("confirm");
  dialog.querySelector("p").textContent = question.replace("{n}", selectedCount());
  const yes = dialog.querySelector("[value=yes]");
  yes.textContent = elt.textContent.trim();
  yes.classList.toggle("danger", elt.classList.contains("danger"));
  yes.classList.toggle("primary", !elt.classList.contains("danger"));
  dialog.returnValue = "no"; // Escape keeps the value of the time before
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    // The page goes on changing behind the question: what was asked about may be gone, or its
    // button may be another's by now.
    if (elt.isConnected && meaning(elt) === asked) issueRequest(true);
    else notify("bad", "This changed meanwhile, so nothing was done. Look again.");
  }, { once: true });
});

const meaning = (button) => `${button.getAttribute("hx-post")} ${button.getAttribute("hx-vals")}`;
