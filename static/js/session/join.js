/* Who has begun the test in this browser is offered to go on, in the language of their session. */

import { find, findAll } from "../common/dom.js";
import { keyOf, languageKeyOf, ownStorage } from "../common/storage.js";

const form = find("#continue", HTMLFormElement);
const key = keyOf(form.dataset.study ?? "");
const storage = ownStorage();

// The server does not know the session that was remembered.
if (form.dataset.forgotten !== undefined) for (const each of [key, languageKeyOf(key)]) storage.removeItem(each);
const session = storage.getItem(key);
const language = storage.getItem(languageKeyOf(key));
// A language in the address was chosen after that.
if (language && !new URLSearchParams(location.search).has("language")) {
  for (const link of findAll(".languages a:not([aria-current])", HTMLAnchorElement)) {
    if (link.lang === language) location.replace(link.href);
  }
}
if (session) {
  for (const input of findAll("input[name=session]", HTMLInputElement)) input.value = session;
  form.hidden = false;
  find("#join").hidden = form.dataset.resumes !== undefined;
}
