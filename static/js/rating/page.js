/* The rating page: ties the player, the grades and the waveform to what the listener sees and does. */

import { Columns } from "./columns.js";
import { $, attend, elapsed, isLeaving, leave, lockVolume, note, page, running, showSaved, showTrouble, store, volume } from "./frame.js";
import { listenToKeys } from "./keys.js";
import { Player, loadSounds } from "./player.js";
import { clock, say } from "./text.js";
import { Waveform } from "./waveform.js";
import { gettext } from "./words.js";

const REFERENCE = "reference";
/* Where the first key press puts a grade that isn't there yet. */
const FIRST_GRADE = 50;

const waveform = new Waveform($("#wave"));
const labels = new Map([
  [REFERENCE, gettext("Reference")],
  ...page.stimuli.map(({ key, label }) => [key, gettext("Stimulus {number}", { number: label })]),
]);
const columns = new Columns($("#columns"), labels);
const context = new AudioContext();
let player = null;
let level = 1; // linear gain
let problem = "";
let movedFrom = null; // the grade before the change that is being made

// -- What is shown

function showMissing() {
  const missing = store.missing.length;
  const total = page.stimuli.length;
  const unheard = !store.heard(REFERENCE);
  let text = gettext("all {total} heard and graded", { total });
  if (missing) text = gettext("{count} of {total} still to hear and grade", { count: missing, total });
  else if (unheard) text = gettext("the reference is still to be heard");
  say($("#missing"), problem || text);
  $("#missing").classList.toggle("problem", Boolean(problem));
  columns.showLacking(problem ? store.missing : []);
  $("#next").toggleAttribute("data-waiting", missing > 0 || unheard || isLeaving());
}

function showPlayer() {
  const { playing, sounding, selected } = player;
  $("#rating").classList.toggle("playing", playing);
  say($("#play span"), playing ? gettext("Pause") : gettext("Play"));
  $("#loop").setAttribute("aria-pressed", player.looping);
  $("#whole").disabled = !player.hasRegion;
  waveform.showLoop(player.loopStart, player.loopEnd, player.hasRegion);
  $("#reference").setAttribute("aria-pressed", selected === REFERENCE);
  $("#reference").classList.toggle("sounding", sounding === REFERENCE);
  columns.showSounding(selected, sounding);
  showSounding();
  showTime();
}

function showSounding() {
  const name = labels.get(player.selected);
  let text = gettext("{name} is sounding", { name });
  if (!player.playing) text = gettext("{name} is paused", { name });
  else if (player.selected !== REFERENCE && store.score(player.selected) === null) {
    text = gettext("{name} is sounding: grade it", { name });
  }
  say($("#sounding"), text);
}

function showTime() {
  const position = player.position();
  waveform.show(position);
  say($("#time"), clock(position));
}

function showGrade(key) {
  columns.showGrade(key, store.score(key));
}

// -- What the listener does

async function start() {
  if (!(await running(context))) return;
  const decibels = lockVolume();
  player.play();
  heard();
  note("play", { sound: player.selected, at: player.position(), decibels });
}

function pause() {
  player.pause();
  note("pause", { sound: player.selected, at: player.position() });
}

/** What sounds now counts as heard. */
function heard() {
  store.hear(player.selected);
  showMissing();
}

async function hear(name) {
  if (!player) return;
  if (!player.has(name)) {
    say($("#sounding"), gettext("{name} is still being fetched", { name: labels.get(name) }));
    return;
  }
  if (name !== player.selected) {
    problem = "";
    player.select(name);
    note("switch", { sound: name, at: player.position() });
  }
  if (player.playing) heard();
  else await start();
}

/** Go to the neighbour as the columns stand; the reference is before the first. */
function neighbour(step) {
  if (!player) return;
  const names = [REFERENCE, ...columns.order];
  const index = names.indexOf(player.selected) + step;
  if (index >= 0 && index < names.length) hear(names[index]);
}

/** Grade the stimulus that is sounding; any other stays as it is. */
function grade(key, score) {
  if (isLeaving() || player?.sounding !== key) {
    showGrade(key);
    return;
  }
  const value = Math.min(100, Math.max(0, score));
  const before = store.score(key);
  if (value === before) return;
  movedFrom ??= { score: before, since: Math.round(elapsed()) };
  problem = "";
  store.grade(key, value);
  showGrade(key);
  showMissing();
  showSounding();
  showSaved();
}

function graded(key) {
  if (!movedFrom) return;
  note("grade", { sound: key, score: store.score(key), from: movedFrom.score, since: movedFrom.since });
  movedFrom = null;
}

function nudge(step) {
  const key = player?.sounding;
  if (!key || key === REFERENCE) return;
  const score = store.score(key);
  grade(key, score === null ? FIRST_GRADE : score + step);
  graded(key);
}

