/* When parts of a page are replaced by newer ones, the focus stays on what had it, what was folded out stays folded
   out, and the page stays where it was. */

import { findAll } from "./dom.js";

/**
 * What names a link or a control, whatever stands around it; null if its place is all that it has.
 *
 * @param {Element} element
 */
function nameOf(element) {
  const naming = ["href", "name", "value", "aria-label"].map((attribute) => element.getAttribute(attribute));
  const action = element.closest("form")?.getAttribute("action");
  if (element.matches("a[href]")) return JSON.stringify(naming);
  if (element.matches("button, summary")) return JSON.stringify([...naming, action, element.textContent?.trim()]);
  return element.matches("input, select, textarea") ? JSON.stringify([...naming, action]) : null;
}

/**
 * All elements that are called like one, in the page's order.
 *
 * @param {Element} element
 */
function namesakes(element) {
  const name = nameOf(element);
  return [...document.querySelectorAll(element.localName)].filter((other) => nameOf(other) === name);
}

/**
 * How to find an element again once it has been replaced.
 *
 * @param {Element} element
 * @returns {() => Element | null | undefined}
 */
function wayTo(element) {
  if (element.id) return () => document.getElementById(element.id);
  if (nameOf(element) !== null) {
    const index = namesakes(element).indexOf(element);
    return () => namesakes(element)[index];
  }
  /** @type {number[]} the numbers of children on the way from the closest element with an id */
  const path = [];
  let root = element;
  for (; !root.id && root.parentElement; root = root.parentElement) {
    path.unshift([...root.parentElement.children].indexOf(root));
  }
  return () => path.reduce((/** @type {Element | null} */ at, index) => at?.children[index] ?? null, again(root));
}

/** @param {Element} element */
function again(element) {
  return element.isConnected ? element : document.getElementById(element.id);
}

/**
 * Remember where the reader is.
 *
 * @returns {() => void} goes back there
 */
export function rememberPlace() {
  const open = new Map(findAll("details[id]", HTMLDetailsElement).map(({ id, open }) => [id, open]));
  const active = document.activeElement;
  const find = active && active !== document.body ? wayTo(active) : null;
  const scroll = scrollY;
  return () => {
    for (const [id, state] of open) {
      const details = document.getElementById(id);
      if (details instanceof HTMLDetailsElement) details.open = state;
    }
    const focused = active?.isConnected ? null : find?.();
    if (focused instanceof HTMLElement || focused instanceof SVGElement) focused.focus({ preventScroll: true });
    scrollTo({ top: scroll, behavior: "instant" });
  };
}

let back = () => {};
document.body.addEventListener("htmx:beforeSwap", () => (back = rememberPlace()));
document.body.addEventListener("htmx:afterSwap", () => back());
