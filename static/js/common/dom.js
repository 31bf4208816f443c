/* Elements of the page by selector, with their types. */

/**
 * The first element that matches.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} [type]
 * @param {ParentNode} [root]
 * @returns {T}
 * @throws {TypeError} if there is none, or it is of another type
 */
export function find(selector, type = elementType(), root = document) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new TypeError(`The page has no ${type.name} ${selector}.`);
  return element;
}

/**
 * All elements of the type that match, in the page's order.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} [type]
 * @param {ParentNode} [root]
 * @returns {T[]}
 */
export function findAll(selector, type = elementType(), root = document) {
  return /** @type {T[]} */ ([...root.querySelectorAll(selector)].filter((element) => element instanceof type));
}

/**
 * The element that an event concerns: the closest to its target that matches, or null.
 *
 * @template {Element} [T=HTMLElement]
 * @param {Event} event
 * @param {string} selector
 * @param {new () => T} [type]
 * @returns {T | null}
 */
export function closest({ target }, selector, type = elementType()) {
  const element = target instanceof Element ? target.closest(selector) : null;
  return element instanceof type ? element : null;
}

/** @returns {any} */
function elementType() {
  return HTMLElement;
}

/**
 * The data that the server put into the page with `json_script`.
 *
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function readData(selector, root = document) {
  return JSON.parse(find(selector, HTMLScriptElement, root).text);
}
