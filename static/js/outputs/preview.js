// The preview of outputs: one button ticks every delay. Rows come and go while files are checked, so it
// listens on the page.

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-all-shifts]");
  if (!button) return;
  for (const box of button.closest("form").querySelectorAll("[name=shift]")) box.checked = true;
});
