// Putting new HTML in place of old without losing what the visitor is doing: the focus, what is
// unfolded, typed or checked, charts that are drawn, dialogs that are open.

const DRAWN_HERE = ".plot, [data-chart-table], .bulk-count"; // what is in them, scripts put there

/** A field that says something else than the server last said. */
function touched(field, name) {
  if (field === document.activeElement && name === "value") return true;
  if (field instanceof HTMLOptionElement) {
    return [...field.closest("select").options].some((one) => one.selected !== one.defaultSelected);
  }
  if (name === "checked") return field.checked !== field.defaultChecked;
  return name === "value" && "defaultValue" in field && field.value !== field.defaultValue;
}

const keeping = {
  beforeNodeMorphed(old, fresh) {
    if (!(old instanceof Element)) return true;
    if (old.matches("dialog[open]")) return false;
    if (!old.matches(DRAWN_HERE)) return true;
    for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
    return false;
  },
  beforeNodeRemoved: (node) =>
    !(node instanceof Element && (node.matches("dialog[open]") || node.querySelector("dialog[open]"))),
  // Whether something is open is the visitor's; so is the state of a button that waits for its answer.
  beforeAttributeUpdated: (name, node) =>
    !(name === "open" || (["class", "disabled"].includes(name) && node.matches(".htmx-request"))),
};

const updating = {
  ...keeping,
  beforeAttributeUpdated: (name, node, type) =>
    keeping.beforeAttributeUpdated(name, node, type) && !touched(node, name),
};

// Of swaps by htmx, which follow a click: what is typed and checked is then the server's to say.
Object.assign(window.Idiomorph.defaults.callbacks, keeping);

/** Update the content of `element`, which keeps what the visitor has typed and checked. */
export function morph(element, html) {
  window.Idiomorph.morph(element, html, { morphStyle: "innerHTML", callbacks: updating });
  window.htmx.process(element);
  changed(element);
}

const changed = (element) => element.dispatchEvent(new Event("live:changed", { bubbles: true }));

document.addEventListener("htmx:afterSwap", ({ target }) => changed(target));
