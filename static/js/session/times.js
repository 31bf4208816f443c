/* Dates in the reader's own time zone; without this script they are in UTC, and say so. */

for (const element of document.querySelectorAll("time[datetime]")) {
  const when = new Date(element.dateTime);
  if (Number.isNaN(when.valueOf())) continue;
  element.textContent = when.toLocaleString(document.documentElement.lang, {
    dateStyle: "full",
    timeStyle: "short",
  });
}
