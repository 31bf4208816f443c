/* What has to be heard before an answer: each signal long enough. */

import { gettext } from "../common/words.js";
import { mean } from "../audio/sequence.js";
import { note, page, refresh, store } from "./page.js";

/* A signal counts as heard when it has sounded so long, or all of a shorter one. */
export const HEARD_SECONDS = 0.5;

/**
 * A sound was heard as long as the method wants; kept, so that a reload doesn't ask for it again.
 *
 * @param {string} name
 */
export function markHeard(name) {
  if (store.heard(name)) return;
  store.hear(name);
  note("heard", { sound: name });
  refresh({ forget: true });
}

export const unheard = () => page.sounds.filter(({ name }) => !store.heard(name));

/**
 * What is still to hear, if anything is.
 *
 * @param {import("./switching.js").Switching} switching
 * @returns {import("./page.js").Missing[]}
 */
export function missingSounds(switching) {
  const left = unheard();
  if (!left.length) return [];
  const names = left.map(({ label }) => label).join(", ");
  return [{ text: gettext("still to hear: {names}", { names }), focus: switching.button(left[0].name) }];
}

/**
 * Mark the buttons of what has been heard.
 *
 * @param {import("./switching.js").Switching} switching
 */
export function showHeard(switching) {
  for (const { name } of page.sounds) switching.button(name)?.classList.toggle("heard", store.heard(name));
}

/**
 * How signals with the letters of a test are switched: all of them have to be heard for a while.
 *
 * @type {import("./switching.js").Options}
 */
export const LETTERS = {
  heardSeconds: HEARD_SECONDS,
  heard: markHeard,
  loopKeys: ["i", "o"],
  ready: gettext("ready: press a letter or play"),
  outlined,
};

/**
 * What the waveform shows: the open reference, or else A and B alike, so that it favours neither. Null while they
 * are being fetched.
 *
 * @param {BaseAudioContext} context
 * @param {Map<string, AudioBuffer>} buffers
 */
function outlined(context, buffers) {
  if (page.sounds.some(({ name }) => name === "reference")) return buffers.get("reference") ?? null;
  const letters = page.sounds.filter(({ label }) => label === "A" || label === "B");
  const sounds = letters.map(({ name }) => buffers.get(name)).filter((buffer) => buffer !== undefined);
  return sounds.length < letters.length ? null : mean(context, sounds);
}
