/* The rating page: ties the player, the grades and the waveform to what the listener sees and does. */

import { Player, loadSounds } from "./player.js";
import { Refused, Store } from "./store.js";
import { volumeControl } from "./volume.js";
import { Waveform } from "./waveform.js";

const REFERENCE = "reference";
/* Where the first key press puts a grade that isn't there yet. */
const FIRST_GRADE = 50;

const page = JSON.parse(document.querySelector("#page").textContent);
const opened = performance.now();
const $ = (selector) => document.querySelector(selector);
const store = new Store(page);
const waveform = new Waveform($("#wave"));
const labels = new Map([[REFERENCE, "Reference"], ...page.stimuli.map(({ key, label }) => [key, `Stimulus ${label}`])]);
const columns = new Map([...document.querySelectorAll(".column")].map((column) => [column.dataset.key, column]));
const context = new AudioContext();
let player = null;
let level = 1; // linear gain
let problem = "";
let leaving = false;

const note = (kind, detail) => store.event(kind, performance.now() - opened, detail);

function band(score) {
  return ["Bad", "Poor", "Fair", "Good", "Excellent"][Math.min(4, Math.floor(score / 20))];
}

function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const two = (value) => String(value).padStart(2, "0");
  return `${two(Math.floor(tenths / 600))}:${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
}

/** Change text only when it differs: a live region would speak it again. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// -- What is shown

function showGrade(key) {
  const score = store.score(key);
  const column = columns.get(key);
  const slider = column.querySelector("input");
  const graded = score !== null;
  column.classList.toggle("graded", graded);
  if (graded) slider.value = score;
  slider.style.setProperty("--at", graded ? score / 100 : 0);
  slider.setAttribute("aria-label", graded ? labels.get(key) : `${labels.get(key)}, no grade yet`);
  slider.setAttribute("aria-valuetext", graded ? `${score}, ${band(score)}` : "no grade yet");
  say(column.querySelector(".grade"), graded ? String(score) : "–");
}

function showMissing() {
  const missing = store.missing.length;
  const total = labels.size - 1;
  const text = missing ? `${missing} of ${total} still to hear and grade` : `all ${total} heard and graded`;
  say($("#missing"), problem || text);
  $("#missing").classList.toggle("problem", Boolean(problem));
  $("#next").toggleAttribute("data-waiting", missing > 0 || leaving);
}

function showSaved() {
  const seconds = store.savedAt === null ? 0 : Math.floor((Date.now() - store.savedAt) / 1000);
  const age = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  const saved = store.savedAt === null ? "saved ✓" : `saved ✓ ${age} ago`;
  const text = {
    idle: store.graded ? "saved ✓" : "nothing to save yet",
    saving: store.savedAt === null ? "saving…" : saved,
    saved,
    offline: `offline – ${store.unsaved === 1 ? "1 grade" : `${store.unsaved} grades`} kept here, will be sent`,
    refused: `not saved: ${store.refusal} Press Next.`,
  }[store.state];
  const element = $("#saved");
  // Spoken when the state changes, not every second.
  if (element.dataset.state !== store.state) {
    element.setAttribute("aria-live", "polite");
    element.dataset.state = store.state;
  } else {
    element.setAttribute("aria-live", "off");
  }
  say(element, text);
}

function showPlayer() {
  const sounding = player.sounding;
  $("#rating").classList.toggle("playing", player.playing);
  say($("#play span"), player.playing ? "Pause" : "Play");
  $("#loop").setAttribute("aria-pressed", player.looping);
  $("#whole").disabled = !player.hasRegion;
  waveform.showLoop(player.loopStart, player.loopEnd, player.hasRegion);
  $("#reference").setAttribute("aria-pressed", player.selected === REFERENCE);
  $("#reference").classList.toggle("sounding", sounding === REFERENCE);
  for (const [key, column] of columns) {
    column.classList.toggle("sounding", key === sounding);
    column.classList.toggle("selected", key === player.selected);
    column.querySelector("input").disabled = key !== sounding;
    column.querySelector(".pick").setAttribute("aria-pressed", key === player.selected);
  }
  showSounding();
  showTime();
}

function showSounding() {
  const name = labels.get(player.selected);
  let text;
  if (!player.playing) text = `${name} is paused`;
  else if (player.selected === REFERENCE) text = "Reference is sounding";
  else if (store.score(player.selected) === null) text = `${name} is sounding: grade it`;
  else text = `${name} is sounding`;
  say($("#sounding"), text);
}

function showTime() {
  const position = player.position();
  waveform.show(position);
  say($("#time"), clock(position));
}

// -- What the listener does

async function start() {
  if (context.state !== "running") {
    // Without an output device, resuming takes for ever.
    await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, 3000))]);
    if (context.state !== "running") {
      say($("#sounding"), "no sound: check the output, press play");
      return;
    }
  }
  player.play();
  note("play", { sound: player.selected, at: player.position() });
}

function pause() {
  player.pause();
  note("pause", { sound: player.selected, at: player.position() });
}

async function hear(name) {
  if (!player) return;
  if (name !== player.selected) {
    player.select(name);
    note("switch", { sound: name, at: player.position() });
  }
  if (!player.playing) await start();
}

function neighbour(step) {
  const names = [...labels.keys()];
  const index = names.indexOf(player.selected) + step;
  if (index >= 0 && index < names.length) hear(names[index]);
}

/** Grade the stimulus that is sounding; any other stays as it is. */
function grade(key, score) {
  if (leaving || player?.sounding !== key) {
    showGrade(key);
    return;
  }
  const value = Math.min(100, Math.max(0, score));
  if (value === store.score(key)) return;
  problem = "";
  store.grade(key, value);
  showGrade(key);
  showMissing();
  showSounding();
  showSaved();
}

function nudge(step) {
  const key = player?.sounding;
  if (!key || key === REFERENCE) return;
  const score = store.score(key);
  grade(key, score === null ? FIRST_GRADE : score + step);
  noteGrade(key);
}

function noteGrade(key) {
  note("grade", { sound: key, score: store.score(key) });
}

function loop(start, end) {
  if (player.setLoop(start, end)) note("loop", { start: player.loopStart, end: player.loopEnd });
  else say($("#sounding"), "A loop needs 500 ms or more");
  waveform.showLoop(player.loopStart, player.loopEnd, player.hasRegion);
}

function wholeLoop() {
  if (!player.hasRegion) return;
  player.clearLoop();
  note("loop", { start: 0, end: player.duration });
}

async function next() {
  const missing = store.missing;
  if (leaving) return;
  if (store.state === "refused") {
    // Finished in another tab, or the test was closed meanwhile: the server knows what comes next.
    window.location.reload();
    return;
  }
  if (missing.length) {
    const numbers = missing.map((key) => labels.get(key).replace("Stimulus ", ""));
    problem = `Still to hear and grade: ${numbers.join(", ")}`;
    showMissing();
    columns.get(missing[0]).querySelector(".pick").focus();
    return;
  }
  leaving = true;
  problem = "Saving…";
  showMissing();
  try {
    if (player?.playing) pause();
    await store.settled();
    if (store.state === "refused") throw new Error(store.refusal);
    note("finish");
    window.location.assign(await store.finish());
  } catch (error) {
    leaving = false;
    if (error instanceof Refused) store.refuse(error);
    const final = store.state === "refused";
    problem = final ? error.message : "Could not reach the server. Your grades are kept: press Next again.";
    showMissing();
  }
}

const KEYS = {
  r: () => hear(REFERENCE),
  0: () => hear(REFERENCE),
  " ": () => (player.playing ? pause() : start()),
  a: () => loop(player.position(), player.loopEnd),
  b: () => loop(player.loopStart, player.position()),
  ArrowLeft: () => neighbour(-1),
  h: () => neighbour(-1),
  ArrowRight: () => neighbour(1),
  l: () => neighbour(1),
  ArrowUp: (big) => nudge(big ? 10 : 1),
  k: (big) => nudge(big ? 10 : 1),
  ArrowDown: (big) => nudge(big ? -10 : -1),
  j: (big) => nudge(big ? -10 : -1),
  Escape: wholeLoop,
  Backspace: wholeLoop,
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("#help").open) return;
  const typing = event.target.matches("input[type=text], textarea");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?") {
    event.preventDefault();
    $("#help").showModal();
    return;
  }
  // Enter and space work the button in focus. Space on a number would only hear it again.
  if (event.key === " " && event.target.matches(".foot button, .strip button, #loop, #whole")) return;
  if (event.target === $("#volume")) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = KEYS[name] ?? (/^[1-9]$/.test(name) && page.stimuli[name - 1] && (() => hear(page.stimuli[name - 1].key)));
  if (!action || !player) return;
  event.preventDefault();
  action(event.shiftKey);
}

// -- Setting up

for (const [key, column] of columns) {
  const slider = column.querySelector("input");
  slider.addEventListener("input", () => grade(key, Number(slider.value)));
  // A click in the middle of a slider without a grade changes no value, so there is no input event.
  slider.addEventListener("pointerup", () => {
    if (!slider.disabled && store.score(key) === null) grade(key, Number(slider.value));
  });
  slider.addEventListener("change", () => noteGrade(key));
  column.querySelector(".pick").addEventListener("click", () => hear(key));
  showGrade(key);
}
volumeControl($("#volume"), $("#volume-value"), (gain) => {
  level = gain;
  player?.setVolume(gain);
});
$("#reference").addEventListener("click", () => hear(REFERENCE));
$("#play").addEventListener("click", () => (player.playing ? pause() : start()));
$("#loop").addEventListener("click", () => {
  player.setLooping(!player.looping);
  note("looping", { on: player.looping });
});
$("#whole").addEventListener("click", wholeLoop);
$("#next").addEventListener("click", next);
$("#trouble button").addEventListener("click", prepare);
$("#help-button").addEventListener("click", () => $("#help").showModal());
$("#comment").value = store.comment;
$("#comment").addEventListener("input", (event) => store.setComment(event.target.value));
document.addEventListener("keydown", pressed);
waveform.addEventListener("seek", ({ detail }) => {
  player.seek(detail);
  note("seek", { at: detail });
});
waveform.addEventListener("loop", ({ detail }) => loop(detail.start, detail.end));
store.addEventListener("state", showSaved);
store.addEventListener("grade", ({ detail }) => {
  showGrade(detail);
  showMissing();
});
setInterval(showSaved, 1000);
note("open", { restored: store.graded });
showMissing();
showSaved();
store.retry();

async function prepare() {
  const urls = new Map([[REFERENCE, page.reference.url], ...page.stimuli.map(({ key, url }) => [key, url])]);
  let sounds;
  $("#trouble").hidden = true;
  try {
    sounds = await loadSounds(context, urls, (ready, total) => {
      say($("#sounding"), `preparing ${ready} of ${total} sounds`);
    });
  } catch (error) {
    note("load-failed");
    say($("#sounding"), "");
    say($("#trouble p"), error.message);
    $("#trouble").hidden = false;
    return;
  }
  player = new Player(context, sounds);
  player.setVolume(level);
  waveform.ready(sounds.get(REFERENCE), player.duration);
  say($("#duration"), clock(player.duration));
  for (const button of document.querySelectorAll("#play, #loop, #reference, .pick")) button.disabled = false;
  player.addEventListener("change", showPlayer);
  player.addEventListener("end", () => note("end", { sound: player.selected }));
  // A phone call or the system may take the sound away: then nothing is sounding, and nothing can be graded.
  context.addEventListener("statechange", () => {
    if (context.state !== "running" && player.playing) pause();
  });
  showPlayer();
  say($("#sounding"), "ready: press a number");
  note("ready");
  const tick = () => {
    if (player.playing) showTime();
    requestAnimationFrame(tick);
  };
  tick();
}

prepare();
