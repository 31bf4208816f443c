/* The listening level: chosen once before the test, kept in this browser. Between two items it may be changed
   by up to 4 dB either way, within an item never (BS.1534-3). */

import { figure, quantity } from "../common/text.js";
import { gettext } from "../common/words.js";

const CHOSEN = "earshot:volume";
const NOW = "earshot:volume:now";
const LOWEST = -30;
const HIGHEST = 0;
const OTHERWISE = -6;
const BETWEEN_ITEMS_DB = 4;

/** @param {string} key */
function read(key) {
  try {
    const decibels = Number.parseFloat(localStorage.getItem(key) ?? "");
    return decibels >= LOWEST && decibels <= HIGHEST ? decibels : null;
  } catch {
    return null;
  }
}

/**
 * @param {number} decibels
 * @param {string[]} keys
 */
function keep(decibels, ...keys) {
  try {
    for (const key of keys) localStorage.setItem(key, String(decibels));
  } catch {
    // Without storage the level holds for this page.
  }
}

/** The level in dB that holds in this browser now, or `otherwise`. */
export function keptVolume(otherwise = OTHERWISE) {
  return read(NOW) ?? read(CHOSEN) ?? otherwise;
}

/** The levels in dB that an item may be heard at: 4 dB about the chosen one; all if none was chosen here. */
function itemRange() {
  const chosen = read(CHOSEN);
  if (chosen === null) return [LOWEST, HIGHEST];
  return [Math.max(LOWEST, chosen - BETWEEN_ITEMS_DB), Math.min(HIGHEST, chosen + BETWEEN_ITEMS_DB)];
}

export const linear = (/** @type {number} */ decibels) => 10 ** (decibels / 20);

/**
 * @param {HTMLInputElement} input
 * @param {HTMLElement} output
 * @param {(gain: number) => void} changed
 * @param {string[]} kept
 */
function control(input, output, changed, kept) {
  const show = () => {
    output.textContent = quantity(figure(Number(input.value), 0), "dB");
    input.setAttribute("aria-valuetext", gettext("{number} decibels", { number: input.value }));
    changed(linear(Number(input.value)));
  };
  input.value = String(keptVolume());
  input.addEventListener("input", () => {
    keep(Number(input.value), ...kept);
    show();
  });
  show();
}

/**
 * Tie a slider and its read-out to the level, to be chosen anew in the whole range; `changed` gets the linear
 * gain, now and on every change.
 *
 * @param {HTMLInputElement} input
 * @param {HTMLElement} output
 * @param {(gain: number) => void} changed
 */
export function volumeControl(input, output, changed) {
  input.disabled = Boolean(input.hidden); // hidden where the level is locked
  control(input, output, changed, [CHOSEN, NOW]);
}

/**
 * The same within a test: free by 4 dB either way until `lock` of the answer is called, which has to be done
 * before the item is first heard.
 *
 * @param {HTMLInputElement} input
 * @param {HTMLElement} output
 * @param {(gain: number) => void} changed
 */
export function itemVolume(input, output, changed) {
  const chosen = read(CHOSEN) !== null;
  [input.min, input.max] = itemRange().map(String);
  input.disabled = false;
  control(input, output, changed, [NOW]);
  return {
    lock() {
      if (input.disabled) return;
      input.disabled = true;
      // On another device than that of the instructions, the first item's level is the chosen one.
      if (!chosen) keep(Number(input.value), CHOSEN, NOW);
    },
  };
}
