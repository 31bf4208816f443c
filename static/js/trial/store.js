/* Grades, the comment and events on their way to the server.

   A change of a grade is sent at once. While a request for a stimulus is under way, only its newest grade waits.
   What the server has not confirmed is kept in localStorage, so it survives a reload and a lost network, and
   is sent again, less and less often, until it is confirmed. Sequence numbers make repeats harmless.

   The session may be open in another browser, too. What that stored first stays until a page that shows it changes
   it: every answer of the server names what it holds, and a page that shows something else takes that over and says
   so. A page that nobody touches asks now and then. */

import { Emitter } from "../common/emitter.js";
import { ownStorage } from "../common/storage.js";
import { gettext } from "../common/words.js";

const RETRY_SECONDS = [1, 2, 4, 8, 15, 30];
/* Between two requests for one stimulus: a drag makes a change at every frame. */
const GAP_MILLISECONDS = 100;
const EVENTS_MILLISECONDS = 2000;
const EVENTS_AT_ONCE = 200;
const EVENTS_WITH_A_GRADE = 20;
/* The server takes so many events of a trial. */
const MOST_EVENTS = 20000;
/* Between two looks at what the server holds, while the page can be seen. */
const LOOK_MILLISECONDS = 4000;
/* After the last key press in the comment. */
const COMMENT_MILLISECONDS = 800;

/**
 * @typedef {number | string} Score a grade, or the key of an answer
 * @typedef {{ score: Score | null, sequence: number, saved: boolean }} Grade never changed: replaced
 * @typedef {{ text: string, saved: boolean }} Comment never changed: replaced
 * @typedef {{ grades: Map<string, Grade>, comment: Comment | null }} Held by this page at a moment
 * @typedef {{ sequence: number, kind: string, milliseconds: number, detail: object }} TrialEvent
 * @typedef {{ sequence: number, score: Score | null, events?: number }} Answer
 * @typedef {{ grades: Record<string, Answer>, comment: string, finished: boolean }} Stored what the server holds
 *
 * @typedef {object} Lost what is not stored of what this page showed
 * @property {string[]} keys whose grades are another browser's
 * @property {string | null} comment this page's, where another browser's is stored
 * @property {string} refusal why nothing more is stored, if that is so
 *
 * @typedef {object} Kept in the browser's storage
 * @property {Record<string, { score: Score | null, sequence: number, before?: number }>} grades `before` if not saved
 * @property {TrialEvent[]} events that are not stored
 * @property {number} [noted] the highest number of an event
 * @property {string[]} heard
 * @property {string} [writer] token of this browser
 * @property {string} [comment] if it is not saved
 * @property {string} [before] the comment that it was written over
 * @typedef {object} TrialData what the store needs of the page
 * @property {string} ratingsUrl
 * @property {string} eventsUrl
 * @property {string} [commentUrl]
 * @property {string} [storedUrl]
 * @property {string} finishUrl
 * @property {{ key: string, score: Score | null, sequence?: number }[]} stimuli
 * @property {string[]} [heard]
 * @property {string} [comment]
 * @property {number} eventSequence
 * @typedef {ReturnType<typeof setTimeout> | undefined} Timer
 */

/** The server said no, and asking again would not help. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {{ error?: string, detail?: string, stored?: Stored }} answer
   */
  constructor(status, answer) {
    super(answer.error || gettext("The server refused this ({status}).", { status }));
    this.stored = answer.stored;
  }
}

/** The server answered, but cannot work now: worth asking again. */
class Unavailable extends Error {
  /** @param {number} status */
  constructor(status) {
    super(gettext("The server answered {status}.", { status }));
  }
}

/** Read at each request: signing in or out in another tab changes it. */
function csrfToken() {
  const cookie = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  return cookie ? cookie.slice("csrftoken=".length) : "";
}

/**
 * POST JSON.
 *
 * @param {string} url
 * @param {object} body
 * @returns {Promise<any>} what the server answered
 * @throws {Refused} for a final no; any other error is worth trying again
 */
function post(url, body) {
  return ask(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(body),
    keepalive: true,
  });
}

/**
 * @param {string} url
 * @param {RequestInit} request
 * @returns {Promise<any>} what the server answered
 * @throws {Refused} for a final no; any other error is worth trying again
 */
