// Tables as LaTeX into the clipboard with one click.

export function copyTables(root) {
  root.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy-from]");
    if (!button) return;
    const words = button.textContent;
    try {
      const answer = await fetch(button.dataset.copyFrom);
      if (!answer.ok) throw new Error(`${answer.status}`);
      await navigator.clipboard.writeText(await answer.text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Use the file";
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}