function loop(start, end) {
  if (player.setLoop(start, end)) note("loop", { start: player.loopStart, end: player.loopEnd });
  else say($("#sounding"), gettext("A loop needs 500 ms or more"));
  waveform.showLoop(player.loopStart, player.loopEnd, player.hasRegion);
}

function wholeLoop() {
  if (!player?.hasRegion) return;
  player.clearLoop();
  note("loop", { start: 0, end: player.duration });
}

function sort() {
  columns.sort(!columns.sorted, (key) => store.score(key));
  $("#sort").setAttribute("aria-pressed", columns.sorted);
  note("sort", { on: columns.sorted });
}

/** Say what is missing and go there. Returns whether something is. */
function lacking() {
  const missing = store.missing;
  if (missing.length) {
    const numbers = page.stimuli.filter(({ key }) => missing.includes(key)).map(({ label }) => label);
    problem = gettext("Still to hear and grade: {numbers}", { numbers: numbers.join(", ") });
    columns.focus(missing[0]);
  } else if (!store.heard(REFERENCE)) {
    problem = gettext("Hear the reference, too: the grades compare with it.");
    $("#reference").focus();
  } else {
    return false;
  }
  showMissing();
  return true;
}

function next() {
  leave({
    lacking,
    tell(text) {
      problem = text;
      showMissing();
    },
    silence: () => player?.playing && pause(),
    away: gettext("Could not reach the server. Your grades are kept: press Next again."),
  });
}

function playOrPause() {
  if (player?.playing) pause();
  else if (player) start();
}

// -- Setting up

columns.addEventListener("pick", ({ detail }) => hear(detail));
columns.addEventListener("grade", ({ detail }) => grade(detail.key, detail.score));
columns.addEventListener("graded", ({ detail }) => graded(detail));
for (const { key } of page.stimuli) showGrade(key);
volume((gain) => {
  level = gain;
  player?.setVolume(gain);
});
$("#reference").addEventListener("click", () => hear(REFERENCE));
$("#play").addEventListener("click", playOrPause);
$("#loop").addEventListener("click", () => {
  player.setLooping(!player.looping);
  note("looping", { on: player.looping });
});
$("#whole").addEventListener("click", wholeLoop);
$("#sort").addEventListener("click", sort);
$("#trouble button").addEventListener("click", prepare);
listenToKeys({
  reference: () => hear(REFERENCE),
  stimulus: (number) => page.stimuli[number - 1] && (() => hear(page.stimuli[number - 1].key)),
  playOrPause,
  loopStart: (reset) => player && loop(reset ? 0 : player.position(), player.loopEnd),
  loopEnd: (reset) => player && loop(player.loopStart, reset ? player.duration : player.position()),
  neighbour,
  nudge,
  sort,
  wholeLoop,
  help: () => $("#help").showModal(),
});
waveform.addEventListener("seek", ({ detail }) => {
  player.seek(detail);
  note("seek", { at: detail });
});
waveform.addEventListener("loop", ({ detail }) => loop(detail.start, detail.end));
showMissing();
attend({
  next,
  start: prepare,
  silence: () => player?.playing && player.pause(),
  restored(key) {
    showGrade(key);
    showMissing();
  },
});

async function prepare() {
  const urls = new Map([[REFERENCE, page.reference.url], ...page.stimuli.map(({ key, url }) => [key, url])]);
  for (const name of urls.keys()) if (player?.has(name)) urls.delete(name);
  const total = labels.size;
  $("#trouble").hidden = true;
  try {
    await loadSounds(
      context,
      urls,
      (ready, wanted) => {
        if (player?.playing) return;
        say($("#sounding"), gettext("preparing sounds: {ready} of {total}", { ready: total - wanted + ready, total }));
      },
      (name, buffer) => {
        if (player) player.add(name, buffer);
        else ready(name, buffer);
        if (name !== REFERENCE) columns.enable(name);
      },
    );
  } catch (error) {
    showTrouble(error);
    return;
  }
  $("#rating").dataset.ready = "";
  if (!player.playing) say($("#sounding"), gettext("ready: press a number"));
  note("ready");
}

/** The reference has arrived: it can be heard while the others are fetched. */
function ready(name, buffer) {
  player = new Player(context, new Map([[name, buffer]]));
  player.setVolume(level);
  waveform.ready(buffer, player.duration);
  say($("#duration"), clock(player.duration));
  for (const button of document.querySelectorAll("#play, #loop, #reference")) button.disabled = false;
  player.addEventListener("change", showPlayer);
  player.addEventListener("end", () => note("end", { sound: player.selected }));
  // A phone call or the system may take the sound away: then nothing is sounding, and nothing can be graded.
  context.addEventListener("statechange", () => {
    if (context.state !== "running" && player.playing) pause();
  });
  showPlayer();
  const tick = () => {
    if (player.playing) showTime();
    requestAnimationFrame(tick);
  };
  tick();
}
