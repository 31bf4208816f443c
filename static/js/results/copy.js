/* Tables as LaTeX into the clipboard with one click. */

import { copy } from "../common/copy.js";
import { closest } from "../common/dom.js";

/**
 * The text that a button copies: of an element of the page, or of a file.
 *
 * @param {HTMLElement} button
 */
async function textFor({ dataset: { copyText, copyFrom = "" } }) {
  if (copyText) return document.getElementById(copyText)?.textContent ?? "";
  const answer = await fetch(copyFrom);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

/** @param {HTMLElement} root */
export function copyTables(root) {
  root.addEventListener("click", (event) => {
    const button = closest(event, "[data-copy-from], [data-copy-text]");
    if (button) copy(button, () => textFor(button), { failed: "Use the file" });
  });
}
