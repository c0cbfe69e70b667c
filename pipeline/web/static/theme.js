// The theme, chosen per browser.  A classic script in the head, so that the page is never
// painted in the wrong one; the switch itself comes later, with the page.
{
  const root = document.documentElement;
  root.classList.add("js"); // what needs scripts is shown only with them

  const stored = () => {
    try {
      return localStorage.getItem("theme") ?? "auto";
    } catch {
      return "auto"; // storage is forbidden in this browser
    }
  };

  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.dispatchEvent(new Event("theme"));
  };

  apply(stored());

  document.addEventListener("DOMContentLoaded", () => {
    for (const radio of document.querySelectorAll("input[name=theme]")) {
      radio.checked = radio.value === stored();
      radio.addEventListener("change", () => {
        try {
          localStorage.setItem("theme", radio.value);
        } catch {
          // it holds for this page only
        }
        apply(radio.value);
      });
    }
  });
}
