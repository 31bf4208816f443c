/* Fetching and decoding sounds. */

import { gettext } from "../common/words.js";
import { readFromDisk } from "./disk.js";

const AT_ONCE = 4;
const ATTEMPTS = 3;
/* Bytes before the samples of every clip. */
const WAV_HEADER = 44;

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
 * Fetch and decode a clip, or what a system made of it, at the clip's rate: at the file's own, every sample stays as
 * it is.
 *
 * @param {string} url
 * @param {number} rate of the clip, Hz
 * @throws {Error} whose message is for people
 */
export function loadClip(url, rate) {
  return loadSound(new OfflineAudioContext(1, 1, rate), url, "default");
}

/**
 * Fetch and decode part of a clip, and no more: of ten minutes the rest stays on the server.
 *
 * @param {string} url of a 16-bit WAV
 * @param {object} part
 * @param {number} part.rate of the clip, Hz
 * @param {number} part.channels of the clip
 * @param {number} part.start seconds
 * @param {number} part.end seconds
 * @throws {Error} whose message is for people
 */
export async function loadPart(url, { rate, channels, start, end }) {
  const frame = 2 * channels;
  const [first, last] = [start, end].map((seconds) => WAV_HEADER + Math.round(seconds * rate) * frame);
  const bytes = await fetchSound(url, "default", `bytes=${first}-${last - 1}`);
  const samples = new Int16Array(bytes.slice(0, bytes.byteLength - (bytes.byteLength % frame)));
  const buffer = new AudioBuffer({ length: Math.max(1, samples.length / channels), sampleRate: rate, numberOfChannels: channels });
  for (let channel = 0; channel < channels; channel++) {
    const target = buffer.getChannelData(channel);
    for (let i = 0; i < target.length; i++) target[i] = (samples[i * channels + channel] ?? 0) / 32768;
  }
  return buffer;
}

/**
 * @param {string} url
 * @param {RequestCache} cache
 * @param {string} [range] of its bytes
 */
async function fetchSound(url, cache, range) {
  if (window.location.protocol === "file:") return readFromDisk(url);
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, range ? { cache, headers: { Range: range } } : { cache });
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
