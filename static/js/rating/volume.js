/* The listening level: chosen once, kept in this browser, the same in every item until changed. */

import { Player, loadSounds } from "./player.js";

const KEY = "earshot:volume";

/** The level in dB that was chosen in this browser, or `otherwise`. */
export function keptVolume(otherwise = -6) {
  try {
    const decibels = Number.parseFloat(localStorage.getItem(KEY));
    return decibels >= -30 && decibels <= 0 ? decibels : otherwise;
  } catch {
    return otherwise;
  }
}

export const linear = (decibels) => 10 ** (decibels / 20);

/** Tie a slider and its read-out to the kept level; `changed` gets the linear gain, now and on every change. */
export function volumeControl(input, output, changed) {
  const show = () => {
    output.textContent = `${input.value.replace("-", "−")} dB`;
    input.setAttribute("aria-valuetext", `${input.value} decibels`);
    changed(linear(Number(input.value)));
  };
  input.value = keptVolume();
  input.disabled = input.hidden; // hidden where the level is locked
  input.addEventListener("input", () => {
    try {
      localStorage.setItem(KEY, input.value);
    } catch {
      // Without storage the level holds for this page.
    }
    show();
  });
  show();
}

/** The instructions page's sound check. */
function soundCheck(section) {
  const button = section.querySelector("#volume-play");
  const status = section.querySelector("#volume-status");
  button.disabled = false;
  let player = null;
  let gain = 1;
  volumeControl(section.querySelector("#volume"), section.querySelector("#volume-value"), (value) => {
    gain = value;
    player?.setVolume(value);
  });
  button.addEventListener("click", async () => {
    try {
      if (!player) {
        const context = new AudioContext();
        await context.resume();
        status.textContent = "preparing the sound…";
        const sounds = await loadSounds(context, new Map([["reference", section.dataset.url]]));
        player = new Player(context, sounds);
        player.setVolume(gain);
        status.textContent = "";
      }
      if (player.playing) player.pause();
      else player.play();
      button.textContent = player.playing ? "Stop" : "Play a sound";
      button.setAttribute("aria-pressed", player.playing);
    } catch (error) {
      status.textContent = `${error.message} Press the button to try again.`;
    }
  });
}

const section = document.querySelector("#volume-check");
if (section) soundCheck(section);
