/* MUSHRA: all versions are graded beside each other, against the open reference. Keys are webMUSHRA's. */

import { find } from "../common/dom.js";
import { gettext } from "../common/words.js";
import { $, note, openTrial, page, refresh, store } from "../trial/page.js";
import { Sliders } from "../trial/sliders.js";
import { Switching } from "../trial/switching.js";

const REFERENCE = "reference";
const WORDS = [gettext("Bad"), gettext("Poor"), gettext("Fair"), gettext("Good"), gettext("Excellent")];

/**
 * The scale's word for a grade; a boundary belongs to the band above.
 *
 * @param {number} score
 */
const band = (score) => WORDS[Math.min(4, Math.floor(score / 20))];

/** @type {import("../trial/switching.js").Switching} */
const switching = new Switching({
  heardSeconds: 0,
  heard(name) {
    store.hear(name);
    refresh();
  },
  loopKeys: ["a", "b"],
  ready: gettext("ready: press a number"),
  order: () => [REFERENCE, ...sliders.order],
  prompt(name) {
    if (name === REFERENCE || store.score(name) !== null) return null;
    return gettext("Playing {name}: move its slider", { name: labels.get(name) ?? name });
  },
});
const labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
const scale = {
  lowest: 0,
  highest: 100,
  perUnit: 1,
  leap: 10,
  first: 50,
  write: String,
  speak: (/** @type {number} */ score) => `${score}, ${band(score)}`,
};
const sliders = new Sliders($("#columns"), scale, switching);

function sort() {
  sliders.sort();
  $("#sort").setAttribute("aria-pressed", String(sliders.isSorted));
  note("sort", { on: sliders.isSorted });
}

$("#sort").addEventListener("click", sort);

/** @type {Record<string, (shift: boolean) => unknown>} */
const keys = {
  r: () => switching.hear(REFERENCE),
  0: () => switching.hear(REFERENCE),
  h: () => switching.hearNeighbour(-1),
  l: () => switching.hearNeighbour(1),
  k: (shift) => sliders.key("ArrowUp", shift),
  j: (shift) => sliders.key("ArrowDown", shift),
  s: sort,
};
for (const [index, { key }] of page.stimuli.entries()) keys[index + 1] = () => switching.hear(key);

openTrial({
  ready: gettext("all {total} heard and graded", { total: page.stimuli.length }),
  away: gettext("Could not reach the server. Your grades are kept: press Next again."),
  missing() {
    const missing = store.missing;
    if (missing.length) {
      const numbers = page.stimuli.flatMap(({ key }, index) => (missing.includes(key) ? [index + 1] : [])).join(", ");
      return [{
        text: gettext("{count} of {total} left to hear and grade", { count: missing.length, total: page.stimuli.length }),
        problem: gettext("Still to hear and grade: {numbers}", { numbers }),
        focus: switching.button(missing[0]),
      }];
    }
    if (store.heard(REFERENCE)) return [];
    return [{
      text: gettext("please also listen to the reference"),
      problem: gettext("Please listen to the reference, too: you grade against it."),
      focus: find("#reference"),
    }];
  },
  show(hasProblem) {
    sliders.show();
    sliders.showLacking(hasProblem ? store.missing : []);
  },
  silence: () => switching.pause(),
  key(name, shift) {
    if (!Object.hasOwn(keys, name)) return sliders.key(name, shift) || switching.key(name, shift);
    keys[name](shift);
    return true;
  },
});
