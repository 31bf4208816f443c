/* What pages show in words and figures. */

/**
 * Change text only when it differs: a live region would speak it again.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A number with a minus, which is as wide as a plus, for its hyphen, and the decimal mark of the page's language. A
 * zero is never negative.
 *
 * @param {number} value
 * @param {number} decimals
 */
export function figure(value, decimals) {
  const mark = document.documentElement.dataset.decimalMark ?? ".";
  const digits = value.toFixed(decimals).replace(/^-(?=[0.]*$)/, "");
  return digits.replace("-", "−").replace(".", mark);
}

/**
 * A number with its unit, from which no line break parts it.
 *
 * @param {string | number} number
 * @param {string} unit
 */
export function quantity(number, unit) {
  return `${number}\u00a0${unit}`;
}

/**
 * Seconds as minutes, seconds and tenths: 01:02.3.
 *
 * @param {number} seconds
 * @param {number} digits of the minutes, at least
 */
export function clock(seconds, digits = 2) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const pad = (/** @type {number} */ value, /** @type {number} */ length) => String(value).padStart(length, "0");
  return `${pad(Math.floor(tenths / 600), digits)}:${figure((tenths % 600) / 10, 1).padStart(4, "0")}`;
}
