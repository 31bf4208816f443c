/* When parts of a page are replaced by newer ones, the focus stays on what had it, what was folded out stays folded
   out, and page and tables stay where they were scrolled to. */

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
 * How to find an element again once it has been replaced: in the closest element around it that has an id, so that
 * nothing takes the place of what is no longer there.
 *
 * @param {Element} element
 * @returns {() => Element | null | undefined}
 */
function wayTo(element) {
  if (element.id) return () => document.getElementById(element.id);
  const root = element.closest("[id]") ?? document.body;
  const again = () => (root.isConnected ? root : document.getElementById(root.id));
  const name = nameOf(element);
  if (name !== null) {
    const namesakes = () =>
      [...(again()?.querySelectorAll(element.localName) ?? [])].filter((other) => nameOf(other) === name);
    const index = namesakes().indexOf(element);
    return () => namesakes()[index];
  }
  /** @type {number[]} the numbers of children on the way */
  const path = [];
  for (let at = element; at !== root && at.parentElement; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return () => path.reduce((/** @type {Element | null} */ at, index) => at?.children[index] ?? null, again());
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
  const scrolled = findAll(".table-scroll")
    .filter((box) => box.scrollLeft || box.scrollTop)
    .map((box) => ({ left: box.scrollLeft, top: box.scrollTop, find: wayTo(box) }));
  const scroll = scrollY;
  return () => {
    for (const [id, state] of open) {
      const details = document.getElementById(id);
      if (details instanceof HTMLDetailsElement) details.open = state;
    }
    const focused = active?.isConnected ? null : find?.();
    if (focused instanceof HTMLElement || focused instanceof SVGElement) focused.focus({ preventScroll: true });
    for (const { left, top, find } of scrolled) find()?.scrollTo({ left, top, behavior: "instant" });
    // Scrolling to where it is would end a scroll under way.
    if (scrollY !== scroll) scrollTo({ top: scroll, behavior: "instant" });
  };
}

let back = () => {};
document.body.addEventListener("htmx:beforeSwap", () => (back = rememberPlace()));
document.body.addEventListener("htmx:afterSwap", () => back());
