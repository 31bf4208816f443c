/* Copying with one click. */

const SHOWN_MILLISECONDS = 3000;

/**
 * Put text into the clipboard and say so on `label` for a while.
 *
 * @param {HTMLElement} label of the button
 * @param {() => string | Promise<string>} text
 * @param {{ done?: string, failed: string }} words shown on the label
 */
export async function copy(label, text, { done = "Copied", failed }) {
  label.dataset.words ??= label.textContent ?? "";
  try {
    await navigator.clipboard.writeText(await text());
    label.textContent = done;
  } catch {
    label.textContent = failed;
  }
  setTimeout(() => {
    label.textContent = label.dataset.words ?? "";
  }, SHOWN_MILLISECONDS);
}

/**
 * Copy a field's value; where the clipboard is closed the value is selected instead.
 *
 * @param {HTMLElement} button whose data-copy names the field
 * @param {string} failed shown on the button if only selecting worked
 */
export function copyField(button, failed) {
  const field = document.getElementById(button.dataset.copy ?? "");
  if (!(field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement)) return;
  field.select();
  copy(button, () => field.value, { failed });
}
