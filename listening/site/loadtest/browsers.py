"""Does what listeners' browsers do, without a browser: join, fetch sounds, save grades, finish pages.

Like the rating page's script, it sends a change with the same sequence number until the server confirms it.
Confirmed grades are recorded, to be looked up in the database afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from itertools import chain, repeat
from typing import Any, NotRequired, TypedDict

from listening.site.loadtest.http import Answer, Broken, Connection

_PAGE = re.compile(r'<script id="page" type="application/json">(.*?)</script>', re.DOTALL)
#: A page that has been open for longer would say that it has so many.
MOST_EVENTS = 300
#: Most pages between two trials; more means that a listener goes in circles.
MAX_PAGES = 20


class Sound(TypedDict):
    """A signal of a page; of the open reference no more is read."""

    url: str


class Stimulus(Sound):
    """A signal to grade; `sequence` is the number of its stored grade, if it has one."""

    key: str
    sequence: NotRequired[int | None]


class Page(TypedDict):
    """What a listener reads of a rating page's data, which `listening.web.views.trials` writes."""

    ratingsUrl: str
    eventsUrl: str
    finishUrl: str
    reference: Sound
    stimuli: list[Stimulus]
    eventSequence: NotRequired[int]


@dataclass(frozen=True)
class Pace:
    """How fast listeners are.

    Attributes:
        listen: shortest and longest time between two grades, seconds.
        changes: requests per grade: a dragged slider is saved about every 100 ms.
        gap: time between these requests, seconds.
        rounds: how often all signals of a page are graded before it is handed in.
    """

    listen: tuple[float, float]
    changes: int
    gap: float
    rounds: int = 1


#: A listener hears a version for a few seconds and drags its slider for half a second.
REALISTIC = Pace((2.0, 6.0), 4, 0.12)
#: As fast as the server answers.
MAXIMAL = Pace((0.0, 0.0), 12, 0.0)
#: The same on one page without end: nothing but grades reaches the server.
SAVING = Pace((0.0, 0.0), 12, 0.0, rounds=1_000_000)
PACES = {"realistic": REALISTIC, "maximal": MAXIMAL, "saving": SAVING}


class Gate:
    """Opens when all listeners have arrived, or after `patience` seconds; then the clock starts.

    Attributes:
        opened: `time.monotonic` of the opening; None before.
        seconds: duration of the run.
    """

    def __init__(self, listeners: int, seconds: float, patience: float) -> None:
        self.seconds = seconds
        self.made = time.monotonic()
        self.opened: float | None = None
        self._missing = listeners
        self._patience = patience
        self._event = asyncio.Event()

    async def come(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._open()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), self.made + self._patience - time.monotonic())
        self._open()

    def _open(self) -> None:
        if self.opened is None:
            self.opened = time.monotonic()
            self._event.set()

    @property
    def over(self) -> bool:
        since = self.made + self._patience if self.opened is None else self.opened
        return time.monotonic() > since + self.seconds


