/* The page of a visitor's own voice: its link and its end. The player is that of the front page. */

import { copyField } from "../common/copy.js";
import { find } from "../common/dom.js";

const button = find("[data-copy]", HTMLButtonElement);
button.addEventListener("click", () => copyField(button, "Selected: copy it with the keyboard"));
const form = find("[data-delete]", HTMLFormElement);
form.addEventListener("submit", (event) => {
  if (!window.confirm("Delete the recording and everything made from it? The link then leads nowhere.")) event.preventDefault();
});
