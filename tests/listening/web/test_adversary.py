"""The blindness of a test, attacked: see `tests.listening.web.adversary` for what the adversary does.

All chance is seeded, so that this passes or fails for good.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evaluation.models import Clip
from listening.models import Session, Stage, Stimulus, Study
from listening.session.sessions import TRAINED, VOLUME, begin, start_session
from listening.study.studies import create_study
from tests.codec.speech import SENTENCES, harvard_sentence
from tests.listening.conftest import SYSTEMS
from tests.listening.web.adversary import (
    AUDIBLE,
    INAUDIBLE,
    LISTENING,
    Seen,
    Slot,
    attacks_by_statistics,
    attacks_on,
    attacks_on_orders,
    deliver,
    leaks,
    measure,
)
from tests.rows import some

TARGETS = ("original", "anchor35", "anchor70", *SYSTEMS)


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Keys, ids and dither from a seed in place of the system's chance."""
    chance = random.Random("the adversary's luck")
    monkeypatch.setattr(os, "urandom", chance.randbytes)
    monkeypatch.setattr(random, "_urandom", chance.randbytes)
    settings.SECRET_KEY = "not a secret"


def page_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script id="page" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the files that the storage opened."""
    opened: list[int] = []
    original = FileSystemStorage._open

    def note(self: FileSystemStorage, name: str, mode: str = "rb") -> Any:
        opened.append(self.size(name))
        return original(self, name, mode)

    monkeypatch.setattr(FileSystemStorage, "_open", note)
    return opened


def look_at(
    client: Client, session: Session, number: int, systems: dict[int, str], reads: list[int]
) -> list[Seen]:
    """Take a session, noting all that a browser gets."""
    address = reverse("session", args=[session.token])
    seen = []
    for trial in session.trials.order_by("position"):
        html = client.get(address).content.decode()
        page = page_of(html)
        reference = client.get(page["reference"]["url"])
        slots = []
        for place, entry in enumerate(page["stimuli"]):
            reads.clear()
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(entry["url"])
            saving = []
            for body in (
                {"key": entry["key"], "score": 101, "sequence": 1},
                {"key": entry["key"], "score": 50, "sequence": 0},
                {"key": entry["key"], "score": 50, "sequence": 1},
            ):
                said = client.post(page["ratingsUrl"], json.dumps(body), content_type="application/json")
                # Without the time of day: on a slow machine it tells one answer from the next.
                headers = {name: value for name, value in said.headers.items() if name != "Expires"}
                saving.append((said.status_code, sorted(headers.items()), said.content))
            column = re.search(
                rf'<div class="column"[^>]*data-key="{entry["key"]}".*?</output>', html, re.DOTALL
            )
            assert column
            slots.append(
                Slot(
                    place,
                    entry["key"],
                    entry["url"],
                    repr(
                        {name: value for name, value in entry.items() if name not in ("key", "url", "label")}
                    ),
                    column[0].replace(entry["key"], "").replace(entry["label"], ""),
                    tuple(answer.headers.items()),
                    answer.content,
                    (len(queries), len(reads), *reads),
                    repr(saving).replace(entry["key"], ""),
                )
            )
        client.post(page["finishUrl"], "{}", content_type="application/json")
        truth = tuple(systems[entry["stimulus"]] for entry in trial.order)
        seen.append(Seen(number, trial.position, tuple(slots), reference.content, truth))
    thanks = client.get(address).content.decode()
    assert not [slug for slug in systems.values() if slug in thanks]
    return seen


@pytest.fixture(params=some([12, 20], (12).__eq__))
def seen(
    request: pytest.FixtureRequest, seeded: None, make_study: Callable[..., Study], reads: list[int]
) -> list[Seen]:
    """What the browsers of many sessions got."""
    study = make_study(clips=2, sound=True)
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    # A browser may name its requests; names that the site draws would tell every answer from the next.
    client, found = Client(headers={"X-Request-ID": "adversary"}), []
    for number in range(request.param):
        session = start_session(study)
        begin(session)
        # Past the steps around the trials: they hold no recordings.
        for name in (VOLUME, TRAINED):
            Stage.objects.get_or_create(session=session, name=name)
        found += look_at(client, session, number, systems, reads)
    return found


def test_nothing_but_listening_tells_which_is_which(seen: list[Seen], request: pytest.FixtureRequest) -> None:
    assert len(seen) == 3 * request.node.callspec.params["seen"]
    found = [attack for target in TARGETS for attack in attacks_on(seen, target)]
    assert len(found) > 200
    assert leaks(found) == []

    # The adversary is no fool: it finds each of these leaks, planted into what it saw.
    def planted(change: Callable[[Slot, str], Slot]) -> list[str]:
        changed = [replace(each, slots=tuple(map(change, each.slots, each.truth))) for each in seen]
        return leaks(attacks_on(changed, "original"))

    hidden = "original"
    assert planted(lambda s, t: replace(s, body=s.body + b"\0\0") if t == hidden else s)
    assert planted(lambda s, t: replace(s, headers=(*s.headers, ("ETag", t))) if t == hidden else s)
    assert planted(lambda s, t: replace(s, work=(*s.work, 1)) if t == hidden else s)
    assert planted(lambda s, t: replace(s, saving=s.saving + t))
    assert planted(lambda s, t: replace(s, markup=s.markup + " ") if t == hidden else s)
    assert planted(lambda s, t: replace(s, key="A" + s.key[1:]) if t == hidden else s)
    # And whoever computes the difference of two files finds the hidden reference, as it is the same sound:
    # docs/threat-model.md says so.
    assert leaks(attacks_on(seen, hidden, LISTENING))

    no_recording_is_known_again(seen)


@pytest.mark.rest
def test_what_cannot_be_heard_does_not_name_the_hidden_reference() -> None:
    """Statistics of single files of real codecs: below what is audible the noise floor makes them alike."""
    systems = ("original", "anchor35", "anchor70", "opus-9k", "amrnb-4.75k", "codec2-2.4k")
    before, after = deliver(map(harvard_sentence, range(SENTENCES)), 16_000, systems)
    assert leaks(attacks_by_statistics(measure(before, 16_000, INAUDIBLE), "amrnb-4.75k"))
    measured = measure(after, 16_000, INAUDIBLE)
    assert leaks(attacks_by_statistics(measured, "original")) == []
    # What is heard does name systems, whatever noise is below it: an anchor has nothing above its band.
    # docs/threat-model.md says so.
    heard = {name: AUDIBLE[name] for name in ("rolloff, 99 %", "band above")}
    assert leaks(attacks_by_statistics(measure(after, 16_000, heard), "anchor35"))


def no_recording_is_known_again(seen: list[Seen]) -> None:
    """Neither by its file, nor by any stretch of it, in another session or under another key."""
    files = [hashlib.sha256(slot.body).digest() for each in seen for slot in each.slots]
    files += [hashlib.sha256(each.reference).digest() for each in seen]
    assert len(set(files)) == len(files)
    first: dict[str, list[np.ndarray]] = {}
    for each in seen[:12]:
        for slot, system in zip(each.slots, each.truth, strict=True):
            first.setdefault(system, []).append(np.frombuffer(slot.body[44:], "<i2"))
    for sounds in first.values():
        for one, other in combinations(sounds, 2):
            # Stretches of 64 samples, 4 ms, at the same place: equal ones would be dither used twice.
            stretches = min(one.size, other.size) // 64
            same = (one[: 64 * stretches] == other[: 64 * stretches]).reshape(stretches, 64)
            assert not same.all(axis=1).any()


@pytest.mark.parametrize("items", some([1, 3], (3).__eq__))
def test_places_do_not_tell_places(seeded: None, make_study: Callable[..., Study], items: int) -> None:
    """Whoever knows by listening what was where cannot tell what will be where, in their session."""
    study = make_study(clips=items)
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    orders = []
    for _ in range(120):
        session = start_session(study)
        trials = session.trials.order_by("position").values_list("order", flat=True)
        orders.append([[systems[entry["stimulus"]] for entry in order] for order in trials])
    found = [attack for target in TARGETS for attack in attacks_on_orders(orders, target)]
    assert leaks(found) == []
    # It would see a place that is kept, and one that moves on by one from trial to trial.
    chance = random.Random("kept")
    for session in orders:
        for order in session:
            chance.shuffle(order)
            order.sort(key=lambda slug: slug != "original")
    assert leaks(attacks_on_orders(orders, "original"))
    for session in orders:
        chance.shuffle(session[0])
        session[1:] = [session[0][at:] + session[0][:at] for at in range(1, 4)]
    assert leaks(attacks_on_orders(orders, "original"))


def test_the_source_code_and_a_guessed_seed_do_not_give_an_order_away(
    alice: User, processed: Callable[..., Clip]
) -> None:
    """A study's seed is drawn from 53 random bits unless its researcher insists on one."""
    clip = processed(alice)
    seeds = {create_study(alice, "Seeded", [clip], SYSTEMS).seed for _ in range(5)}
    assert len(seeds) == 5
    assert min(seeds) > 2**40
