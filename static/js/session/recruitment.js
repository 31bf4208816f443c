/* Shows what concerns the chosen platform, and copies addresses. */

const choices = [...document.querySelectorAll("#recruitment-platform input")];
const parts = [...document.querySelectorAll("#recruitment [data-for]")];

function show() {
  const chosen = choices.find((choice) => choice.checked)?.value ?? "";
  for (const part of parts) part.hidden = !part.dataset.for.split(" ").includes(chosen);
}

for (const choice of choices) choice.addEventListener("change", show);
show();

for (const button of document.querySelectorAll("#recruitment [data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    source.select();
    try {
      await navigator.clipboard.writeText(source.value);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Selected: copy it with the keyboard";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
