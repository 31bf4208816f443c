/* What the pages of all trials share: what is kept, what is missing, the way to the next one, one tab at a time,
   the keys, fetching the sounds, level and help. */

import { loadSounds } from "../audio/load.js";
import { itemVolume, keptVolume, volumeControl } from "../audio/volume.js";
import { find, readData } from "../common/dom.js";
import { listenToKeys } from "../common/keys.js";
import { say } from "../common/text.js";
import { gettext } from "../common/words.js";
import { lostText, savedText } from "./saved.js";
import { Refused, Store } from "./store.js";
import { continueHere, holdAlone } from "./tabs.js";

/**
 * @typedef {object} Sound
 * @property {string} name in events: the key, or "reference"
 * @property {string} label what the listener calls it
 * @property {string} url
 *
 * @typedef {import("./store.js").TrialData & {
 *   training: boolean,
 *   sounds: Sound[],
 *   once?: boolean,
 * }} PageData
 *
 * @typedef {object} Missing what keeps the listener from going on
 * @property {string} text shown all the time
 * @property {string} [problem] told when the listener wants to go on; by default `text`
 * @property {HTMLElement | undefined} focus where it is
 *
 * @typedef {object} Options
 * @property {() => Missing[]} missing
 * @property {string} [ready] told when nothing is missing
 * @property {string} [away] told when the server is out of reach at the end
 * @property {(hasProblem: boolean) => void} show brings the method's part of the page up to date
 * @property {() => void} silence stops what sounds
 * @property {(name: string, shift: boolean) => boolean} key works a key; false if it means nothing
 */

/** @type {PageData} */
export const page = readPage();
export const store = new Store(page);
export const $ = (/** @type {string} */ selector) => find(selector);

/** @returns {PageData} */
function readPage() {
  const data = readData("#page");
  if (data.sounds) return data;
  // MUSHRA's page has the reference beside the stimuli, and each has its sound.
  const sounds = [{ name: "reference", label: gettext("Reference"), url: data.reference.url }];
  for (const { key, label, url } of data.stimuli) {
    sounds.push({ name: key, label: gettext("Version {number}", { number: label }), url });
  }
  return { ...data, sounds };
}

const opened = performance.now();
/** @type {HTMLDialogElement} */
const help = find("#help", HTMLDialogElement);
const elsewhere = find("#elsewhere", HTMLDialogElement);
/** @type {Options} */
let method = { missing: () => [], show() {}, silence() {}, key: () => false };
let problem = "";
let leaving = false;
/** @type {ReturnType<typeof itemVolume> | null} */
let level = null;
/** @type {() => void} */
let begin;
/* This tab is the one that goes on. */
const granted = new Promise((resolve) => {
  begin = () => resolve(undefined);
});

/** Milliseconds since the page was opened. */
export const elapsed = () => performance.now() - opened;

/**
 * Keep what happened in the event log.
 *
 * @param {string} kind
 * @param {object} detail
 */
export function note(kind, detail = {}) {
  store.event(kind, elapsed(), detail);
}

export const isLeaving = () => leaving;

/** Bring the page up to date; with `forget` the listener has gone on, and the last problem is forgotten. */
export function refresh({ forget = false } = {}) {
  if (forget) problem = "";
  const missing = method.missing();
  say($("#missing"), problem || (missing[0]?.text ?? method.ready ?? gettext("ready for the next one")));
  $("#missing").classList.toggle("problem", problem !== "");
  $("#next").toggleAttribute("data-waiting", missing.length > 0 || leaving);
  method.show(problem !== "");
  showSaved();
}

/** @param {string} text */
function tell(text) {
  problem = text;
  refresh();
}

function showSaved() {
  const element = $("#saved");
  // Spoken when the state changes, not every second.
  element.setAttribute("aria-live", element.dataset.state === store.state ? "off" : "polite");
  element.dataset.state = store.state;
  say(element, savedText(store));
}

/** Hand the trial in and go on. */
async function goOn() {
  if (leaving) return;
  if (store.state === "refused") {
    // Finished in another tab, or the test was closed meanwhile: the server knows what comes next.
    window.location.reload();
    return;
  }
  const [first] = method.missing();
  if (first) {
    tell(first.problem ?? first.text);
    first.focus?.focus();
    return;
  }
  leaving = true;
  tell(gettext("Saving…"));
  const { losses } = store;
  try {
    method.silence();
    await store.settled();
    if (store.refusal) throw new Error(store.refusal);
    // What is stored has just come to be shown: it is for the listener to hand it in.
    if (store.losses > losses) throw new Error(gettext("changed in another browser"));
    note("finish");
    window.location.assign(await store.finish());
  } catch (error) {
    leaving = false;
    if (error instanceof Refused) store.refuse(error);
    const away = method.away || gettext("Could not reach the server. Your answer is kept: press Next again.");
    tell(store.refusal || (store.losses > losses ? gettext("changed in another browser") : away));
  }
}

/** Open the help at its top: the focus goes to the button at its end, and a phone would show that. */
function showHelp() {
  help.showModal();
  help.scrollTop = 0;
}

/**
 * Tie the page to what it does, and start when this tab is the one that goes on.
 *
 * @param {Options} options
 */