async function ask(url, request) {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(15000) });
  if (response.ok) return response.json();
  if (response.status >= 500 || response.status === 408 || response.status === 429) {
    throw new Unavailable(response.status);
  }
  throw new Refused(response.status, await response.json().catch(() => ({})));
}

const pause = (/** @type {number} */ milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Keeps the grades of one trial. Events: "grade" (detail: key) when a grade came from elsewhere, and "state" when
 * `state` changed; "lost" when the page gave way to what is stored.
 *
 * @extends {Emitter<{ grade: string, state: undefined, lost: Lost }>}
 */
export class Store extends Emitter {
  #page;
  #id;
  /** @type {Map<string, Grade>} */
  #grades = new Map();
  /** The sequence numbers that the server named last. A change replaces nothing else but what this browser sent.
   * @type {Map<string, number>} */
  #known = new Map();
  #writer;
  /** @type {Set<string>} */
  #sending = new Set();
  /** @type {TrialEvent[]} */
  #events = [];
  #eventSequence;
  /** @type {Timer} */
  #eventTimer;
  /** @type {Promise<void> | null} the request under way */
  #sendingEvents = null;
  #failures = 0;
  /** @type {Timer} */
  #retryTimer;
  /** @type {(() => void)[]} */
  #idle = [];
  #heard;
  /** @type {Comment} */
  #comment;
  #storedComment; // as the server holds it, for all that this page knows
  /** @type {Timer} */
  #commentTimer;
  #sendingComment = false;
  #looking = false;
  #retired = false;

  /** @param {TrialData} page */
  constructor(page, storage = ownStorage()) {
    super();
    this.#page = page;
    this.#id = `earshot:${page.ratingsUrl}`;
    this.storage = storage;
    /** @type {"idle" | "saving" | "saved" | "lost" | "offline" | "refused"} see `answering` and `refusal` */
    this.state = "idle";
    /** @type {number | null} */
    this.savedAt = null;
    this.refusal = "";
    this.losses = 0; // how often this page gave way
    this.answering = true; // false: no answer at all came to the last request

    const kept = this.#read();
    this.#writer = kept.writer ?? Math.random().toString(36).slice(2);
    for (const { key, score, sequence } of page.stimuli) {
      const mine = kept.grades[key];
      const isNewer = mine && (mine.before || mine.sequence > (sequence ?? 0));
      this.#known.set(key, isNewer ? (mine.before ?? 0) : (sequence ?? 0));
      this.#grades.set(
        key,
        isNewer
          ? { score: mine.score, sequence: mine.sequence, saved: false }
          : { score, sequence: sequence ?? 0, saved: true },
      );
    }
    this.#comment = { text: kept.comment ?? page.comment ?? "", saved: kept.comment === undefined };
    this.#storedComment = kept.before ?? page.comment ?? "";
    this.#heard = new Set([...(page.heard ?? []), ...kept.heard]);
    this.#events = kept.events;
    // The tab before this one may have noted more since the server wrote this page.
    const numbers = this.#events.map((event) => event.sequence);
    this.#eventSequence = Math.max(page.eventSequence, kept.noted ?? 0, ...numbers);
    window.addEventListener("online", () => this.retry());
    window.addEventListener("focus", () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("storage", (event) => event.key === this.#id && this.#adopt());
    window.addEventListener("pagehide", () => {
      this.#flushEvents();
      this.#sendComment();
    });
  }

  get comment() {
    return this.#comment.text;
  }

  /**
   * Whether a sound has been listened to, on whatever device.
   *
   * @param {string} name
   */
  heard(name) {
    return this.#heard.has(name);
  }

  /** @param {string} name */
  hear(name) {
    if (this.#heard.has(name)) return;
    this.#heard.add(name);
    this.#keep();
  }

  /** @param {string} key */
  score(key) {
    return this.#grade(key).score;
  }

  get graded() {
    return [...this.#grades.values()].filter((grade) => grade.score !== null).length;
  }

  get missing() {
    return [...this.#grades].filter(([, grade]) => grade.score === null).map(([key]) => key);
  }

  get unsaved() {
    return [...this.#grades.values()].filter((grade) => !grade.saved).length;
  }

  /** @param {string} key */
  #grade(key) {
    const grade = this.#grades.get(key);
    if (!grade) throw new RangeError(`There is no stimulus ${key}.`);
    return grade;
  }

  /**
   * Keep and send the listener's grade.
   *
   * @param {string} key
   * @param {Score} score
   */
  grade(key, score) {
    const { sequence } = this.#grade(key);
    this.#grades.set(key, { score, sequence: sequence + 1, saved: false });
    this.#keep();
    this.#send(key);
  }

  /** @param {string} text */
  setComment(text) {
    this.#comment = { text, saved: false };
    this.#keep();
    clearTimeout(this.#commentTimer);
    this.#commentTimer = setTimeout(() => this.#sendComment(), COMMENT_MILLISECONDS);
  }

  /**
   * Note what happened; sent in batches.
   *
   * @param {string} kind
   * @param {number} milliseconds since the page was opened
   * @param {object} detail
   */
  event(kind, milliseconds, detail = {}) {
    if (this.#retired || this.#eventSequence >= MOST_EVENTS) return;
    this.#events.push({ sequence: ++this.#eventSequence, kind, milliseconds: Math.round(milliseconds), detail });
    this.#keep();
    this.#eventTimer ??= setTimeout(() => this.#flushEvents(), EVENTS_MILLISECONDS);
  }

  /** Send whatever waits, now. */
  retry() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    for (const [key, grade] of this.#grades) if (!grade.saved) this.#send(key);
    this.#flushEvents();
    this.#sendComment();
  }

  /** Another tab goes on with this trial: say and keep nothing more. */
  retire() {
    this.#retired = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#eventTimer);
    clearTimeout(this.#commentTimer);
  }

  /** Look at what the server holds from time to time. */
  watch() {
    setInterval(() => this.look(), LOOK_MILLISECONDS);
  }

  /** Ask the server what it holds, while the page can be seen. */
  async look() {
    const url = this.#page.storedUrl;
    if (!url || this.#looking || this.#retired || this.state === "refused" || document.hidden || !navigator.onLine) return;
    this.#looking = true;
    const held = this.#held();
    try {
      this.#takeOver(await ask(url, {}), held);
    } catch (error) {
      if (error instanceof Refused) this.refuse(error);
    }
    this.#looking = false;
  }

  /**
   * What this page holds now. A comment on its way is left out: its own answer says what became of it.
   *
   * @returns {Held}
   */
  #held() {
    return { grades: new Map(this.#grades), comment: this.#sendingComment ? null : this.#comment };
  }

  /**
   * Show what the server holds in place of what this page shows, and say so where that is something else. What
   * waits to be sent stays, unless the trial has been handed in; so does what changed since the page asked.
   *
   * @param {Stored} stored
   * @param {Held} asked what the page held when it asked
   */
  #takeOver(stored, asked) {
    if (this.#retired) return;
    const keys = [];
    for (const [key, answer] of Object.entries(stored.grades)) {
      const mine = this.#grades.get(key);
      if (!mine || mine !== asked.grades.get(key) || !(mine.saved || stored.finished)) continue;
      if (mine.score !== answer.score) keys.push(key);
      this.#known.set(key, answer.sequence);
      this.#grades.set(key, { ...answer, saved: true });
    }
    const comment = this.#comment === asked.comment ? this.#takeOverComment(stored) : null;
    if (stored.finished) this.refusal = gettext("This page was handed in from another browser.");
    if (keys.length || comment !== null || stored.finished) this.#lose({ keys, comment, refusal: this.refusal });
    this.#keep();
  }

  /**
   * @param {Stored} stored
   * @returns {string | null} this page's comment, if another one is stored
   */
  #takeOverComment({ comment: stored, finished }) {
    const mine = this.#comment;
    if (stored === this.#storedComment && (mine.saved || !finished)) return null;
    this.#storedComment = stored;
    if (stored === mine.text.trim()) {
      this.#comment = { ...mine, saved: true };
      return null;
    }
    this.#comment = { text: stored, saved: true };
    return mine.text;
  }

  /** @param {Lost} lost */
  #lose(lost) {
    this.losses += 1;
    this.#setState(lost.refusal ? "refused" : "lost");
    for (const key of lost.keys) this.emit("grade", key);
    this.emit("lost", lost);
  }

  /**
   * Resolves when every grade is confirmed or refused.
   *
   * @returns {Promise<void>}
   */
  settled() {
    if (!this.unsaved || this.state === "refused") return Promise.resolve();
    this.retry();
    return new Promise((resolve) => {
      this.#idle.push(() => resolve(undefined));
    });
  }

  /**
   * Finish the trial.
   *
   * @returns {Promise<string>} the next page's address
   * @throws {Refused} or an error worth a retry
   */
  async finish() {
    // A finished trial takes no more events, so they go first; without a network they don't hold it up.
    for (let left = Infinity; this.#events.length && this.#events.length < left; ) {
      left = this.#events.length;
      await this.#sendingEvents;
      await this.#flushEvents();
    }
    clearTimeout(this.#commentTimer);
    const shown = Object.fromEntries([...this.#grades].map(([key, { score }]) => [key, score]));
    const { next } = await post(this.#page.finishUrl, { comment: this.comment, before: this.#storedComment, shown });
    this.retire();
    this.#events = [];
    this.storage.removeItem(this.#id);
    return next;
  }

  /**
   * The server takes nothing more of this trial from this page, or holds something else than the page shows.
   *
   * @param {Refused} error
   */
  refuse(error) {
    if (error.stored) this.#takeOver(error.stored, { ...this.#held(), comment: this.#comment });
    if (error.stored && !error.stored.finished) return;
    this.refusal = error.message;
    if (error.stored) this.#setState("refused");
    else this.#lose({ keys: [], comment: null, refusal: error.message });
  }

  /** @param {string} key */
  async #send(key) {
    if (this.#retired || this.#sending.has(key)) return;
    this.#sending.add(key);
    let isLost = false;
    try {
      while (!this.#grade(key).saved) {
        const sent = this.#grade(key);
        this.#setState("saving");
        const { score, sequence } = sent;
        const events = this.#eventsToo();
        const answer = await post(this.#page.ratingsUrl, {
          key, score, sequence, before: this.#known.get(key), writer: this.#writer, ...(events.length ? { events } : {}),
        });
        if (answer.events !== undefined) this.#forgetEvents(events, answer.events);
        this.#failures = 0;
        this.answering = true;
        isLost = this.#confirm(key, sent, answer);
        if (!this.#grade(key).saved) await pause(GAP_MILLISECONDS);
      }
      if (!isLost) this.savedAt = Date.now();
      if (!this.unsaved) this.#setState(isLost ? "lost" : "saved");
    } catch (error) {
      if (error instanceof Refused) {
        this.refuse(error);
      } else {
        this.answering = error instanceof Unavailable;
        this.#setState("offline");
        this.#retryLater();
      }
    } finally {
      this.#sending.delete(key);
    }
  }

  #retryLater() {
    if (this.#retired) return;
    const seconds = RETRY_SECONDS[Math.min(this.#failures++, RETRY_SECONDS.length - 1)];
    this.#retryTimer ??= setTimeout(() => this.retry(), 1000 * seconds);
  }

  async #sendComment() {
    clearTimeout(this.#commentTimer);
    if (this.#comment.saved || this.#sendingComment || this.#retired || !this.#page.commentUrl) return;
    this.#sendingComment = true;
    const sent = this.#comment;
    try {
      const { comment } = await post(this.#page.commentUrl, { comment: sent.text, before: this.#storedComment });
      this.#storedComment = comment;
      if (sent === this.#comment) this.#comment = { ...sent, saved: true };
      this.#keep();
    } catch (error) {
      // It goes with the end of the trial in any case.
      if (error instanceof Refused) this.refuse(error);
      else this.#retryLater();
    }
    this.#sendingComment = false;
    if (!this.#comment.saved && sent !== this.#comment) {
      this.#commentTimer = setTimeout(() => this.#sendComment(), COMMENT_MILLISECONDS);
    }
  }

  /**
   * @param {string} key
   * @param {Grade} sent
   * @param {Answer} answer
   * @returns {boolean} whether another browser's grade is stored
   */
  #confirm(key, sent, answer) {
    const current = this.#grade(key);
    const isLost = answer.score !== sent.score;
    this.#known.set(key, answer.sequence);
    if (isLost) {
      // Whoever graded here had not seen that grade: it is shown, and can be changed then.
      this.#grades.set(key, { ...answer, saved: true });
      this.#lose({ keys: [key], comment: null, refusal: "" });
    } else if (current === sent) {
      this.#grades.set(key, { ...answer, saved: true });
    } else {
      this.#grades.set(key, { ...current, sequence: Math.max(current.sequence, answer.sequence + 1) });
    }
    this.#keep();
    return isLost;
  }

  /** The events that go with a grade: they cost no request of their own. */
  #eventsToo() {
    return this.#sendingEvents ? [] : this.#events.slice(0, EVENTS_WITH_A_GRADE);
  }

  /**
   * Two devices that note at the same time may give the same number: of these events the first to come is stored.
   *
   * @param {TrialEvent[]} sent and stored
   * @param {number} stored the highest number that the server has stored, perhaps from another browser
   */
  #forgetEvents(sent, stored) {
    this.#events = this.#events.filter((event) => !sent.includes(event));
    this.#eventSequence = Math.max(this.#eventSequence, stored);
  }

  #flushEvents() {
    clearTimeout(this.#eventTimer);
    this.#eventTimer = undefined;
    if (this.#events.length && !this.#retired) this.#sendingEvents ??= this.#sendEvents();
    return this.#sendingEvents;
  }

  async #sendEvents() {
    try {
      const events = this.#events.slice(0, EVENTS_AT_ONCE);
      const { stored } = await post(this.#page.eventsUrl, { events });
      this.#forgetEvents(events, stored);
    } catch (error) {
      // Events explain grades but must not hold them up: refused ones are dropped, others wait.
      if (error instanceof Refused) this.#events = [];
    }
    this.#sendingEvents = null;
    this.#keep();
    if (this.#events.length && !this.#retired) {
      this.#eventTimer ??= setTimeout(() => this.#flushEvents(), EVENTS_MILLISECONDS);
    }
  }

  /** @param {Store["state"]} state */
  #setState(state) {
    this.state = state;
    const isSettled = state === "refused" || ((state === "saved" || state === "lost") && !this.unsaved);
    if (isSettled) for (const resolve of this.#idle.splice(0)) resolve();
    this.emit("state");
  }

  /** @returns {Kept} */
  #read() {
    try {
      return { grades: {}, events: [], heard: [], ...JSON.parse(this.storage.getItem(this.#id) ?? "{}") };
    } catch {
      return { grades: {}, events: [], heard: [] };
    }
  }

  #keep() {
    if (this.#retired) return;
    const grades = Object.fromEntries(
      [...this.#grades]
        .filter(([, { sequence }]) => sequence)
        .map(([key, { score, sequence, saved }]) => [
          key,
          saved ? { score, sequence } : { score, sequence, before: this.#known.get(key) },
        ]),
    );
    /** @type {Kept} */
    const kept = {
      grades, events: this.#events, noted: this.#eventSequence, heard: [...this.#heard], writer: this.#writer,
    };
    if (!this.#comment.saved) Object.assign(kept, { comment: this.comment, before: this.#storedComment });
    try {
      this.storage.setItem(this.#id, JSON.stringify(kept));
    } catch {
      // Full or forbidden storage: grades still go to the server, only a reload while offline would lose them.
    }
  }

  /** Another tab of this browser wrote: take over what is ahead of ours, and see to it that it is stored. */
  #adopt() {
    const { grades, events, noted } = this.#read();
    const known = new Set(this.#events.map((event) => event.sequence));
    this.#events.push(...events.filter((event) => !known.has(event.sequence)));
    this.#eventSequence = Math.max(this.#eventSequence, noted ?? 0);
    for (const [key, { score, sequence, before }] of Object.entries(grades)) {
      const mine = this.#grades.get(key);
      if (!mine || sequence <= mine.sequence) continue;
      this.#known.set(key, before ?? sequence);
      this.#grades.set(key, { score, sequence, saved: false });
      this.emit("grade", key);
      this.#send(key);
    }
  }
}
