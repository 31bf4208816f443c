/* Setting the sound: speech of the study at the level of the test, then on each side alone. */

import { volumeControl } from "../rating/volume.js";
import { gettext } from "../rating/words.js";
import { Sounds } from "./sounds.js";

const form = document.querySelector("#sound-check");
const status = form.querySelector("#volume-status");
const speech = form.querySelector("#speech-play");
const buttons = [
  [speech, null],
  [form.querySelector("#play-left"), -1],
  [form.querySelector("#play-right"), 1],
];
const sounds = new Sounds();
volumeControl(form.querySelector("#volume"), form.querySelector("#volume-value"), (gain) => sounds.setLevel(gain));

function show(active) {
  for (const [button] of buttons) button.setAttribute("aria-pressed", button === active);
}

for (const [button, pan] of buttons) {
  button.disabled = false;
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-pressed") === "true") {
      sounds.stop();
      show(null);
      return;
    }
    status.textContent = "";
    show(button);
    try {
      await sounds.play(form.dataset.speech, { pan, ended: () => show(null) });
    } catch {
      show(null);
      status.textContent = gettext("The sound could not be loaded. Press the button to try again.");
    }
  });
}
document.querySelector(".question.wrong input")?.focus();
