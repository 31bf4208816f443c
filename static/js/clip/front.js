/* A few systems of one clip, a button each: on the front page, and, live while the systems are at work, on the page of
   a visitor's own voice. */

import { find, findAll, readData } from "../common/dom.js";
import { quantity, say } from "../common/text.js";
import { ClipPlayer, ORIGINAL } from "./player.js";

const POLL_MILLISECONDS = 700;
const POLL_AFTER_ERROR_MILLISECONDS = 5000;

/**
 * @typedef {import("./player.js").System & { problem?: string }} Shown why a system made nothing, if it didn't
 * @typedef {{ systems: Shown[], start: string, finished: boolean }} Data
 */

const root = find("[data-front-player]");
/** @type {Data} */
let data = readData("#player-data");
const { start } = data;
const buttons = findAll("[data-play-system]", HTMLElement, root);
const player = new ClipPlayer(root);

function show() {
  for (const button of buttons) {
    const selected = button.dataset.playSystem === player.selected;
    button.setAttribute("aria-pressed", String(selected));
    button.classList.toggle("playing", selected && player.playing);
  }
}

for (const button of buttons) {
  button.addEventListener("click", () => player.playOrPause(button.dataset.playSystem ?? ""));
}
player.on("change", show);
player.listenToKeys(() => data.systems.filter((each) => each.slug !== ORIGINAL && each.audio_url).map(({ slug }) => slug));
player.select(start);
player.setSystems(data.systems);

// -- Live while the systems are at work

/** @param {Data} fresh */
function take(fresh) {
  data = fresh;
  for (const { slug, audio_url: address, kbps, problem } of data.systems) {
    const button = find(`[data-play-system="${slug}"]`, HTMLButtonElement, root);
    if (!button.disabled) continue;
    button.disabled = !address;
    const figures = find("[data-figures]", HTMLElement, button);
    if (address) say(figures, quantity(kbps?.toFixed(1) ?? "–", "kbit/s"));
    else if (problem) say(figures, problem);
    else if (data.finished) say(figures, "not made");
  }
  player.setSystems(data.systems);
}

async function poll() {
  let pause = POLL_MILLISECONDS;
  try {
    const response = await fetch(root.dataset.live ?? "", { credentials: "same-origin", cache: "no-store" });
    if (response.status === 404) return; // deleted meanwhile
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    take(await response.json());
  } catch {
    pause = POLL_AFTER_ERROR_MILLISECONDS;
  }
  if (!data.finished) setTimeout(poll, pause);
}

if (root.dataset.live) poll();
root.dataset.ready = "true";
