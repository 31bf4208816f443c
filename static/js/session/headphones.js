/* A round of the headphone screening: three intervals in one file; the answer after all of them were heard. */

import { keptVolume } from "../rating/volume.js";
import { gettext } from "../rating/words.js";
import { Sounds } from "./sounds.js";

const form = document.querySelector("#screening");
const play = form.querySelector("#screening-play");
const example = form.querySelector("#example-play");
const status = form.querySelector("#screening-status");
const intervals = form.querySelector("#intervals");
const answers = [...intervals.querySelectorAll("button")];
const period = Number(form.dataset.interval) + Number(form.dataset.gap);
const sounds = new Sounds(keptVolume());
let clock = null;

function highlight(index) {
  answers.forEach((button, i) => button.toggleAttribute("data-sounding", i === index));
}

function rest() {
  clearInterval(clock);
  highlight(-1);
}

async function sound(url, begun, ended) {
  rest();
  status.textContent = "";
  play.disabled = true;
  try {
    await sounds.play(url, {
      ended: () => {
        rest();
        play.disabled = false;
        ended();
      },
    });
    begun();
  } catch {
    rest();
    play.disabled = false;
    status.textContent = gettext("The sound could not be loaded. Press the button to try again.");
  }
}

play.disabled = false;
play.addEventListener("click", () =>
  sound(
    form.dataset.sound,
    () => {
      const start = performance.now();
      highlight(0);
      clock = setInterval(() => {
        const seconds = (performance.now() - start) / 1000;
        const index = Math.floor(seconds / period);
        highlight(seconds - index * period < Number(form.dataset.interval) ? index : -1);
      }, 50);
    },
    () => {
      intervals.disabled = false;
      status.textContent = gettext("Choose one.");
      answers[0].focus();
    },
  ),
);
if (example) {
  example.disabled = false;
  example.addEventListener("click", () => sound(form.dataset.example, () => {}, () => play.focus()));
}
form.addEventListener("submit", (event) => {
  if (form.dataset.sent) event.preventDefault(); // a double click
  form.dataset.sent = "yes";
});
