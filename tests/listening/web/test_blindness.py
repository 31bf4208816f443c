"""What a listener's browser gets says nothing about which recording is which system (M16)."""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from django.test import Client
from django.urls import reverse

from codec.registry import SYSTEMS as KNOWN
from evaluation.metrics.loudness import loudness
from listening.models import Item, Session, Stimulus, Study, Trial
from listening.session.sessions import TRAINED, begin, start_session, take_step
from listening.study.floor import floor_noise
from listening.study.studies import ALWAYS
from tests.listening.conftest import SYSTEMS, grade, listen, system_of

SESSIONS = 6


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    """Alice's study, with sound."""
    return make_study(sound=True)


def page_of(html: str) -> dict[str, Any]:
    """The JSON that the rating page is given."""
    found = re.search(r'<script id="page" type="application/json">(.*?)</script>', html, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def heard(client: Client, session: Session) -> list[tuple[Trial, str, dict[str, Any], dict[str, Any]]]:
    """Take the whole test: each trial with its HTML, its data, and the answer to each audio address."""
    seen = []
    address = reverse("session", args=[session.token])
    for trial in session.trials.all():
        take_step(session, TRAINED, {})  # once the training is over, and nothing otherwise
        html = client.get(address).content.decode()
        page = page_of(html)
        urls = [page["reference"]["url"], *(stimulus["url"] for stimulus in page["stimuli"])]
        seen.append((trial, html, page, {url: client.get(url) for url in urls}))
        grade(trial)
    return seen


def test_nothing_in_page_headers_or_files_tells_systems_apart(make_study: Callable[..., Study]) -> None:
    study = make_study(clips=2, sound=True)
    client = Client(headers={"X-Request-ID": "the-same-name"})  # else a random one for each
    places = defaultdict(set)
    bodies: set[bytes] = set()
    count = 0
    secrets = {str(value) for value in Stimulus.objects.values_list("rendition", flat=True)}
    secrets |= set(Stimulus.objects.values_list("audio", flat=True))
    secrets |= set(KNOWN) | {system.title for system in KNOWN.values() if system.title != "Original"}
    secrets |= {str(study.seed), *(clip.title for item in study.items.all() for clip in [item.clip])}
    for _ in range(SESSIONS):
        session = start_session(study)
        begin(session)
        for trial, html, page, answers in heard(client, session):
            assert [entry["key"] for entry in page["stimuli"]] == [entry["key"] for entry in trial.order]
            assert [entry["label"] for entry in page["stimuli"]] == [
                str(n) for n in range(1, len(trial.order) + 1)
            ]
            assert set(page) == {
                "ratingsUrl", "eventsUrl", "commentUrl", "finishUrl", "reference", "stimuli", "comment",
                    "eventSequence", "heard", "storedUrl", "training",
            }  # fmt: skip
            for entry in page["stimuli"]:
                assert set(entry) == {"key", "url", "label", "score", "sequence"}
                assert (entry["score"], entry["sequence"]) == (None, 0)
            assert [secret for secret in secrets if secret in html] == []
            assert str(session.seed) not in html

            # Every answer has the same headers, down to the length, and none names a file or a date.
            headers = {tuple(sorted(answer.headers.items())) for answer in answers.values()}
            assert len(headers) == 1
            names = {name.lower() for name, _ in headers.pop()}
            assert not names & {
                "etag",
                "last-modified",
                "content-disposition",
                "accept-ranges",
                "server-timing",
            }
            assert {answer.status_code for answer in answers.values()} == {200}
            assert {answer["Cache-Control"] for answer in answers.values()} == {"no-store, private"}
            bodies |= {answer.content for answer in answers.values()}
            count += len(answers)
            for place, entry in enumerate(trial.order):
                places[system_of(entry)].add(place)
    # No two files are equal: not the open and the hidden reference, not the same stimulus in two sessions.
    assert len(bodies) == count
    # And no system keeps to its place.
    assert all(len(found) > 1 for found in places.values())
    assert set(places) == {*ALWAYS, *SYSTEMS}


def test_the_two_references_differ_in_their_noise_floor_only(client: Client, session: Session) -> None:
    trial = session.trials.get(position=1)
    hidden = next(entry["key"] for entry in trial.order if system_of(entry) == "original")
    audio = []
    for key in (trial.reference_key, hidden):
        answer = client.get(reverse("stimulus_audio", args=[session.token, 1, key]))
        samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
        audio.append(samples.astype(int))
    difference = audio[0] - audio[1]
    assert np.mean(difference != 0) > 0.9
    # The floor follows the item's loudness, which is kept with its stimuli, and is that of no other item.
    item = Item.objects.get(pk=trial.item_id)
    assert item.loudness == pytest.approx(loudness(audio[0] / 32767, rate), abs=0.2)
    floor = floor_noise(60 * rate, 1, rate, b"any", item.loudness).std()
    assert difference.std() == pytest.approx(np.sqrt(2) * floor, rel=0.35)


def test_a_file_is_the_same_at_each_request(client: Client, session: Session) -> None:
    """Averaging over requests must not take the noise away."""
    url = reverse("stimulus_audio", args=[session.token, 1, session.trials.get(position=1).order[0]["key"]])
    assert client.get(url).content == client.get(url).content


def test_addresses_of_others_and_of_nothing_are_not_found(
    client: Client, study: Study, session: Session
) -> None:
    trial = session.trials.get(position=1)
    key, foreign = trial.order[0]["key"], start_session(study).trials.get(position=1).order[0]["key"]
    for token, position, wanted in (
        (session.token, 1, foreign),
        (session.token, 2, key),
        (session.token, 9, key),
        (session.token, 1, "x"),
        ("x", 1, key),
        (session.token, 1, str(trial.order[0]["stimulus"])),
    ):
        assert client.get(reverse("stimulus_audio", args=[token, position, wanted])).status_code == 404
    assert client.post(reverse("stimulus_audio", args=[session.token, 1, key])).status_code == 405


def test_the_masters_have_no_address(client: Client, study: Study) -> None:
    for name in Stimulus.objects.values_list("audio", flat=True)[:3]:
        for url in (f"/{name}", f"/media/{name}", f"/static/{name}"):
            assert client.get(url).status_code == 404


def test_no_other_page_tells_a_listener_more(client: Client, study: Study) -> None:
    session = listen(study)
    for url in (
        reverse("join", args=[study.token]),
        reverse("session", args=[session.token]),
        reverse("session", args=[start_session(study).token]),
    ):
        html = client.get(url).content.decode()
        assert [slug for slug in KNOWN if slug != "original" and slug in html] == []
    for name in ("study", "results", "ratings_csv", "mushra_csv"):
        assert client.get(reverse(name, args=[study.pk])).status_code == 302
