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
      return store.graded ? gettext("saved ✓") : gettext("nothing to save yet");
    case "saving":
      return store.savedAt === null ? gettext("saving…") : saved;
    case "offline":
      return store.answering
        ? gettext("the server is not ready – kept here, will be sent: {count}", { count })
        : gettext("offline – kept here, will be sent: {count}", { count });
    case "refused":
      return gettext("not saved: {reason} Press Next.", { reason: store.refusal });
    default:
      return saved;
  }
}
