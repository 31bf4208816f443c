/* Who has begun the test in this browser is offered to go on. */

import { find, findAll } from "../common/dom.js";
import { keyOf, ownStorage } from "../common/storage.js";

const form = find("#continue", HTMLFormElement);
const key = keyOf(form.dataset.study ?? "");
const storage = ownStorage();

// The server does not know the session that was remembered.
if (form.dataset.forgotten !== undefined) storage.removeItem(key);
const session = storage.getItem(key);
if (session) {
  for (const input of findAll("input[name=session]", HTMLInputElement)) input.value = session;
  form.hidden = false;
  find("#join").hidden = form.dataset.resumes !== undefined;
}
