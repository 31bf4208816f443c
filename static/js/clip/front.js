/* The front page: a few systems of one public clip, a button each. */

import { find, findAll, readData } from "../common/dom.js";
import { ClipPlayer, ORIGINAL } from "./player.js";

const root = find("[data-front-player]");
/** @type {{ systems: import("./player.js").System[], start: string }} */
const { systems, start } = readData("#player-data");
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
player.listenToKeys(() => systems.map(({ slug }) => slug).filter((slug) => slug !== ORIGINAL));
player.select(start);
player.setSystems(systems);
root.dataset.ready = "true";
