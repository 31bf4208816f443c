/* What pages show in words and figures. */

/** Change text only when it differs: a live region would speak it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Seconds as minutes, seconds and tenths: 01:02.3. */
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(Math.floor(tenths / 600))}:${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
}
