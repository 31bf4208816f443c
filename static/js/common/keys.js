/* The keyboard: what a key means on any layout, and which keys belong to the element in focus. */

/**
 * What a key press means on any keyboard layout: Latin letters and digits by place if the layout has others.
 *
 * @param {Pick<KeyboardEvent, "key" | "code" | "shiftKey">} event
 */
export function meaning({ key, code, shiftKey }) {
  if (/^[0-9]$/.test(key)) return key;
  const digit = /^Digit([0-9])$/.exec(code)?.[1];
  // Shift adds ten; on layouts that need Shift for digits, these were told by `key` above.
  if (digit !== undefined && !/^[a-z?]$/i.test(key)) return shiftKey ? String(10 + Number(digit)) : digit;
  if (key === "؟") return "?";
  if (key.length > 1 || /^[\x20-\x7e]$/.test(key)) return key.length === 1 ? key.toLowerCase() : key;
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
}

const TEXT = "input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]";

const PICK = ".pick, .reference, #play";

/**
 * Whether a key works the element in focus itself. Buttons that choose what sounds leave space to the player:
 * pressed by it, they would only be heard again. They leave Enter to whoever can go on.
 *
 * @param {Element} target
 * @param {string} name
 */
function isOwnKey(target, name) {
  if (target.matches(".volume input")) return name !== "?";
  if (name === " " && target.matches("input[type=radio], input[type=checkbox]")) return true;
  if (name === " " || name === "Enter") {
    return target.closest(`button:not(${PICK}), a, summary, [role=button]`) !== null;
  }
  return name.startsWith("Arrow") && target.matches("input[type=radio], input[type=range]:not(.track input), [role=slider]");
}

/**
 * Listen to the keyboard. `work` gets what a key means and whether Shift is held, and returns whether it did
 * anything. Texts that are being written, open dialogues and the browser's own shortcuts are left alone.
 *
 * @param {(name: string, shift: boolean) => boolean} work
 */
export function listenToKeys(work) {
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !(target instanceof Element)) return;
    if (document.querySelector("dialog[open]")) return;
    if (target.matches(TEXT)) {
      if (event.key === "Escape" && target instanceof HTMLElement) target.blur();
      return;
    }
    const name = meaning(event);
    if (!isOwnKey(target, name) && work(name, event.shiftKey)) event.preventDefault();
  });
}
