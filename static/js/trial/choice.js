/* Hear all signals, then choose an answer. */

import { gettext } from "../common/words.js";
import { Answers } from "./answers.js";
import { LETTERS, missingSounds, showHeard, unheard } from "./hearing.js";
import { note, openTrial } from "./page.js";
import { Switching } from "./switching.js";

/** Open the page of a method whose listeners choose. */
export function openChoice() {
  const answers = new Answers(String, (answer) => note("choose", { answer }));
  const switching = new Switching(LETTERS);
  openTrial({
    missing() {
      const sounds = missingSounds(switching);
      if (sounds.length || answers.isGiven) return sounds;
      return [{ text: gettext("choose an answer"), focus: answers.first }];
    },
    show() {
      answers.show(unheard().length > 0);
      showHeard(switching);
    },
    silence: () => switching.pause(),
    key(name, shift) {
      if (!/^[1-9]$/.test(name)) return answers.work(name) || switching.key(name, shift);
      answers.choose(answers.at(Number(name)));
      return true;
    },
  });
}
