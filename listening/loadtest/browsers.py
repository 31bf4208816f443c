"""What listeners' browsers do, without the browser: join, fetch sounds, save each change of a grade, hand in.

As the rating page's script does, a change is sent until the server has confirmed it, with the same sequence
number; what was confirmed is kept, to be looked up in the database afterwards.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from typing import Any

from listening.loadtest.http import Answer, Broken, Connection

_PAGE = re.compile(r'<script id="page" type="application/json">(.*?)</script>', re.DOTALL)
#: Pages between two trials; more is a listener who goes in circles.
MAX_PAGES = 20


@dataclass(frozen=True)
class Pace:
    """How fast listeners are.

    Attributes:
        listen: seconds between two grades, from and to.
        changes: requests of one grade: a slider that is dragged is saved about every 100 ms.
        gap: seconds between them.
    """

    listen: tuple[float, float]
    changes: int
    gap: float


#: A listener hears a version for a few seconds and drags its slider for half a second.
REALISTIC = Pace((2.0, 6.0), 4, 0.12)
#: As fast as the server answers.
MAXIMAL = Pace((0.0, 0.0), 2, 0.0)


@dataclass
class Tally:
    """What all browsers saw together.

    Attributes:
        seconds: latencies by kind of request (join, page, audio, save, events, finish).
        confirmed: score and sequence number of the newest confirmed grade, by (session token, position, key).
        refused: answers that were no 2xx or 3xx, by kind and status.
        broken: requests without an answer, by kind; each was sent again.
        sessions: taken to the end.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    confirmed: dict[tuple[str, int, str], tuple[int, float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    audio_bytes: int = 0

    def percentile(self, kind: str, share: float) -> float:
        """Latency in seconds that `share` of the requests of a kind stayed below; nan if there were none."""
        ordered = sorted(self.seconds[kind])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class _Form(HTMLParser):
    """The first POST form of a page: its address, and what a willing listener would send."""

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


class Listener:
    """One simulated browser, taking sessions of one study until `until` (of `time.monotonic`)."""

    def __init__(
        self,
        site: str,
        study: str,
        number: int,
        pace: Pace,
        tally: Tally,
        until: float,
        *,
        patient: bool = True,
    ) -> None:
        self.study = study
        self.pace = pace
        self.tally = tally
        self.until = until
        self.connection = Connection(site)
        self.chance = random.Random(number)  # noqa: S311

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until

    async def run(self, sessions: int | None = None) -> None:
        """Take `sessions` sessions, or as many as there is time for."""
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

    async def take_trial(self, address: str, page: dict[str, Any]) -> bool:
        """Hear, grade and hand in one page; False if time ran out."""
        token, position = address.strip("/").split("/")[-1], int(page["ratingsUrl"].split("/")[-3])
        opened = time.monotonic()
        for signal in [page["reference"], *page["stimuli"]]:
            answer = await self.send("audio", partial(self.connection.get, signal["url"]))
            self.tally.audio_bytes += len(answer.body) if answer else 0
        order = list(page["stimuli"])
        self.chance.shuffle(order)
        event = page.get("eventSequence", 0)
        for stimulus in order:
            await asyncio.sleep(self.chance.uniform(*self.pace.listen))
            sequence = stimulus.get("sequence") or 0
            for _ in range(self.pace.changes):
                if self.over:
                    return False
                sequence += 1
                score = self.chance.randint(0, 100)
                await self.save(page, (token, position, stimulus["key"]), score, sequence)
                await asyncio.sleep(self.pace.gap)
            event += 1
            happened = {
                "sequence": event,
                "kind": "grade",
                "milliseconds": round(1000 * (time.monotonic() - opened)),
                "detail": {"key": stimulus["key"], "score": score},
            }
            body = {"events": [happened]}
            await self.send("events", lambda body=body: self.connection.post_json(page["eventsUrl"], body))  # type: ignore[misc]
        done = await self.send(
            "finish", lambda: self.connection.post_json(page["finishUrl"], {"comment": ""})
        )
        return done is not None

    async def save(
        self, page: dict[str, Any], which: tuple[str, int, str], score: int, sequence: int
    ) -> None:
        body = {"key": which[2], "score": score, "sequence": sequence}
        answer = await self.send("save", lambda: self.connection.post_json(page["ratingsUrl"], body))
        if answer is not None:
            stored = answer.json()
            self.tally.confirmed[which] = (int(stored["sequence"]), float(stored["score"]))

    async def send(self, kind: str, request: Callable[[], Any]) -> Answer | None:
        """Send, and again until there is an answer or time is over; None for a refusal or no answer."""
        pause = 0.05
        while True:
            start = time.monotonic()
            try:
                answer: Answer = await request()
            except Broken:
                self.tally.broken[kind] += 1
            else:
                self.tally.seconds[kind].append(time.monotonic() - start)
                if answer.status < 400:
                    return answer
                self.tally.refused[f"{kind} {answer.status}"] += 1
                if answer.status < 500:
                    return None
            # A little longer than the time asked for: what is under way should be confirmed or fail.
            if time.monotonic() > self.until + 10:
                return None
            await asyncio.sleep(pause)
            pause = min(1.0, 2 * pause)


async def listen(
    site: str, study: str, listeners: int, pace: Pace, seconds: float, sessions: int | None = None
) -> Tally:
    """Let `listeners` browsers take the study with the token `study` for `seconds`, or `sessions` each."""
    tally = Tally()
    until = time.monotonic() + seconds
    made = [Listener(site, study, number, pace, tally, until) for number in range(listeners)]
    await asyncio.gather(*(listener.run(sessions) for listener in made))
    return tally
