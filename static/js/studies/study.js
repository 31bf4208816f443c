/* The study page: copy the listener link. Delegated, because htmx replaces the page's parts. */

import { copyField } from "../common/copy.js";
import { closest } from "../common/dom.js";

document.addEventListener("click", (event) => {
  const button = closest(event, "[data-copy]");
  if (button) copyField(button, "Press Ctrl+C");
});
