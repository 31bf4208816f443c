/* What scripts say to listeners: English in the modules, the study's language in the page.

   `gettext` is the name that the collector of messages looks for. Its texts avoid plurals ("3 of 7"), whose
   forms differ from language to language. */

const element = globalThis.document?.querySelector("#words");
/** @type {Record<string, string>} */
const words = element ? JSON.parse(element.textContent ?? "{}") : {};

/**
 * `text` in the page's language, with {names} replaced by `values`.
 *
 * @param {string} text
 * @param {Record<string, string | number>} [values]
 */
export function gettext(text, values = {}) {
  return (words[text] || text).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
