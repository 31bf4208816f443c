/* The keys of the rating page, webMUSHRA's where it has them. */

/** What a key press means on any keyboard layout: Latin letters and digits by place if the layout has others. */
export function meaning({ key, code, shiftKey }) {
  if (/^[0-9]$/.test(key)) return key;
  const digit = /^Digit([0-9])$/.exec(code)?.[1];
  // Shift adds ten; on layouts that need Shift for digits, these were told by `key` above.
  if (digit !== undefined && !/^[a-z?]$/i.test(key)) return shiftKey ? String(10 + Number(digit)) : digit;
  if (key.length > 1 || /^[\x20-\x7e]$/.test(key)) return key.length === 1 ? key.toLowerCase() : key;
  return /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
}

/**
 * Listen to the keyboard. `act` holds what keys do; it gets true where Shift is held. Texts that are being
 * written, open dialogues and the browser's own shortcuts are left alone.
 */
export function listenToKeys(act) {
  const leftwards = document.documentElement.dir === "rtl" ? 1 : -1;
  const keys = {
    r: act.reference,
    0: act.reference,
    " ": act.playOrPause,
    a: act.loopStart,
    b: act.loopEnd,
    h: () => act.neighbour(leftwards),
    l: () => act.neighbour(-leftwards),
    ArrowLeft: () => act.neighbour(leftwards),
    ArrowRight: () => act.neighbour(-leftwards),
    k: (shift) => act.nudge(shift ? 10 : 1),
    j: (shift) => act.nudge(shift ? -10 : -1),
    ArrowUp: (shift) => act.nudge(shift ? 10 : 1),
    ArrowDown: (shift) => act.nudge(shift ? -10 : -1),
    s: act.sort,
    Escape: act.wholeLoop,
    Backspace: act.wholeLoop,
    "?": act.help,
    "؟": act.help,
  };
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (target.matches("input[type=text], textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const name = meaning(event);
    // Enter and space work the button in focus. Space on a number would only hear it again.
    if (name === " " && target.matches("button:not(.pick, .reference), summary")) return;
    if (target.matches(".volume input") && name !== "?") return;
    const number = /^[0-9]+$/.test(name) && name !== "0" ? Number(name) : null;
    const action = number === null ? keys[name] : act.stimulus(number);
    if (!action) return;
    event.preventDefault();
    action(event.shiftKey);
  });
}
