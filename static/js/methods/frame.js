/* What the trial pages of all methods but MUSHRA share: what was heard, what is missing, keys, sounds. */

import { $, attend, isLeaving, leave, note, page, showTrouble, store } from "../rating/frame.js";
import { meaning } from "../rating/keys.js";
import { loadSounds } from "../rating/player.js";
import { say } from "../rating/text.js";
import { gettext } from "../rating/words.js";

let missing = () => [];
let problem = "";
let begin;
/* This tab is the one that goes on. */
const granted = new Promise((resolve) => {
  begin = resolve;
});

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

/** Show what is missing; `problem` is forgotten once the listener goes on. */
export function refresh({ forget = false } = {}) {
  if (forget) problem = "";
  const left = missing();
  say($("#missing"), problem || (left.length ? left[0].text : gettext("ready for the next one")));
  $("#missing").classList.toggle("problem", Boolean(problem));
  $("#next").toggleAttribute("data-waiting", left.length > 0 || isLeaving());
}

function tell(text) {
  problem = text;
  refresh();
}

/** Say what is missing and go there. Returns whether something is. */
function lacking() {
  const [first] = missing();
  if (!first) return false;
  tell(first.text);
  first.focus?.focus();
  return true;
}

const silence = () => document.dispatchEvent(new Event("leaving"));

function next() {
  const away = gettext("Could not reach the server. Your answer is kept: press Next again.");
  leave({ lacking, tell, silence, away });
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
  document.addEventListener("keydown", (event) => pressed(event, options.key));
  const restored = () => {
    options.restored();
    refresh();
  };
  restored();
  attend({ next, start: begin, silence, restored });
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
        showTrouble(error);
      }
    };
    $("#trouble button").addEventListener("click", attempt);
    granted.then(attempt);
  });
}
