/* The steps of a study: what was changed is saved on the way to another step, and nothing is lost silently. */

import { closest, find } from "../common/dom.js";

const form = find("#setup", HTMLFormElement);
const state = () => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, String(value)]));
/** @type {string | null} the form once the page's other scripts have filled it in */
let before = null;
let leaving = form.querySelector(".errorlist, [role=alert]") === null ? "" : "problems";

window.addEventListener("load", () => (before = state()));

/** Whether the form holds what is not stored. */
const isChanged = () => leaving === "problems" || (before !== null && state() !== before);

form.addEventListener("submit", () => (leaving = "saving"));

// The recordings that the study waited for are made.
form.addEventListener("htmx:afterSettle", () => {
  const button = form.querySelector("#lacking [data-ready]");
  if (button instanceof HTMLButtonElement) button.click();
});

document.addEventListener("click", (event) => {
  const link = closest(event, ".stepper a[data-then]");
  if (!link || !isChanged() || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const then = document.createElement("input");
  Object.assign(then, { type: "hidden", name: "then", value: link.dataset.then });
  form.append(then);
  form.requestSubmit();
});

window.addEventListener("beforeunload", (event) => {
  if (leaving !== "saving" && isChanged()) event.preventDefault();
});
