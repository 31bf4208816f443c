/* BS.1116: A is the reference, one of B and C is it again. Both are graded, one of them 5.0. */

import { isLeaving, note, page, store } from "../rating/frame.js";
import { say } from "../rating/text.js";
import { gettext } from "../rating/words.js";
import { frame, hasHeard, refresh } from "./frame.js";
import { Switching } from "./switching.js";

const HIGHEST = 5;
const LOWEST = 1;
/* Where the first key press puts a grade that isn't there yet. */
const FIRST_GRADE = 3;

const labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
const keys = page.stimuli.map(({ key }) => key);
const columns = new Map([...document.querySelectorAll(".column")].map((column) => [column.dataset.key, column]));
const buttons = new Map([...document.querySelectorAll(".pick")].map((button) => [button.dataset.name, button]));

const tenths = (score) => Math.round(score * 10) / 10;

function show() {
  for (const [key, column] of columns) {
    const score = store.score(key);
    const slider = column.querySelector("input");
    const graded = score !== null;
    const sounding = switching?.sounding === key;
    const label = labels.get(key);
    column.classList.toggle("graded", graded);
    column.classList.toggle("sounding", sounding);
    if (graded) slider.value = score;
    slider.disabled = !sounding;
    slider.setAttribute("aria-label", graded ? label : gettext("{label}, no grade yet", { label }));
    slider.setAttribute("aria-valuetext", graded ? score.toFixed(1) : gettext("no grade yet"));
    say(column.querySelector(".grade"), graded ? score.toFixed(1) : "–");
    column.querySelector(".same").disabled = !sounding;
  }
  for (const [name, button] of buttons) button.classList.toggle("heard", hasHeard(name));
}

function missing() {
  show();
  const left = page.sounds.filter(({ name }) => !hasHeard(name));
  if (left.length) {
    const names = left.map(({ label }) => label).join(", ");
    return [{ text: gettext("still to hear: {names}", { names }), focus: buttons.get(left[0].name) }];
  }
  const ungraded = keys.filter((key) => store.score(key) === null);
  if (ungraded.length) {
    const names = ungraded.map((key) => labels.get(key)).join(", ");
    return [{ text: gettext("still to grade: {names}", { names }), focus: buttons.get(ungraded[0]) }];
  }
  if (!keys.some((key) => store.score(key) === HIGHEST)) {
    return [{ text: gettext("grade the one that is the reference 5.0"), focus: buttons.get(keys[0]) }];
  }
  return [];
}

/** Grade what is sounding; anything else stays as it is. */
function grade(key, score) {
  if (isLeaving() || switching.sounding !== key) {
    show();
    return;
  }
  const value = tenths(Math.min(HIGHEST, Math.max(LOWEST, score)));
  if (value === store.score(key)) return;
  store.grade(key, value);
  refresh({ forget: true });
}

const noteGrade = (key) => note("grade", { sound: key, score: store.score(key) });

function nudge(step) {
  const key = switching.sounding;
  if (!columns.has(key)) return;
  const score = store.score(key);
  grade(key, score === null ? FIRST_GRADE : score + step);
  noteGrade(key);
}

for (const [key, column] of columns) {
  const slider = column.querySelector("input");
  slider.addEventListener("input", () => grade(key, Number(slider.value)));
  // A click in the middle of a slider without a grade changes no value, so there is no input event.
  slider.addEventListener("pointerup", () => {
    if (!slider.disabled && store.score(key) === null) grade(key, Number(slider.value));
  });
  slider.addEventListener("change", () => noteGrade(key));
  column.querySelector(".same").addEventListener("click", () => {
    grade(key, HIGHEST);
    noteGrade(key);
  });
}

let switching = null;
switching = new Switching(show);
frame({
  missing,
  restored: show,
  key(name, shift) {
    const step = shift ? 0.5 : 0.1;
    if (name === "ArrowUp") nudge(step);
    else if (name === "ArrowDown") nudge(-step);
    else if (/^[1-5]$/.test(name)) {
      const key = switching.sounding;
      if (!columns.has(key)) return true;
      grade(key, Number(name));
      noteGrade(key);
    } else return switching.key(name);
    return true;
  },
});
