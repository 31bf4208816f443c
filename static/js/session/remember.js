/* Remembers which session of a study this browser has, or that it has none any more. */

import { keyOf, ownStorage } from "../common/storage.js";

const { study, session, gone } = document.body.dataset;
const storage = ownStorage();

try {
  if (study && session) storage.setItem(keyOf(study), session);
  if (gone) {
    for (const key of Object.keys(storage)) {
      if (storage.getItem(key) === gone || key.includes(`/s/${gone}/`)) storage.removeItem(key);
    }
  }
} catch {
  // Full or forbidden: whoever opens the listener link again is asked as if for the first time.
}
