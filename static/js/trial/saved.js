/* What the listener is told about the grades' way to the server. */

import { gettext } from "../common/words.js";

/** @param {import("./store.js").Store} store */
export function savedText(store) {
  const seconds = store.savedAt === null ? 0 : Math.floor((Date.now() - store.savedAt) / 1000);
  let saved = gettext("saved ✓ {seconds} s ago", { seconds });
  if (store.savedAt === null) saved = gettext("saved ✓");
  else if (seconds >= 60) saved = gettext("saved ✓ {minutes} min ago", { minutes: Math.floor(seconds / 60) });
  const count = store.unsaved;
  switch (store.state) {
    case "idle":
      return store.graded ? gettext("saved ✓") : "";
    case "saving":
      return gettext("saving…");
    case "offline":
      return store.answering
        ? gettext("the server is not ready – saved on this device, to send: {count}", { count })
        : gettext("offline – saved on this device, to send: {count}", { count });
    case "lost":
      return gettext("changed in another browser");
    case "refused":
      return gettext("not saved: {reason} Press Next.", { reason: store.refusal });
    default:
      return saved;
  }
}

/**
 * What is not stored of what the page showed, and what it shows instead.
 *
 * @param {import("./store.js").Lost} lost
 * @param {{ stimuli: { key: string }[], sounds: { name: string, label: string }[] }} page
 */
export function lostText({ keys, comment, refusal }, { stimuli, sounds }) {
  const names = sounds.flatMap(({ name, label }) => (keys.includes(name) ? [label] : [])).join(", ");
  const texts = [];
  if (keys.length && stimuli.length > 1) {
    texts.push(gettext("{names}: graded in another browser. What is stored is shown now; the grade from here is not stored.", { names }));
  } else if (keys.length) {
    texts.push(gettext("This was answered in another browser. What is stored is shown now; the answer from here is not stored."));
  }
  if (comment) {
    texts.push(gettext("The comment was changed in another browser and is shown now. Not stored from here: {comment}", { comment }));
  } else if (comment === "") {
    texts.push(gettext("The comment was written in another browser and is shown now."));
  }
  if (refusal) texts.push(gettext("{reason} Press Next.", { reason: refusal }));
  return texts.join(" ");
}
