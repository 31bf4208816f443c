/* Shows what concerns the chosen platform, and copies addresses. */

import { copyField } from "../common/copy.js";
import { findAll } from "../common/dom.js";

const choices = findAll("#recruitment-platform input", HTMLInputElement);
const parts = findAll("#recruitment [data-for]");

function show() {
  const chosen = choices.find((choice) => choice.checked)?.value ?? "";
  for (const part of parts) part.hidden = !part.dataset.for?.split(" ").includes(chosen);
}

for (const choice of choices) choice.addEventListener("change", show);
show();

for (const button of findAll("#recruitment [data-copy]")) {
  button.addEventListener("click", () => copyField(button, "Selected: copy it with the keyboard"));
}
