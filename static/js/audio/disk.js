/* Sounds of a page that was opened from disk. Browsers fetch no file there, but they run scripts: beside each sound
   of an exported page lies a script that hands it over (`listening/demos/export.py`). */

/** @type {Map<string, (bytes: ArrayBuffer) => void>} */
const waiting = new Map();

/**
 * What the scripts call.
 *
 * @param {string} url of the sound, as the page names it
 * @param {string} text its bytes in Base64
 */
function take(url, text) {
  const letters = atob(text);
  waiting.get(url)?.(Uint8Array.from(letters, (letter) => letter.charCodeAt(0)).buffer);
  waiting.delete(url);
}

/**
 * The bytes of a sound.
 *
 * @param {string} url
 * @returns {Promise<ArrayBuffer>}
 */
export function readFromDisk(url) {
  Object.assign(globalThis, { earshotSound: take });
  return new Promise((resolve, reject) => {
    waiting.set(url, resolve);
    const script = document.createElement("script");
    script.src = `${url}.js`;
    script.addEventListener("error", () => reject(new Error(`${script.src} is not there.`)));
    script.addEventListener("load", () => script.remove());
    document.head.append(script);
  });
}
