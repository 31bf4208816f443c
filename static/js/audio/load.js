/* Fetching and decoding sounds. */

import { gettext } from "../common/words.js";

/** Of every clip, Hz. */
export const CLIP_RATE = 16000;
const AT_ONCE = 4;
const ATTEMPTS = 3;

/**
 * Fetch and decode sounds, four at a time.
 *
 * @param {BaseAudioContext} context
 * @param {Map<string, string>} urls by name
 * @param {object} options
 * @param {(name: string, buffer: AudioBuffer) => void} options.arrived called for each sound as it is decoded
 * @param {boolean} [options.firstAlone] the first has the line to itself, to be heard as soon as can be
 * @throws {Error} whose message is for the listener
 */
export async function loadSounds(context, urls, { arrived, firstAlone = false }) {
  const waiting = [...urls];
  const loadNext = async () => {
    const next = waiting.shift();
    if (next) arrived(next[0], await loadSound(context, next[1]));
  };
  if (firstAlone) await loadNext();
  const work = async () => {
    while (waiting.length) await loadNext();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/**
 * Fetch and decode a sound; fetching is tried three times.
 *
 * @param {BaseAudioContext} context
 * @param {string} url
 * @param {RequestCache} cache
 * @throws {Error} whose message is for people
 */
export async function loadSound(context, url, cache = "no-store") {
  const bytes = await fetchSound(url, cache);
  try {
    return await context.decodeAudioData(bytes);
  } catch {
    throw new Error(gettext("This browser could not decode a sound."));
  }
}

/**
 * Fetch and decode a clip, or what a system made of it. In a context of the file's own rate every sample stays as
 * it is.
 *
 * @param {string} url
 * @throws {Error} whose message is for people
 */
export function loadClip(url) {
  return loadSound(new OfflineAudioContext(1, 1, CLIP_RATE), url, "default");
}

/**
 * @param {string} url
 * @param {RequestCache} cache
 */
async function fetchSound(url, cache) {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { cache });
      if (!response.ok) throw new Error(gettext("The server answered {status}.", { status: response.status }));
      return await response.arrayBuffer();
    } catch (error) {
      // fetch throws a TypeError, worded differently by every browser, when no answer came.
      const told = error instanceof Error && !(error instanceof TypeError);
      const reason = told ? error.message : gettext("Is the connection down?");
      if (attempt === ATTEMPTS) throw new Error(`${gettext("A sound could not be fetched.")} ${reason}`);
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    }
  }
}
