/* ACR, DCR and CCR: hear the recording, or the pair, to its end, then grade it. */

import { $, isLeaving, lockVolume, note, page, running, store, volume } from "../rating/frame.js";
import { Player } from "../rating/player.js";
import { say } from "../rating/text.js";
import { gettext } from "../rating/words.js";
import { frame, hasHeard, markHeard, refresh, sounds } from "./frame.js";
import { joined } from "./sequence.js";

const ALL = "all";
const KEY = page.stimuli[0].key;
const radios = [...document.querySelectorAll("#answers input")];
const parts = new Map([...document.querySelectorAll("#parts li")].map((part) => [part.dataset.name, part]));
const context = new AudioContext();
let player = null;
let spans = [];
let level = 1;

const used = () => page.once && hasHeard(ALL);

function show() {
  const heard = hasHeard(ALL);
  const score = store.score(KEY);
  for (const radio of radios) {
    radio.disabled = !heard;
    radio.checked = score !== null && Number(radio.value) === score;
  }
  $("#answers").classList.toggle("waiting", !heard);
  if (!player) return;
  $("#rating").classList.toggle("playing", player.playing);
  $("#play").disabled = used() || (page.once && player.playing);
  const again = heard ? gettext("Play again") : gettext("Play");
  say($("#play span"), player.playing && !page.once ? gettext("Stop") : again);
}

function showTime() {
  const position = player.position();
  for (const { name, start, end } of spans) {
    const share = player.playing ? Math.min(1, Math.max(0, (position - start) / (end - start))) : 0;
    parts.get(name).querySelector("i").style.width = `${100 * share}%`;
    parts.get(name).classList.toggle("sounding", player.playing && position >= start && position < end);
  }
  if (!player.playing) return;
  const now = spans.findLast(({ start }) => position >= start);
  const label = page.sounds.find(({ name }) => name === now.name).label;
  say($("#sounding"), spans.length > 1 ? gettext("{label} is playing", { label }) : gettext("playing"));
}

function missing() {
  show();
  if (!hasHeard(ALL)) return [{ text: gettext("listen to the end first"), focus: $("#play") }];
  if (store.score(KEY) === null) return [{ text: gettext("choose a grade"), focus: radios[0] }];
  return [];
}

async function toggle() {
  if (!player || $("#play").disabled || isLeaving()) return;
  if (player.playing) {
    stop();
    return;
  }
  if (!(await running(context))) return;
  const decibels = lockVolume();
  player.seek(0);
  player.play();
  note("play", { sound: ALL, decibels });
}

/** A recording that was stopped starts over: half of it, or half a pair, can't be judged. */
function stop() {
  note("stop", { at: player.position() });
  player.pause();
  player.seek(0);
  say($("#sounding"), gettext("stopped: it starts over"));
}

function grade(radio) {
  if (!radio || radio.disabled || isLeaving()) return;
  const score = Number(radio.value);
  if (score === store.score(KEY)) return;
  store.grade(KEY, score);
  note("grade", { sound: KEY, score });
  refresh({ forget: true });
}

for (const radio of radios) radio.addEventListener("change", () => grade(radio));
$("#play").addEventListener("click", toggle);
document.addEventListener("leaving", () => player?.playing && stop());
volume((gain) => {
  level = gain;
  player?.setVolume(gain);
});

frame({
  missing,
  restored: show,
  key(name) {
    if (name === " ") toggle();
    else if (/^[1-7]$/.test(name)) {
      const answers = page.method === "ccr" ? radios[name - 1] : radios.find((radio) => radio.value === name);
      grade(answers);
    } else return false;
    return true;
  },
});

async function prepare() {
  const buffers = await sounds(context);
  const sequence = joined(context, page.sounds.map(({ name }) => [name, buffers.get(name)]));
  spans = sequence.spans;
  player = new Player(context, new Map([[ALL, sequence.buffer]]));
  player.setLooping(false);
  player.setVolume(level);
  player.addEventListener("change", () => {
    show();
    showTime();
  });
  player.addEventListener("end", () => {
    note("end");
    markHeard(ALL);
    say($("#sounding"), gettext("heard: now grade it"));
  });
  // A phone call or the system may take the sound away: then it starts over.
  context.addEventListener("statechange", () => {
    if (context.state !== "running" && player.playing) stop();
  });
  show();
  refresh();
  say($("#sounding"), used() ? gettext("heard: now grade it") : gettext("ready: press play"));
  const tick = () => {
    if (player.playing) showTime();
    requestAnimationFrame(tick);
  };
  tick();
}

prepare();
