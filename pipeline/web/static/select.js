// Selecting rows and acting on all of them: the check boxes belong to the form #bulk, which
// shows itself while any is checked.

const form = () => document.getElementById("bulk");
const boxes = () => [...(form()?.elements ?? [])].filter((box) => box.name === "id" && box.type === "checkbox");

// Whether all that match are meant, also those on other pages.  Kept here, because an update
// brings the form as the server knows it.
let matching = false;

/** How many rows an action would act on, as text. */
export function selectedCount() {
  const number = matching ? Number(form().dataset.total) : boxes().filter((box) => box.checked).length;
  return number.toLocaleString("en-US");
}

function selectAll(checked) {
  for (const box of boxes()) box.checked = checked;
  matching = false;
}

/** Bring what is shown in line with what is checked: after a click, and after an update. */
function show() {
  const bulk = form();
  if (!bulk) return;
  const all = boxes();
  const checked = all.filter((box) => box.checked);
  const whole = all.length > 0 && checked.length === all.length;
  if (!whole) matching = false;
  bulk.querySelector("[data-all]").value = matching ? "1" : "";
  bulk.hidden = checked.length === 0;
  const head = document.querySelector("[data-check-all]");
  if (head) {
    head.checked = whole;
    head.indeterminate = checked.length > 0 && !whole;
  }
  const number = selectedCount();
  const text = `${number} ${bulk.dataset.unit}${number === "1" ? "" : "s"} selected`;
  const told = bulk.querySelector(".bulk-count");
  if (told.textContent !== text) told.textContent = text; // it is read out on every change
  const more = bulk.querySelector("[data-select-matching]");
  if (more) more.hidden = !whole || matching || Number(bulk.dataset.total) <= all.length;
}

let last = null; // the box clicked before: Shift selects up to it

document.addEventListener("click", (event) => {
  const { target, shiftKey } = event;
  if (target.matches("[data-check-all]")) selectAll(target.checked);
  else if (target.closest("[data-select-none]")) selectAll(false);
  else if (target.closest("[data-select-matching]")) matching = true;
  else if (target.matches(".check[form=bulk]")) {
    const all = boxes();
    const range = [all.indexOf(last), all.indexOf(target)].sort((a, b) => a - b);
    if (shiftKey && range[0] >= 0) {
      for (const box of all.slice(range[0], range[1] + 1)) box.checked = target.checked;
    }
    last = target;
    matching = false;
  } else return;
  show();
});

// What was selected has been acted on.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt.closest("#bulk")) {
    selectAll(false);
    show();
  }
});

document.addEventListener("live:changed", show);
show();
