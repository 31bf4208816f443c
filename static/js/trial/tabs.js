/* One tab at a time: two would play over each other and count the same events. */

const PATIENCE_MILLISECONDS = 600; // a page that is being left gives way later than its successor comes
const TAKE_OVER = "earshot:take-over";
/** @type {Promise<never>} */
const forEver = new Promise(() => {});

/**
 * Call `start` when this tab is the only one that holds `name`, now or later; `waiting` while another does, and
 * `lost` when another took it. Without the browser's locks (not on a secure address) every tab starts.
 *
 * @param {string} name
 * @param {{ start: () => void, waiting: () => void, lost: () => void }} options
 */
export function holdAlone(name, { start, waiting, lost }) {
  if (!navigator.locks) {
    start();
    return;
  }
  const patience = setTimeout(waiting, PATIENCE_MILLISECONDS);
  const steal = takeOver();
  let granted = false;
  navigator.locks
    .request(name, steal ? { steal } : {}, () => {
      granted = true;
      clearTimeout(patience);
      start();
      return forEver;
    })
    .catch(() => granted && lost());
}

/** Start this page again as the one that goes on. */
export function continueHere() {
  try {
    sessionStorage.setItem(TAKE_OVER, "yes");
  } catch {
    // Without storage the page waits for the other to be closed.
  }
  window.location.reload();
}

function takeOver() {
  try {
    const asked = sessionStorage.getItem(TAKE_OVER) !== null;
    sessionStorage.removeItem(TAKE_OVER);
    return asked;
  } catch {
    return false;
  }
}