@dataclass
class Tally:
    """Results of all browsers together.

    Attributes:
        seconds: latencies by kind of request (join, page, audio, save, finish, empty).
        confirmed: score and sequence number of the newest confirmed grade, by (session token, position, key).
        refused: responses other than 2xx or 3xx, by kind and status.
        broken: requests without a response, by kind; each was sent again.
        sessions: number of finished sessions.
        gate: opens after all have joined and fetched the first sounds; latencies count from then, except
            those of joining and of sounds, which always count.
    """

    gate: Gate

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    confirmed: dict[tuple[str, int, str], tuple[int, float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    audio_bytes: int = 0

    def percentile(self, kind: str, share: float) -> float:
        """Percentile `share` (0 to 1) of the latencies of a kind, seconds; nan without requests."""
        ordered = sorted(self.seconds[kind])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class _Form(HTMLParser):
    """The first POST form of a page: its URL, and the data that a listener would send."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = self._done = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self._done and given.get("method", "").lower() == "post":
            self.action, self._inside = given.get("action", ""), True
        if not self._inside:
            return
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and given.get("value"):
            self.fields.setdefault(self._select, given["value"])
        elif name and tag in ("input", "textarea") and kind not in ("submit", "button"):
            usual = "1" if kind == "number" else "none"
            self.fields.setdefault(name, given.get("value") or usual)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._inside:
            self._inside, self._done = False, True
        elif tag == "select":
            self._select = ""


def _happened(number: int, seconds: float, key: str, score: int) -> dict[str, object]:
    """The event of a grade, as the page sends it with the grade."""
    detail = {"sound": key, "score": score}
    return {"sequence": number, "kind": "grade", "milliseconds": round(1000 * seconds), "detail": detail}


class Listener:
    """One simulated browser, which takes sessions of one study until the gate's time is over."""

    def __init__(self, site: str, study: str, number: int, pace: Pace, tally: Tally) -> None:
        self.study = study
        self.pace = pace
        self.tally = tally
        self.waited = False
        self.connection = Connection(site)
        self.chance = random.Random(number)  # noqa: S311

    @property
    def over(self) -> bool:
        return self.tally.gate.over

    async def run(self, sessions: int | None = None) -> None:
        """Take `sessions` sessions, or as many as the time allows."""
        taken = 0
        try:
            while not self.over and (sessions is None or taken < sessions):
                await self.take_session()
                taken += 1
        finally:
            await self.connection.close()

    async def take_session(self) -> None:
        join = f"/t/{self.study}/"
        await self.send("join", partial(self.connection.get, join))
        token = self.connection.cookies.get("csrftoken", "")
        fields = {"consent": "yes", "csrfmiddlewaretoken": token}
        answer = await self.send("join", partial(self.connection.post_form, join, fields))
        if answer is None or "location" not in answer.headers:
            await asyncio.sleep(1)
            return
        address = answer.headers["location"]
        between = 0
        while not self.over:
            shown = await self.send("page", partial(self.connection.get, address))
            if shown is None:
                return
            if found := _PAGE.search(shown.text):
                between = 0
                if not await self.take_trial(address, json.loads(found[1])):
                    return
                continue
            form = _Form()
            form.feed(shown.text)
            between += 1
            if form.action is None or between > MAX_PAGES:
                self.tally.sessions += 1
                return
            await self.send("page", partial(self.connection.post_form, form.action or address, form.fields))

    async def take_trial(self, address: str, page: Page) -> bool:
        """Fetch, grade and finish one page; False if time ran out."""
        token, position = address.strip("/").split("/")[-1], int(page["ratingsUrl"].split("/")[-3])
        opened = time.monotonic()
        for signal in [page["reference"], *page["stimuli"]]:
            answer = await self.send("audio", partial(self.connection.get, signal["url"]))
            self.tally.audio_bytes += len(answer.body) if answer else 0
        if not self.waited:
            self.waited = True
            await self.tally.gate.come()
        order = list(page["stimuli"])
        self.chance.shuffle(order)
        sequences = {stimulus["key"]: stimulus.get("sequence") or 0 for stimulus in order}
        event = page.get("eventSequence", 0)
        for stimulus in chain.from_iterable(repeat(order, self.pace.rounds)):
            await asyncio.sleep(self.chance.uniform(*self.pace.listen))
            for change in range(self.pace.changes):
                if self.over:
                    return False
                key = stimulus["key"]
                sequences[key] += 1
                score = self.chance.randint(0, 100)
                events = []
                if change == self.pace.changes - 1 and event < MOST_EVENTS:
                    event += 1
                    events = [_happened(event, time.monotonic() - opened, key, score)]
                await self.save(page, (token, position, key), score, sequences[key], events)
                await asyncio.sleep(self.pace.gap)
        done = await self.send(
            "finish", lambda: self.connection.post_json(page["finishUrl"], {"comment": ""})
        )
        return done is not None

    async def save(
        self,
        page: Page,
        which: tuple[str, int, str],
        score: int,
        sequence: int,
        events: list[dict[str, object]],
    ) -> None:
        body = {"key": which[2], "score": score, "sequence": sequence, "events": events}
        answer = await self.send("save", lambda: self.connection.post_json(page["ratingsUrl"], body))
        if answer is not None:
            stored = answer.json()
            self.tally.confirmed[which] = (int(stored["sequence"]), float(stored["score"]))

    async def send(self, kind: str, request: Callable[[], Any]) -> Answer | None:
        """Send until there is a response or time is over; None if refused or without a response."""
        pause = 0.05
        while True:
            start = time.monotonic()
            try:
                answer: Answer = await request()
            except Broken:
                self.tally.broken[kind] += 1
            else:
                if self.tally.gate.opened is not None or kind in ("join", "audio"):
                    self.tally.seconds[kind].append(time.monotonic() - start)
                if answer.status < 400:
                    return answer
                self.tally.refused[f"{kind} {answer.status}"] += 1
                if answer.status < 500:
                    return None
            if self.over and kind != "save":
                return None
            await asyncio.sleep(pause)
            pause = min(1.0, 2 * pause)


async def knock(site: str, path: str, browsers: int, seconds: float) -> Tally:
    """Let browsers ask for the same small page again and again: the most that the server can answer."""
    tally = Tally(Gate(browsers, seconds, patience=60.0))

    async def ask(connection: Connection) -> None:
        await tally.gate.come()
        while not tally.gate.over:
            start = time.monotonic()
            try:
                answer = await connection.get(path)
            except Broken:
                tally.broken["empty"] += 1
                continue
            tally.seconds["empty"].append(time.monotonic() - start)
            if answer.status >= 400:
                tally.refused[f"empty {answer.status}"] += 1
        await connection.close()

    await asyncio.gather(*(ask(Connection(site)) for _ in range(browsers)))
    return tally


async def listen(
    site: str,
    study: str,
    listeners: int,
    pace: Pace,
    seconds: float,
    *,
    patience: float = 120.0,
    sessions: int | None = None,
    first: int = 0,
) -> Tally:
    """Let browsers take the study with the token `study`.

    Args:
        site: URL of the site.
        study: the token of its listener link.
        listeners: number of simultaneous listeners.
        pace: pace of each listener.
        seconds: duration, from when all have the first trial's sounds or `patience` seconds have passed.
        patience: see `seconds`.
        sessions: sessions per listener; None: as many as the time allows.
        first: number of the first listener, from which its chance is drawn.
    """
    tally = Tally(Gate(listeners, seconds, patience))
    made = [Listener(site, study, number, pace, tally) for number in range(first, first + listeners)]
    await asyncio.gather(*(listener.run(sessions) for listener in made))
    return tally
