// All scripts of the admin.  htmx, idiomorph and uPlot are loaded before it, as globals.
import "./requests.js";
import "./notices.js";
import "./fields.js";
import "./dialogs.js";
import "./clock.js";
import "./select.js";
import "./charts.js";
import "./live.js";
import "./keys.js";
import "./buttons.js";

// On a narrow screen the pages are in one row that scrolls.
for (const here of document.querySelectorAll(".site-nav [aria-current], .subnav [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}
