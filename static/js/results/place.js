/* When htmx brings news, what was folded out stays folded out, and the page stays where it was. */

import { findAll } from "../common/dom.js";

/** @param {HTMLElement} root */
export function keepPlace(root) {
  /** @type {Map<string, boolean>} */
  let open = new Map();
  /** @type {number[] | null} */
  let focus = null;
  let scroll = 0;

  if (!document.getElementById("results")) return;
  root.addEventListener("htmx:beforeSwap", (event) => {
    if (/** @type {CustomEvent} */ (event).detail.xhr.status === 204) return;
    open = new Map(findAll("#results details[id]", HTMLDetailsElement, root).map(({ id, open }) => [id, open]));
    const active = document.activeElement;
    focus = active?.closest("#results") ? pathTo(active) : null;
    scroll = scrollY;
  });
  root.addEventListener("htmx:afterSwap", () => {
    for (const [id, state] of open) {
      const details = document.getElementById(id);
      if (details instanceof HTMLDetailsElement) details.open = state;
    }
    const focused = focus && elementAt(focus);
    if (focused instanceof HTMLElement || focused instanceof SVGElement) focused.focus({ preventScroll: true });
    scrollTo({ top: scroll, behavior: "instant" });
    open = new Map();
    focus = null;
  });
}

/**
 * Where an element stands below #results, as the numbers of children on the way.
 *
 * @param {Element} element
 */
function pathTo(element) {
  const path = [];
  for (let at = element; at.id !== "results" && at.parentElement; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
}

/**
 * @param {number[]} path
 * @returns {Element | undefined}
 */
function elementAt(path) {
  /** @type {Element | undefined} */
  const results = document.getElementById("results") ?? undefined;
  return path.reduce((at, index) => at?.children[index], results);
}
