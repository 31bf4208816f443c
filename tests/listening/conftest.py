"""Processed clips, studies that are ready, and listeners who grade."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from numpy.typing import NDArray

from evaluation.access import Role
from evaluation.analysis.statistics import comparisons
from evaluation.models import Clip, Rendition, Score
from evaluation.work import jobs
from listening.models import Preparation, Rating, Session, Share, Stimulus, Study, Trial
from listening.session.grading import check_score
from listening.session.ratings import finish_trial, save_rating
from listening.session.sessions import begin, start_session
from listening.study.preparing import finish_preparing
from listening.study.studies import ALWAYS, create_study
from listening.tasks import make_file, prepare_study
from tests.evaluation.conftest import RATE, make_clip, make_speech, make_wav
from tests.listening import snapshots

__all__ = ["make_clip"]  # a fixture

SYSTEMS = ["opus-9k", "bpgan-2k"]
SECONDS = 0.5


def process(clip: Clip, systems: list[str] = SYSTEMS, audio: NDArray[np.float32] | None = None) -> None:
    """Store rows as if `clip` had been through `systems` and the three that every study needs.

    With the clip's `audio` the rows have files: it, and it with noise.
    """
    renditions, scores = [], []
    for number, slug in enumerate([*ALWAYS, *systems]):
        rendition = Rendition(clip=clip, system=slug, status=Rendition.Status.DONE, kbps=2.0 + number)
        if audio is not None:
            noise = np.random.default_rng(number).normal(scale=0.01, size=audio.shape)
            degraded = audio if slug == "original" else audio + noise.astype(np.float32)
            rendition.audio.save("audio.wav", ContentFile(make_wav(degraded, clip.rate)), save=False)
        renditions.append(rendition)
        for metric, value in (
            ("pesq_nb", 4.5 - number / 2),
            ("pesq_wb", 4.6 - number / 2),
            ("stoi", 1 - number / 10),
        ):
            scores.append(Score(rendition=rendition, metric=metric, status=Score.Status.DONE, value=value))
    Rendition.objects.bulk_create(renditions)
    Score.objects.bulk_create(scores)


@pytest.fixture
def processed(make_clip: Callable[..., Clip], media: Path) -> Callable[..., Clip]:
    """Make a clip that has been through `systems` and the three that every study needs.

    Its renditions are rows without files unless they are to be heard (`sound`).
    """

    def make(
        owner: User,
        systems: list[str] = SYSTEMS,
        *,
        sound: bool = False,
        rate: int = RATE,
        channels: int = 1,
        **fields: Any,
    ) -> Clip:
        audio = make_speech(SECONDS, rate)
        if channels > 1:
            audio = np.stack([audio, 0.5 * audio], axis=1)
        clip = make_clip(owner, audio, rate=rate, **fields)
        process(clip, systems, audio if sound else None)
        return clip

    return make


@pytest.fixture
def make_study(alice: User, processed: Callable[..., Clip]) -> Callable[..., Study]:
    """Make alice's study, open; with `sound`, its stimuli are rendered as a worker does it."""

    def make(clips: int = 2, systems: list[str] = SYSTEMS, *, sound: bool = False, **fields: Any) -> Study:
        wanted = repr((clips, systems, sound, sorted(fields.items())))
        return snapshots.make_once(wanted, alice, lambda: render(clips, systems, sound=sound, **fields))

    def render(clips: int, systems: list[str], *, sound: bool, **fields: Any) -> Study:
        made = [processed(alice, systems, sound=sound, **fields) for _ in range(clips)]
        study = create_study(alice, "Speech at 2 kbit/s", made, systems, seed=70_007_007)
        if sound:
            prepare_study(str(study.pk))
        else:
            open_unrendered(study)
        study.refresh_from_db()
        assert study.status == Study.Status.OPEN, study.error
        return study

    return make


def open_unrendered(study: Study) -> None:
    """Let listeners in, or wait for the researcher to, as if a worker had rendered the stimuli."""
    row = jobs.claim(Preparation, study.pk)
    assert row is not None
    assert finish_preparing(row)


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    """Alice's study: two items and training through two systems, open."""
    return make_study()


