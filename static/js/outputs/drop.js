/* A form with a drop zone: what is dropped is put into its file field, and what is chosen is named.
   Without this script the field itself does. */

import { find } from "../common/dom.js";
import { acceptDrops } from "../common/drop.js";

const MOST = 100; // files that one request may carry

const form = find("[data-drop-form]", HTMLFormElement);
const zone = find("[data-drop]", HTMLElement, form);
const input = find("input[type=file]", HTMLInputElement, zone);
const chosen = find("[data-chosen]", HTMLElement, form);
const button = find("button.primary", HTMLButtonElement, form);
const usual = chosen.textContent;

function show() {
  const files = [...(input.files ?? [])];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const tooMany = files.length > MOST;
  if (!files.length) chosen.textContent = usual;
  else if (tooMany) chosen.textContent = `${files.length} files are too many for one go: put them into a zip.`;
  else chosen.textContent = `${files.length === 1 ? files[0].name : `${files.length} files`}, ${(bytes / 1e6).toFixed(1)} MB`;
  chosen.classList.toggle("bad", tooMany);
  button.disabled = tooMany;
}

form.classList.add("scripted");
input.addEventListener("change", show);
show(); // what was chosen before this script ran, or kept by the browser over a reload
form.addEventListener("submit", () => {
  // After the browser has read the fields.
  setTimeout(() => {
    button.disabled = true;
    button.textContent = "Sending…";
  });
});
// Coming back with the browser's Back button shows the page as it was left.
window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
acceptDrops(zone, (files) => {
  input.files = files;
  show();
});
