/* What the trial pages of all methods but MUSHRA share: saving, the way to the next trial, keys, help. */

import { meaning } from "../rating/keys.js";
import { loadSounds } from "../rating/player.js";
import { savedText } from "../rating/saved.js";
import { Refused, Store } from "../rating/store.js";
import { alone, continueHere } from "../rating/tabs.js";
import { itemVolume, keptVolume, volumeControl } from "../rating/volume.js";
import { gettext } from "../rating/words.js";

export const page = JSON.parse(document.querySelector("#page").textContent);
export const store = new Store(page);
export const $ = (selector) => document.querySelector(selector);

const opened = performance.now();
let missing = () => [];
let problem = "";
let leaving = false;
let level = null;
let begin;
/* This tab is the one that goes on. */
const granted = new Promise((resolve) => {
  begin = resolve;
});

/** Keep what happened in the event log. */
export function note(kind, detail = {}) {
  store.event(kind, performance.now() - opened, detail);
}

/** Change text only when it differs: a live region would speak it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function hasHeard(name) {
  return store.heard(name);
}

/** The sound was heard as long as the method wants; kept, so that a reload doesn't ask for it again. */
export function markHeard(name) {
  if (store.heard(name)) return;
  store.hear(name);
  note("heard", { sound: name });
  refresh({ forget: true });
}

export const isLeaving = () => leaving;

/** Show what is missing; `problem` is forgotten once the listener goes on. */
export function refresh({ forget = false } = {}) {
  if (forget) problem = "";
  const left = missing();
  say($("#missing"), problem || (left.length ? left[0].text : gettext("ready for the next one")));
  $("#missing").classList.toggle("problem", Boolean(problem));
  $("#next").toggleAttribute("data-waiting", left.length > 0 || leaving);
}

function showSaved() {
  const element = $("#saved");
  // Spoken when the state changes, not every second.
  element.setAttribute("aria-live", element.dataset.state === store.state ? "off" : "polite");
  element.dataset.state = store.state;
  say(element, savedText(store));
}

async function next() {
  if (leaving) return;
  if (store.state === "refused") {
    // Finished in another tab, or the test was closed meanwhile: the server knows what comes next.
    window.location.reload();
    return;
  }
  const left = missing();
  if (left.length) {
    problem = left[0].text;
    refresh();
    left[0].focus?.focus();
    return;
  }
  leaving = true;
  problem = gettext("Saving…");
  refresh();
  try {
    document.dispatchEvent(new Event("leaving"));
    await store.settled();
    if (store.state === "refused") throw new Error(store.refusal);
    note("finish");
    window.location.assign(await store.finish());
  } catch (error) {
    leaving = false;
    if (error instanceof Refused) store.refuse(error);
    const final = store.state === "refused";
    problem = final
      ? error.message
      : gettext("Could not reach the server. Your answer is kept: press Next again.");
    refresh();
  }
}

/** Keys that work the element in focus itself. */
function takesKey(element, name) {
  if (element.matches("input[type=radio]")) return name.startsWith("Arrow") || name === " ";
  if (element.id === "volume") return true;
  if (element.matches("[role=slider]")) return name.startsWith("Arrow");
  return name === " " && element.matches("button:not(.pick), summary");
}

function pressed(event, key) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.target.matches("input[type=text], textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?" || event.key === "؟") {
    event.preventDefault();
    $("#help").showModal();
    return;
  }
  const name = meaning(event);
  if (takesKey(event.target, name)) return;
  if (key(name, event.shiftKey)) event.preventDefault();
}

/**
 * Start the page.
 *
 * @param {() => {text: string, focus: Element}[]} options.missing what still keeps the listener from going on
 * @param {(name: string, shift: boolean) => boolean} options.key works a key; false if it means nothing
 * @param {() => void} options.restored shows a grade or answer that came from elsewhere
 */
export function frame(options) {
  missing = options.missing;
  $("#next").addEventListener("click", next);
  $("#help-button").addEventListener("click", () => $("#help").showModal());
  $("#comment").value = store.comment;
  $("#comment").addEventListener("input", (event) => store.setComment(event.target.value));
  document.addEventListener("keydown", (event) => pressed(event, options.key));
  store.addEventListener("state", showSaved);
  store.addEventListener("grade", () => {
    options.restored();
    refresh();
  });
  document.addEventListener("visibilitychange", () => note(document.hidden ? "hidden" : "shown"));
  // Back to a page that the browser kept: its trial may be over.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
  $("#elsewhere").addEventListener("cancel", (event) => event.preventDefault());
  $("#elsewhere button").addEventListener("click", continueHere);
  options.restored();
  refresh();
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
      begin();
    },
    waiting: () => $("#elsewhere").showModal(),
    lost() {
      store.retire();
      document.dispatchEvent(new Event("leaving"));
      $("#elsewhere").showModal();
    },
  });
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

/** Fetch and decode the page's sounds by name, offering to try again. Resolves when they are there. */
export function sounds(context) {
  const urls = new Map(page.sounds.map(({ name, url }) => [name, url]));
  return new Promise((resolve) => {
    const attempt = async () => {
      $("#trouble").hidden = true;
      try {
        const loaded = await loadSounds(context, urls, (ready, total) => {
          say($("#sounding"), gettext("preparing {ready} of {total} sounds", { ready, total }));
        });
        note("ready");
        resolve(loaded);
      } catch (error) {
        note("load-failed");
        say($("#sounding"), "");
        say($("#trouble p"), error.message);
        $("#trouble").hidden = false;
      }
    };
    $("#trouble button").addEventListener("click", attempt);
    granted.then(attempt);
  });
}

/** Let the context run. Without an output device, resuming takes for ever: false after 3 s. */
export async function running(context) {
  if (context.state === "running") return true;
  await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, 3000))]);
  if (context.state === "running") return true;
  say($("#sounding"), gettext("no sound: check the output, press play"));
  return false;
}
