/* What the browser keeps for this site. */

/**
 * localStorage, or, where a browser forbids it (in a frame of another site), a memory of this page only.
 *
 * @returns {Pick<Storage, "getItem" | "setItem" | "removeItem">}
 */
export function ownStorage() {
  try {
    return window.localStorage;
  } catch {
    /** @type {Map<string, string>} */
    const items = new Map();
    return {
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => items.set(key, value),
      removeItem: (key) => items.delete(key),
    };
  }
}

/**
 * Under which a browser remembers its session of a study.
 *
 * @param {string} study the token of its listener link
 */
export const keyOf = (study) => `earshot:session of ${study}`;

/**
 * Under which it remembers the language of that session.
 *
 * @param {string} key of the session
 */
export const languageKeyOf = (key) => `${key}, language`;
