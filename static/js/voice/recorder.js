/* Your own voice: consent, record or choose a file, listen to it, send it. Without this script the form sends a file. */

import { find } from "../common/dom.js";
import { quantity, say } from "../common/text.js";
import { explain, Recording, whyNot } from "./microphone.js";

const form = find("[data-recorder]", HTMLFormElement);
const consent = find("[name=consent]", HTMLInputElement, form);
const chosen = find("[name=file]", HTMLInputElement, form);
const recordButton = find("[data-record]", HTMLButtonElement, form);
const recordText = find("[data-text]", HTMLElement, recordButton);
const sendButton = find("[data-send]", HTMLButtonElement, form);
const meter = find("[data-meter]", HTMLElement, form);
const time = find("[data-time]", HTMLElement, form);
const level = find("[data-level]", HTMLMeterElement, form);
const preview = find("[data-preview]", HTMLAudioElement, form);
const status = find("[data-status]", HTMLElement, form);
const most = Number(form.dataset.seconds);
const obstacle = whyNot();

/** @type {Recording | null} */
let recording = null;
/** @type {Blob | null} what would be sent */
let sound = null;
let asking = false;
let sending = false;

function show() {
  const agreed = consent.checked;
  recordButton.disabled = Boolean(obstacle) || !agreed || asking || sending;
  chosen.disabled = !agreed || Boolean(recording) || sending;
  sendButton.disabled = !agreed || !sound || Boolean(recording) || sending;
  recordButton.classList.toggle("recording", Boolean(recording));
  say(recordText, recording ? "Stop" : sound ? "Record again" : "Record");
  meter.hidden = !recording;
  preview.hidden = !sound || Boolean(recording);
}

/** @param {Blob | null} taken */
function take(taken) {
  sound = taken;
  if (preview.src) URL.revokeObjectURL(preview.src);
  if (taken) preview.src = URL.createObjectURL(taken);
  else preview.removeAttribute("src");
  show();
}

function stop() {
  if (!recording) return;
  const wav = recording.stop();
  recording = null;
  take(wav);
  say(status, "Recorded. Listen to it, and send it or record again.");
}

async function record() {
  asking = true;
  chosen.value = "";
  preview.pause();
  take(null);
  say(status, "");
  try {
    recording = await Recording.begin(most);
    recording.on("level", ({ seconds, peak }) => {
      say(time, `${seconds.toFixed(1)} of ${quantity(most, "s")}`);
      level.value = peak;
    });
    recording.on("full", stop);
    say(status, "Recording: speak now.");
  } catch (error) {
    say(status, explain(error));
  }
  asking = false;
  show();
}

async function send() {
  if (!sound) return;
  sending = true;
  show();
  say(status, "Sending …");
  const body = new FormData(form);
  body.set("consent", "yes");
  body.set("file", sound, sound instanceof File ? sound.name : "voice.wav");
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, credentials: "same-origin" });
    const { url, error } = await answer.json().catch(() => ({}));
    if (!url) throw new Error(error ?? `The server answered ${answer.status}.`);
    window.location.assign(url);
  } catch (error) {
    sending = false;
    say(status, error instanceof TypeError ? "The server could not be reached. Try again." : error instanceof Error ? error.message : String(error));
    show();
  }
}

consent.addEventListener("change", () => {
  if (!consent.checked) stop();
  show();
});
recordButton.addEventListener("click", () => (recording ? stop() : record()));
chosen.addEventListener("change", () => {
  take(chosen.files?.[0] ?? null);
  say(status, "");
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
window.addEventListener("pagehide", () => recording?.stop());
form.classList.add("scripted");
chosen.required = false; // a recording is no chosen file
if (obstacle) say(status, obstacle);
if (chosen.files?.length) take(chosen.files[0]);
show();
form.dataset.ready = "true";
