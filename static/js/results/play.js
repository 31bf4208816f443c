/* Points of a scatter play what they stand for. A system's point has several sounds, one an item:
   each click goes on to the next. */

import { Solo } from "../audio/solo.js";
import { closest, find } from "../common/dom.js";

/**
 * @param {HTMLElement} root
 * @param {HTMLElement | null} bar says what plays
 */
export function playPoints(root, bar) {
  if (!bar) return;
  const solo = new Solo();
  const words = find("span", HTMLElement, bar);
  /** @type {SVGElement | null} */
  let point = null;
  let turn = 0;

  /** @param {SVGElement | null} next */
  function mark(next) {
    point?.classList.remove("playing");
    next?.classList.add("playing");
    point = next;
  }

  /** @param {SVGElement} next */
  async function play(next) {
    const sounds = next.dataset.play?.split(" ") ?? [];
    if (next === point && sounds.length === 1) {
      solo.stop();
      return;
    }
    turn = next === point ? (turn + 1) % sounds.length : 0;
    mark(next);
    const name = next.getAttribute("aria-label")?.replace(/^Play /, "") ?? "";
    words.textContent = sounds.length > 1 ? `${name} · item ${turn + 1} of ${sounds.length}` : name;
    bar?.removeAttribute("hidden");
    try {
      await solo.play(sounds[turn]);
    } catch {
      words.textContent = "This sound can't be played.";
    }
  }

  solo.on("stop", () => {
    mark(null);
    bar.hidden = true;
  });
  find("button", HTMLButtonElement, bar).addEventListener("click", () => solo.stop());
  root.addEventListener("click", (event) => {
    const next = closest(event, "[data-play]", SVGElement);
    if (next) play(next);
  });
  root.addEventListener("keydown", (event) => {
    const next = closest(event, "[data-play]", SVGElement);
    if (!next || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    play(next);
  });
}
