/* What the pages of all trials share: what is kept, the way to the next one, one tab at a time, level and help. */

import { savedText } from "./saved.js";
import { Refused, Store } from "./store.js";
import { alone, continueHere } from "./tabs.js";
import { say } from "./text.js";
import { itemVolume, keptVolume, volumeControl } from "./volume.js";
import { gettext } from "./words.js";

/* Without an output device, resuming takes for ever. */
const OUTPUT_MILLISECONDS = 3000;

export const page = JSON.parse(document.querySelector("#page").textContent);
export const store = new Store(page);
export const $ = (selector) => document.querySelector(selector);

const opened = performance.now();
let leaving = false;
let level = null;

/** Milliseconds since the page was opened. */
export const elapsed = () => performance.now() - opened;

/** Keep what happened in the event log. */
export function note(kind, detail = {}) {
  store.event(kind, elapsed(), detail);
}

export const isLeaving = () => leaving;

export function showSaved() {
  const element = $("#saved");
  // Spoken when the state changes, not every second.
  element.setAttribute("aria-live", element.dataset.state === store.state ? "off" : "polite");
  element.dataset.state = store.state;
  say(element, savedText(store));
}

/**
 * Hand the trial in and go on.
 *
 * @param {() => boolean} options.lacking says what is missing and goes there; whether something is
 * @param {(text: string) => void} options.tell shows a problem
 * @param {() => void} options.silence stops what sounds
 * @param {string} options.away what to tell while the server is out of reach
 */
export async function leave({ lacking, tell, silence, away }) {
  if (leaving) return;
  if (store.state === "refused") {
    // Finished in another tab, or the test was closed meanwhile: the server knows what comes next.
    window.location.reload();
    return;
  }
  if (lacking()) return;
  leaving = true;
  tell(gettext("Saving…"));
  try {
    silence();
    await store.settled();
    if (store.state === "refused") throw new Error(store.refusal);
    note("finish");
    window.location.assign(await store.finish());
  } catch (error) {
    leaving = false;
    if (error instanceof Refused) store.refuse(error);
    tell(store.state === "refused" ? error.message : away);
  }
}

/**
 * Tie the page's common parts to what they do, and start when this tab is the one that goes on.
 *
 * @param {() => void} options.next the listener wants to go on
 * @param {() => void} options.start this tab goes on
 * @param {() => void} options.silence stops what sounds: another tab has taken over
 * @param {(key: string) => void} options.restored a grade or answer came from elsewhere
 */
export function attend({ next, start, silence, restored }) {
  $("#next").addEventListener("click", next);
  $("#help-button").addEventListener("click", () => $("#help").showModal());
  $("#comment").value = store.comment;
  $("#comment").addEventListener("input", (event) => store.setComment(event.target.value));
  store.addEventListener("state", showSaved);
  store.addEventListener("grade", ({ detail }) => restored(detail));
  document.addEventListener("visibilitychange", () => note(document.hidden ? "hidden" : "shown"));
  // Back to a page that the browser kept: its trial may be over.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  $("#elsewhere").addEventListener("cancel", (event) => event.preventDefault());
  $("#elsewhere button").addEventListener("click", continueHere);
  showSaved();
  alone(`earshot:${new URL("../..", new URL(page.ratingsUrl, window.location)).pathname}`, {
    start() {
      if ($("#elsewhere").open) {
        // The other tab has been closed; what it did is not in this page.
        window.location.reload();
        return;
      }
      setInterval(showSaved, 1000);
      note("open", { restored: store.graded });
      store.retry();
      start();
    },
    waiting: () => $("#elsewhere").showModal(),
    lost() {
      store.retire();
      silence();
      $("#elsewhere").showModal();
    },
  });
}

/** Say that fetching the sounds failed, and why, and offer to try again. */
export function showTrouble(error) {
  note("load-failed");
  say($("#sounding"), "");
  say($("#trouble p"), error.message);
  $("#trouble").hidden = false;
}

/**
 * Tie the volume slider to whatever plays. `changed` gets the linear gain, now and on every change. In the
 * training the level is free; in a trial it can be changed by 4 dB until `lockVolume`.
 */
export function volume(changed) {
  if (page.training) volumeControl($("#volume"), $("#volume-value"), changed);
  else level = itemVolume($("#volume"), $("#volume-value"), changed);
}

/** Lock the level, if this is no training: something sounds. Returns it in dB. */
export function lockVolume() {
  if (level) {
    level.lock();
    $(".volume").classList.add("locked");
  }
  return keptVolume();
}

/** Let the context run, and say so if it does not. Without an output device: false after 3 s. */
export async function running(context) {
  if (context.state === "running") return true;
  await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, OUTPUT_MILLISECONDS))]);
  if (context.state === "running") return true;
  say($("#sounding"), gettext("no sound: check the output, press play"));
  return false;
}
