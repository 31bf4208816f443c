/* ABX and paired preference: hear all, then choose. */

import { $, isLeaving, note, page, store } from "../rating/frame.js";
import { gettext } from "../rating/words.js";
import { frame, hasHeard, refresh } from "./frame.js";
import { Switching } from "./switching.js";

const ANSWER = page.stimuli[0].key;
const radios = [...document.querySelectorAll("#answers input")];
const buttons = new Map([...document.querySelectorAll(".pick")].map((button) => [button.dataset.name, button]));

const unheard = () => page.sounds.filter(({ name }) => !hasHeard(name));

function show() {
  const left = unheard();
  const answer = store.score(ANSWER);
  for (const radio of radios) {
    radio.disabled = left.length > 0;
    radio.checked = radio.value === answer;
  }
  for (const [name, button] of buttons) button.classList.toggle("heard", hasHeard(name));
  $("#answers").classList.toggle("waiting", left.length > 0);
}

function missing() {
  show();
  const left = unheard();
  if (left.length) {
    const names = left.map(({ label }) => label).join(", ");
    return [{ text: gettext("still to hear: {names}", { names }), focus: buttons.get(left[0].name) }];
  }
  if (store.score(ANSWER) === null) return [{ text: gettext("choose an answer"), focus: radios[0] }];
  return [];
}

function choose(radio) {
  if (!radio || radio.disabled || isLeaving() || radio.value === store.score(ANSWER)) return false;
  store.grade(ANSWER, radio.value);
  note("choose", { answer: radio.value });
  refresh({ forget: true });
  return true;
}

for (const radio of radios) radio.addEventListener("change", () => choose(radio));

const switching = new Switching(show);
frame({
  missing,
  restored: show,
  key(name) {
    if (/^[1-9]$/.test(name)) {
      choose(radios[name - 1]);
      return true;
    }
    return switching.key(name);
  },
});
