/* Fetching and decoding the sounds of a trial. */

import { gettext } from "./words.js";

const AT_ONCE = 4;
const ATTEMPTS = 3;

/**
 * Fetch and decode sounds, four at a time; each is tried three times.
 *
 * @param {BaseAudioContext} context
 * @param {Map<string, string>} urls by name
 * @param {(ready: number, total: number) => void} progress
 * @param {(name: string, buffer: AudioBuffer) => void} [arrived] called for each sound as it is decoded. If
 *   it is given, the first of `urls` has the line to itself, to be heard as soon as can be.
 * @returns {Promise<Map<string, AudioBuffer>>} in the order of `urls`
 * @throws {Error} whose message is for the listener
 */
export async function loadSounds(context, urls, progress = () => {}, arrived = null) {
  const decoded = new Map();
  const waiting = [...urls];
  progress(0, urls.size);
  const load = async ([name, url]) => {
    const buffer = await loadSound(context, url);
    decoded.set(name, buffer);
    arrived?.(name, buffer);
    progress(decoded.size, urls.size);
  };
  if (arrived && waiting.length) await load(waiting.shift());
  const worker = async () => {
    while (waiting.length) await load(waiting.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return new Map([...urls.keys()].map((name) => [name, decoded.get(name)]));
}

async function loadSound(context, url) {
  const bytes = await fetchSound(url);
  try {
    return await context.decodeAudioData(bytes);
  } catch {
    throw new Error(gettext("This browser could not decode a sound."));
  }
}

async function fetchSound(url) {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { cache: "no-store" });
      if (!response.ok) throw new Error(gettext("The server answered {status}.", { status: response.status }));
      return await response.arrayBuffer();
    } catch (error) {
      // fetch throws a TypeError, worded differently by every browser, when no answer came.
      const reason = error instanceof TypeError ? gettext("Is the connection down?") : error.message;
      if (attempt === ATTEMPTS) throw new Error(`${gettext("A sound could not be fetched.")} ${reason}`);
      await new Promise((resolve) => setTimeout(resolve, 500 * attempt));
    }
  }
}
