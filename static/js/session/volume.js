/* Setting the sound: speech of the study at the level of the test, then on each side alone. */

import { Solo } from "../audio/solo.js";
import { volumeControl } from "../audio/volume.js";
import { find, findAll } from "../common/dom.js";
import { gettext } from "../common/words.js";

const form = find("#sound-check", HTMLFormElement);
const status = find("#volume-status");
/** @type {[HTMLButtonElement, number][]} */
const buttons = [
  [find("#speech-play", HTMLButtonElement), 0],
  [find("#play-left", HTMLButtonElement), -1],
  [find("#play-right", HTMLButtonElement), 1],
];
const solo = new Solo();
volumeControl(find("#volume", HTMLInputElement), find("#volume-value"), (gain) => solo.setLevel(gain));

/** @param {HTMLButtonElement | null} active */
function show(active) {
  for (const [button] of buttons) button.setAttribute("aria-pressed", String(button === active));
}

solo.on("stop", () => show(null));
for (const [button, pan] of buttons) {
  button.disabled = false;
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-pressed") === "true") {
      solo.stop();
      show(null);
      return;
    }
    status.textContent = "";
    show(button);
    try {
      await solo.play(form.dataset.speech ?? "", { pan });
    } catch {
      show(null);
      status.textContent = gettext("The sound could not be loaded. Press the button to try again.");
    }
  });
}
findAll(".question.wrong input")[0]?.focus();
