// A form with a drop zone: what is dropped is put into its file field, and what is chosen is named.
// Without this script the field itself does.

const MOST = 100; // files that one request may carry

const form = document.querySelector("[data-drop-form]");
const input = form.querySelector("[data-drop] input[type=file]");
const zone = form.querySelector("[data-drop]");
const chosen = form.querySelector("[data-chosen]");
const button = form.querySelector("button.primary");
const usual = chosen.textContent;

function show() {
  const files = [...input.files];
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
form.addEventListener("submit", () => {
  // After the browser has read the fields.
  setTimeout(() => {
    button.disabled = true;
    button.textContent = "Sending…";
  });
});
// Coming back with the browser's Back button shows the page as it was left.
window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());

for (const kind of ["dragenter", "dragover"]) {
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop" || !zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });
}
zone.addEventListener("drop", (event) => {
  input.files = event.dataTransfer.files;
  show();
});
// A file dropped beside the zone would replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
