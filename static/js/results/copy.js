// Tables as LaTeX into the clipboard with one click.

async function textFor(button) {
  if (button.dataset.copyText) return document.getElementById(button.dataset.copyText).textContent;
  const answer = await fetch(button.dataset.copyFrom);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}

export function copyTables(root) {
  root.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy-from], [data-copy-text]");
    if (!button) return;
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(await textFor(button));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Use the file";
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}