@pytest.fixture
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fiftieth of the permutations of BS.1534-3's test, for pages whose words do not rest on its p."""
    monkeypatch.setattr(comparisons, "attachment3", partial(comparisons.attachment3, permutations=200))


@pytest.fixture
def session(study: Study) -> Session:
    """A listener who has read the instructions."""
    started = start_session(study)
    begin(started)
    return started


def system_of(entry: Mapping[str, Any]) -> str:
    """What is behind an entry of `Trial.order`."""
    return Stimulus.objects.get(pk=entry["stimulus"]).system


def grade(
    trial: Trial, scores: Mapping[str, int] | None = None, *, finish: bool = True, comment: str = ""
) -> None:
    """Grade every stimulus of a trial by its system, 50 where `scores` does not say.

    Grades that are handed in at once are written at once, too: whether it is the trial's turn, `finish_trial`
    asks.
    """
    systems = Stimulus.objects.in_bulk([entry["stimulus"] for entry in trial.order])
    given = {entry["key"]: (scores or {}).get(systems[entry["stimulus"]].system, 50) for entry in trial.order}
    if finish and not trial.ratings.exists():
        Rating.objects.bulk_create(
            Rating(
                trial=trial,
                stimulus=systems[entry["stimulus"]],
                score=check_score(trial.session.study.method, given[entry["key"]]),
                sequence=1,
            )
            for entry in trial.order
        )
    else:
        for key, score in given.items():
            save_rating(trial, key, score, 1)
    if finish:
        finish_trial(trial, comment)


def listen(study: Study, scores: Mapping[str, int] | None = None, **options: Any) -> Session:
    """A listener who takes the whole test."""
    session = start_session(study)
    begin(session)
    for trial in session.trials.all():
        grade(trial, scores, **options)
    session.refresh_from_db()
    return session


def share(study: Study, user: User, role: Role) -> None:
    """Have somebody see or change a study, in place of what they could."""
    Share.objects.update_or_create(study=study, user=user, defaults={"role": role})


def fetch_made(client: Client, answer: Any) -> bytes:
    """The file that a page or the API let a worker make, after a worker has."""
    if answer.status_code == 202:
        address = f"/api/files/{answer.json()['id']}"
        content = f"{address}/content"
        assert client.get(content).status_code == 409
    else:
        address = answer["Location"]
        content = f"{address}download"
        page = client.get(address).content.decode()
        assert "Waiting for a worker" in page
        [fragment] = re.findall(r'id="job-madefile-\S+" hx-get="([^"]+)"', page)
        assert client.get(fragment).status_code == 200
    make_file(address.strip("/").split("/")[-1])
    shown = client.get(address)
    assert shown.status_code == 200
    fetched = client.get(content)
    assert fetched.status_code == 200, shown.content
    assert "attachment" in fetched["Content-Disposition"]
    return b"".join(fetched.streaming_content)


#: Gives the answers of one trial.
Answer = Callable[[Trial], None]


@pytest.fixture
def hold(alice: Any, processed: Callable[..., Any]) -> Callable[..., Study]:
    """A finished test of a method: as a rule two items and four listeners, who answer alike."""

    def make(
        method: str,
        answer: Answer,
        *,
        systems: tuple[str, ...] = ("opus-9k", "bpgan-2k"),
        listeners: int = 4,
        items: int = 2,
        **options: Any,
    ) -> Study:
        clips = [processed(alice, list(systems)) for _ in range(items)]
        study = create_study(
            alice, "A study", clips, systems, method=method, options=options, seed=70_007_007
        )
        open_unrendered(study)
        study.refresh_from_db()
        for _ in range(listeners):
            take(start_session(study), answer)
        return study

    return make


def take(session: Session, answer: Answer) -> None:
    """Go through a session as a listener does."""
    begin(session)
    for trial in session.trials.all():
        answer(trial)
        finish_trial(trial, "")
