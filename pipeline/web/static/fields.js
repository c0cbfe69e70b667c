// What is wrong with a field stands beside it.  The server sends it in the header HX-Trigger:
// {"field": {"name": "conditions.sender_domain", "text": "…"}}
import { notify } from "./notices.js";

document.addEventListener("field", ({ target, detail }) => {
  const form = target.closest("form");
  const input = form && names(detail.name).map((name) => first(form, name)).find(Boolean);
  if (input) tell(input, detail.text);
  else notify("bad", detail.text);
});

// "whitelisted_senders.0" is the field of all senders; a form may leave out what a field is in.
function names(path) {
  const parts = path.split(".").filter((part) => !/^\d+$/.test(part));
  return [path, parts.join("."), parts.at(-1)];
}

function first(form, name) {
  const found = form.elements.namedItem(name);
  return found instanceof RadioNodeList ? found[0] : found;
}

function tell(input, text) {
  const line = document.createElement("p");
  line.className = "field-error";
  line.id = `${input.id}-refused`;
  line.dataset.refused = "";
  line.textContent = text.replace(/^[\w.]+: /, "");
  (input.closest(".field") ?? input.parentElement).append(line);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") ?? ""} ${line.id}`.trim());
  input.focus();
}

// It is asked again: what was wrong may be right.
document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  for (const line of elt.querySelectorAll("[data-refused]")) {
    const input = document.getElementById(line.id.replace(/-refused$/, ""));
    input?.removeAttribute("aria-invalid");
    input?.setAttribute("aria-describedby", (input.getAttribute("aria-describedby") ?? "").replace(line.id, "").trim());
    line.remove();
  }
});
