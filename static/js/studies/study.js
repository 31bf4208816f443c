// The study page: copy the listener link. Delegated, because htmx replaces the page's parts.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C"; // the link is selected
  }
  setTimeout(() => { button.textContent = "Copy link"; }, 2000);
});
