// Counts on every "3 min ago" of the page.
import { age } from "./words.js";

// This computer's clock may be wrong; ages are counted by the server's.
const served = document.querySelector("meta[name=server-time]")?.content;
const ahead = served ? Date.now() - Date.parse(served) : 0;

export const serverNow = () => Date.now() - ahead;

function tick() {
  const now = serverNow();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = age((now - Date.parse(time.dateTime)) / 1000);
    // Writing the same text again would make the browser lay out the page again.
    if (time.textContent !== text) time.textContent = text;
  }
}

setInterval(() => document.hidden || tick(), 1000);
document.addEventListener("visibilitychange", () => document.hidden || tick());
