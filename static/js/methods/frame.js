/* What the trial pages of all methods but MUSHRA share: saving, the way to the next trial, keys, help. */

import { loadSounds } from "../rating/player.js";
import { Refused, Store } from "../rating/store.js";
import { volumeControl } from "../rating/volume.js";
import { gettext } from "../rating/words.js";

export const page = JSON.parse(document.querySelector("#page").textContent);
export const store = new Store(page);
export const $ = (selector) => document.querySelector(selector);

const opened = performance.now();
const heard = new Set(page.heard);
let missing = () => [];
let problem = "";
let leaving = false;

/** Keep what happened in the event log. */
export function note(kind, detail = {}) {
  store.event(kind, performance.now() - opened, detail);
}

/** Change text only when it differs: a live region would speak it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function hasHeard(name) {
  return heard.has(name);
}

/** The sound was heard as long as the method wants; kept, so that a reload doesn't ask for it again. */
export function markHeard(name) {
  if (heard.has(name)) return;
  heard.add(name);
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
  const seconds = store.savedAt === null ? 0 : Math.floor((Date.now() - store.savedAt) / 1000);
  const values = { seconds, minutes: Math.floor(seconds / 60), reason: store.refusal };
  const age = seconds < 60 ? gettext("saved ✓ {seconds} s ago", values) : gettext("saved ✓ {minutes} min ago", values);
  const saved = store.savedAt === null ? gettext("saved ✓") : age;
  const text = {
    idle: store.graded ? gettext("saved ✓") : gettext("nothing to save yet"),
    saving: store.savedAt === null ? gettext("saving…") : saved,
    saved,
    offline: gettext("offline – kept here, will be sent"),
    refused: gettext("not saved: {reason} Press Next.", values),
  }[store.state];
  const element = $("#saved");
  // Spoken when the state changes, not every second.
  element.setAttribute("aria-live", element.dataset.state === store.state ? "off" : "polite");
  element.dataset.state = store.state;
  say(element, text);
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
  if (element.matches("input[type=range]")) return element.id === "volume" || element.closest(".handle");
  if (element.matches("[role=slider]")) return name.startsWith("Arrow");
  return name === " " && element.matches(".foot button, .strip button, #loop, #whole, .same");
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
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("#help").open) return;
    if (event.target.matches("input[type=text], textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "?") {
      event.preventDefault();
      $("#help").showModal();
      return;
    }
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (takesKey(event.target, name)) return;
    if (options.key(name, event.shiftKey)) event.preventDefault();
  });
  store.addEventListener("state", showSaved);
  store.addEventListener("grade", () => {
    options.restored();
    refresh();
  });
  setInterval(showSaved, 1000);
  note("open", { restored: store.graded });
  options.restored();
  refresh();
  showSaved();
  store.retry();
}

/** Tie the volume slider to whatever plays. `changed` gets the linear gain, now and on every change. */
export function volume(changed) {
  volumeControl($("#volume"), $("#volume-value"), changed);
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
    attempt();
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
