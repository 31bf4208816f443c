/* BS.1116: A is the reference, one of B and C is it again. Both are graded, one of them 5.0. */

import { find, findAll } from "../common/dom.js";
import { figure } from "../common/text.js";
import { gettext } from "../common/words.js";
import { LETTERS, missingSounds, showHeard } from "../trial/hearing.js";
import { openTrial, page, store } from "../trial/page.js";
import { Sliders } from "../trial/sliders.js";
import { Switching } from "../trial/switching.js";

const HIGHEST = 5;

const write = (/** @type {number} */ score) => figure(score, 1);
const switching = new Switching(LETTERS);
const scale = { lowest: 1, highest: HIGHEST, perUnit: 10, leap: 5, first: 3, write };
const sliders = new Sliders(find(".impairment"), scale, switching);
const keys = page.stimuli.map(({ key }) => key);
const labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
/* "... is the reference" */
const sameButtons = findAll(".same", HTMLButtonElement);

for (const button of sameButtons) {
  button.addEventListener("click", () => sliders.grade(button.dataset.key ?? "", HIGHEST));
}

openTrial({
  missing() {
    const sounds = missingSounds(switching);
    if (sounds.length) return sounds;
    const ungraded = store.missing;
    if (ungraded.length) {
      const names = ungraded.map((key) => labels.get(key)).join(", ");
      return [{ text: gettext("still to grade: {names}", { names }), focus: switching.button(ungraded[0]) }];
    }
    if (keys.some((key) => store.score(key) === HIGHEST)) return [];
    return [{ text: gettext("grade the one that is the reference 5.0"), focus: switching.button(keys[0]) }];
  },
  show() {
    sliders.show();
    showHeard(switching);
    for (const button of sameButtons) button.disabled = button.dataset.key !== sliders.sounding;
  },
  silence: () => switching.pause(),
  key(name, shift) {
    if (!/^[1-5]$/.test(name)) return sliders.key(name, shift) || switching.key(name, shift);
    if (sliders.sounding) sliders.grade(sliders.sounding, Number(name));
    return true;
  },
});
