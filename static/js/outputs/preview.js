/* The preview of outputs: one button ticks every delay. Rows come and go while files are checked, so it
   listens on the page. */

import { closest, findAll } from "../common/dom.js";

document.addEventListener("click", (event) => {
  const form = closest(event, "[data-all-shifts]")?.closest("form");
  if (!form) return;
  for (const box of findAll("[name=shift]", HTMLInputElement, form)) box.checked = true;
});
