// Small buttons that do one thing in the browser: copying, and starting a search.

document.addEventListener("click", ({ target }) => {
  const copy = target.closest("[data-copy]");
  if (copy) copyOut(copy);
  const chip = target.closest("[data-insert]");
  if (chip) insert(chip.closest(".search").querySelector("[type=search]"), chip.dataset.insert);
});

async function copyOut(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return; // not allowed, or not over https: the text can still be selected
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}

function insert(field, text) {
  const before = field.value.trimEnd();
  field.value = before ? `${before} ${text}` : text;
  field.focus();
}
