/* A round of the headphone screening: three intervals in one file; the answer after all of them were heard. */

import { Solo } from "../audio/solo.js";
import { keptVolume, linear } from "../audio/volume.js";
import { find, findAll } from "../common/dom.js";
import { gettext } from "../common/words.js";

const form = find("#screening", HTMLFormElement);
const play = find("#screening-play", HTMLButtonElement);
const example = document.querySelector("#example-play");
const status = find("#screening-status");
const intervals = find("#intervals", HTMLFieldSetElement);
const answers = findAll("button", HTMLButtonElement, intervals);
const length = Number(form.dataset.interval);
const period = length + Number(form.dataset.gap);
const solo = new Solo(linear(keptVolume()));
/* What follows when the sound that plays is over. */
let then = () => {};
let isTest = false;

/** Show which interval sounds, while the test does. */
function highlight() {
  const index = Math.floor(solo.position / period);
  const sounding = isTest && solo.position - index * period < length ? index : -1;
  answers.forEach((button, i) => button.toggleAttribute("data-sounding", i === sounding));
  if (isTest) requestAnimationFrame(highlight);
}

function rest() {
  isTest = false;
  highlight();
  play.disabled = false;
}

/**
 * @param {string} url
 * @param {object} options
 * @param {boolean} options.test
 * @param {() => void} options.over
 */
async function sound(url, { test, over }) {
  rest();
  status.textContent = "";
  play.disabled = true;
  then = over;
  try {
    isTest = (await solo.play(url)) && test;
    highlight();
  } catch {
    rest();
    status.textContent = gettext("The sound could not be loaded. Press the button to try again.");
  }
}

solo.on("stop", (over) => {
  rest();
  if (over) then();
});
play.disabled = false;
play.addEventListener("click", () =>
  sound(form.dataset.sound ?? "", {
    test: true,
    over() {
      intervals.disabled = false;
      status.textContent = gettext("Choose one.");
      answers[0].focus();
    },
  }),
);
if (example instanceof HTMLButtonElement) {
  example.disabled = false;
  example.addEventListener("click", () => sound(form.dataset.example ?? "", { test: false, over: () => play.focus() }));
}
form.addEventListener("submit", (event) => {
  if (form.dataset.sent) event.preventDefault(); // a double click
  form.dataset.sent = "yes";
});
