// The front page: a few systems of one public clip, a button each.

import { ORIGINAL, Player } from "./player.js";

const root = document.querySelector("[data-front-player]");
const { systems, start } = JSON.parse(document.querySelector("#player-data").textContent);
const buttons = [...root.querySelectorAll("[data-play-system]")];
const player = new Player(root);

function show() {
  for (const button of buttons) {
    const selected = button.dataset.playSystem === player.selected;
    button.setAttribute("aria-pressed", selected);
    button.classList.toggle("playing", selected && player.playing);
  }
}

for (const button of buttons) {
  button.addEventListener("click", () => player.playOrPause(button.dataset.playSystem));
}
player.addEventListener("change", show);
player.listenToKeys(() => systems.map(({ slug }) => slug).filter((slug) => slug !== ORIGINAL));
player.select(start);
player.setSystems(systems);
root.dataset.ready = "true";
