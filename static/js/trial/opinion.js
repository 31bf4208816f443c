/* Hear the recording, or the pair, to its end, then grade it. */

import { Player } from "../audio/player.js";
import { join } from "../audio/sequence.js";
import { find, findAll } from "../common/dom.js";
import { say } from "../common/text.js";
import { gettext } from "../common/words.js";
import { Answers } from "./answers.js";
import { markHeard } from "./hearing.js";
import { $, controlVolume, fetchSounds, focusFirst, isLeaving, note, openTrial, page, refresh, showWhilePlaying, startPlaying, store } from "./page.js";

const ALL = "all";

/** Open the page of a method whose listeners grade what they have heard once through. */
export async function openOpinion() {
  const answers = new Answers(Number, (score) => note("grade", { sound: answers.key, score }));
  const parts = new Map(findAll("#parts li").map((part) => [part.dataset.name ?? "", part]));
  const button = find("#play", HTMLButtonElement);
  const context = new AudioContext();
  const player = new Player(context);
  /** @type {ReturnType<typeof join>["spans"]} */
  let spans = [];
  /* The sign before the digit of a grade, where it has been typed. */
  let sign = "";

  const isHeard = () => store.heard(ALL);
  const isUsed = () => Boolean(page.once) && isHeard();

  function show() {
    answers.show(!isHeard());
    if (!player.duration) return;
    const { playing } = player;
    $("#rating").classList.toggle("playing", playing);
    button.disabled = isUsed() || (Boolean(page.once) && playing);
    const again = isHeard() ? gettext("Play again") : gettext("Play");
    say($("#play span"), playing && !page.once ? gettext("Stop") : again);
  }

  function showTime() {
    const position = player.position();
    for (const { name, start, end } of spans) {
      const share = player.playing ? Math.min(1, Math.max(0, (position - start) / (end - start))) : 0;
      const part = parts.get(name);
      if (!part) continue;
      find("i", HTMLElement, part).style.width = `${100 * share}%`;
      part.classList.toggle("sounding", player.playing && position >= start && position < end);
    }
    if (!player.playing) return;
    const now = spans.findLast(({ start }) => position >= start);
    const label = page.sounds.find(({ name }) => name === now?.name)?.label ?? "";
    say($("#sounding"), spans.length > 1 ? gettext("{label} is playing", { label }) : gettext("playing"));
  }

  async function toggle() {
    if (button.disabled || isLeaving()) return;
    if (player.playing) {
      stop();
      return;
    }
    player.seek(0);
    const started = await startPlaying(player);
    if (started) note("play", { sound: ALL, ...started });
  }

  /** A recording that was stopped starts over: half of it, or half a pair, can't be judged. */
  function stop() {
    if (!player.playing) return;
    note("stop", { at: player.position() });
    player.pause();
    player.seek(0);
    say($("#sounding"), gettext("stopped: it starts over"));
  }

  button.addEventListener("click", toggle);
  player.setLooping(false);
  controlVolume(player);
  player.on("change", () => {
    refresh();
    showTime();
  });
  player.on("end", () => {
    note("end");
    markHeard(ALL);
    say($("#sounding"), gettext("heard: now grade it"));
  });
  // A phone call or the system may take the sound away: then it starts over.
  player.on("interrupt", stop);
  showWhilePlaying(player, showTime);
  openTrial({
    missing() {
      if (!isHeard()) return [{ text: gettext("listen to the end first"), focus: button }];
      if (!answers.isGiven) return [{ text: gettext("choose a grade"), focus: answers.first }];
      return [];
    },
    show,
    silence: stop,
    key(name) {
      const before = sign;
      sign = "";
      if (name === " ") toggle();
      else if (name === "-" || name === "−") sign = "-";
      else if (/^[0-9]$/.test(name)) answers.choose(answers.with(String(Number(before + name))));
      else return answers.work(name);
      return true;
    },
  });
  const sequence = join(context, [...(await fetchSounds(context, page.sounds))]);
  spans = sequence.spans;
  player.select(ALL);
  player.add(ALL, sequence.buffer);
  say($("#sounding"), isUsed() ? gettext("heard: now grade it") : gettext("ready: press play"));
  focusFirst(button);
}
