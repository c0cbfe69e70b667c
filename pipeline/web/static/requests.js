// What every request of htmx carries, and what becomes of those that fail.
import { notify } from "./notices.js";

document.addEventListener("htmx:configRequest", ({ detail }) => {
  detail.headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf-token]").content;
});

// A session that has ended is answered with the way to sign in.  Its page must not end up
// in the middle of this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname.startsWith("/admin/sign-in")) {
    event.preventDefault();
    location.reload();
  }
});

document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => {
  if (xhr.status === 401) location.reload();
  else if (!xhr.getResponseHeader("HX-Trigger")) {
    notify("bad", `That did not work: the server answered with ${xhr.status}.`);
  }
});

const unreachable = () => notify("bad", "The server does not answer; it is not known whether that was done.");
document.addEventListener("htmx:sendError", unreachable);
document.addEventListener("htmx:timeout", unreachable);