export function openTrial(options) {
  method = options;
  listenToKeys((name, shift) => {
    if (name === "?") showHelp();
    else if (name === "Enter" && method.missing().length === 0) goOn();
    else return method.key(name, shift);
    return true;
  });
  refresh();
  $("#next").addEventListener("click", goOn);
  $("#help-button").addEventListener("click", showHelp);
  const comment = find("#comment", HTMLInputElement);
  comment.value = store.comment;
  comment.addEventListener("input", () => store.setComment(comment.value));
  store.on("state", showSaved);
  store.on("grade", () => refresh());
  store.on("lost", (lost) => {
    comment.value = store.comment;
    note("lost", { sounds: lost.keys });
    say($("#lost p"), lostText(lost, page));
    $("#lost").hidden = false;
    refresh();
  });
  find("#lost button", HTMLButtonElement).addEventListener("click", () => {
    $("#lost").hidden = true;
    say($("#lost p"), "");
  });
  document.addEventListener("visibilitychange", () => note(document.hidden ? "hidden" : "shown"));
  // Back to a page that the browser kept: its trial may be over.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  elsewhere.addEventListener("cancel", (event) => event.preventDefault());
  find("button", HTMLButtonElement, elsewhere).addEventListener("click", continueHere);
  holdAlone(`earshot:${new URL("../..", new URL(page.ratingsUrl, window.location.href)).pathname}`, {
    start() {
      if (elsewhere.open) {
        // The other tab has been closed; what it did is not in this page.
        window.location.reload();
        return;
      }
      setInterval(showSaved, 1000);
      note("open", { restored: store.graded });
      store.retry();
      store.watch();
      begin();
    },
    waiting: () => elsewhere.showModal(),
    lost() {
      store.retire();
      method.silence();
      elsewhere.showModal();
    },
  });
}

/**
 * Fetch and decode sounds once this tab goes on, offering to try again. Resolves when all are there.
 *
 * @param {BaseAudioContext} context
 * @param {Sound[]} sounds
 * @param {object} options
 * @param {(name: string, buffer: AudioBuffer) => void} [options.arrived] called for each sound as it is decoded
 * @param {boolean} [options.firstAlone] see `loadSounds`
 * @returns {Promise<Map<string, AudioBuffer>>} in the order of `sounds`
 */
export async function fetchSounds(context, sounds, { arrived = () => {}, firstAlone = false } = {}) {
  /** @type {Map<string, AudioBuffer>} */
  const decoded = new Map();
  const total = sounds.length;
  const showProgress = () => {
    if ($("#rating").classList.contains("playing")) return;
    say($("#sounding"), gettext("preparing sounds: {ready} of {total}", { ready: decoded.size, total }));
  };
  await granted;
  while (decoded.size < total) {
    const urls = new Map(sounds.filter(({ name }) => !decoded.has(name)).map(({ name, url }) => [name, url]));
    $("#trouble").hidden = true;
    showProgress();
    try {
      await loadSounds(context, urls, {
        firstAlone: firstAlone && decoded.size === 0,
        arrived(name, buffer) {
          decoded.set(name, buffer);
          arrived(name, buffer);
          showProgress();
        },
      });
    } catch (error) {
      await askAgain(error instanceof Error ? error.message : String(error));
    }
  }
  $("#rating").dataset.ready = "";
  note("ready");
  return new Map(sounds.map(({ name }) => [name, /** @type {AudioBuffer} */ (decoded.get(name))]));
}

/**
 * Say that fetching the sounds failed, and why. Resolves when the listener wants to try again.
 *
 * @param {string} reason
 */
function askAgain(reason) {
  note("load-failed");
  say($("#sounding"), "");
  say($("#trouble p"), reason);
  $("#trouble").hidden = false;
  return new Promise((resolve) => $("#trouble button").addEventListener("click", resolve, { once: true }));
}

/**
 * Tie the volume slider to what plays, given its level now and on every change. In the training the level is free;
 * in a trial it can be changed by 4 dB until `lockVolume`.
 *
 * @param {import("../audio/player.js").Player} player
 */
export function controlVolume(player) {
  const input = find("#volume", HTMLInputElement);
  const changed = (/** @type {number} */ gain) => player.setVolume(gain);
  if (page.training) volumeControl(input, $("#volume-value"), changed);
  else level = itemVolume(input, $("#volume-value"), changed);
}

/** Lock the level, if this is no training: something sounds. Returns it in dB. */
function lockVolume() {
  if (level) {
    level.lock();
    $(".volume").classList.add("locked");
  }
  return keptVolume();
}

/**
 * Play, with the level locked, unless the listener is leaving or no sound can be heard.
 *
 * @param {import("../audio/player.js").Player} player
 * @returns {Promise<{ decibels: number } | null>} the level; null if nothing plays
 */
export async function startPlaying(player) {
  if (leaving) return null;
  if (!(await player.resume())) {
    say($("#sounding"), gettext("no sound: check the output, press play"));
    return null;
  }
  const decibels = lockVolume();
  player.play();
  return { decibels };
}

/**
 * Put the focus where the next act is, unless the listener has put it somewhere.
 *
 * @param {HTMLElement | undefined} element
 */
export function focusFirst(element) {
  if (document.activeElement === document.body) element?.focus();
}

/**
 * Call `show` at every frame while the player plays.
 *
 * @param {import("../audio/player.js").Player} player
 * @param {() => void} show
 */
export function showWhilePlaying(player, show) {
  let frame = 0;
  const tick = () => {
    frame = 0;
    if (!player.playing) return;
    show();
    frame = requestAnimationFrame(tick);
  };
  // A page that asks for frames all the time keeps the processor busy all the time.
  player.on("change", () => {
    if (player.playing && !frame) frame = requestAnimationFrame(tick);
  });
}
