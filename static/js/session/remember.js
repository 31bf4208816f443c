/* Remembers which session of a study this browser has, in which language, or that it has none any more. */

import { keyOf, languageKeyOf, ownStorage } from "../common/storage.js";

const { study, session, gone } = document.body.dataset;
const storage = ownStorage();

try {
  if (study && session) {
    storage.setItem(keyOf(study), session);
    storage.setItem(languageKeyOf(keyOf(study)), document.documentElement.lang);
  }
  if (gone) {
    for (const key of Object.keys(storage)) {
      if (storage.getItem(key) === gone) storage.removeItem(languageKeyOf(key));
      if (storage.getItem(key) === gone || key.includes(`/s/${gone}/`)) storage.removeItem(key);
    }
  }
} catch {
  // Full or forbidden: whoever opens the listener link again is asked as if for the first time.
}
