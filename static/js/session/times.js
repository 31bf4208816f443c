/* Dates in the reader's own time zone; without this script they are in UTC, and say so. */

import { findAll } from "../common/dom.js";

for (const element of findAll("time[datetime]", HTMLTimeElement)) {
  const when = new Date(element.dateTime);
  if (Number.isNaN(when.valueOf())) continue;
  element.textContent = when.toLocaleString(document.documentElement.lang, {
    dateStyle: "full",
    timeStyle: "short",
  });
}
