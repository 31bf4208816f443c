"""What tests of listeners' pages share: a study made on the spot, and a listener's hands."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone

from codec import registry
from codec.base import Audio
from evaluation.models import Clip, Rendition
from listening import tasks
from listening.models import Event, Rating, Session, Study, Trial
from listening.session.sessions import TRAINED
from listening.study.studies import create_study
from tests.listening.snapshots import make_once
from tests.live import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

RATE = 16_000
SYSTEMS = ["original", "anchor35", "anchor70", "codec2-3.2k"]


@cache
def speech_like(seconds: float) -> Audio:
    """Harmonics of a falling pitch in syllables: enough for codecs and loudness; read-only."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(140 - 15 * time) / RATE
    voice = np.add.reduce([np.sin(k * phase) / k for k in range(1, 50)])
    audio = (0.15 * voice * (0.55 + 0.45 * np.sin(2 * np.pi * 3 * time))).astype(np.float32)
    audio.setflags(write=False)
    return audio


@cache
def speech_through(slug: str, seconds: float) -> Audio:
    """What a system makes of `speech_like`."""
    codec = registry.load(slug)
    return codec.decode(codec.encode(speech_like(seconds)))


def wav(audio: Audio) -> ContentFile[bytes]:
    file = io.BytesIO()
    soundfile.write(file, audio, RATE, format="WAV", subtype="PCM_16")
    return ContentFile(file.getvalue())


def make_clip(owner: User, renditions: dict[str, Audio], seconds: float, number: int = 0) -> Clip:
    clip = Clip.objects.create(
        owner=owner, sha256=f"{number:064}", title="Vowels", original_name="vowels.wav", seconds=seconds,
        source_rate=RATE, source_channels=1, source_format="WAV",
    )  # fmt: skip
    clip.audio.save("clip.wav", wav(renditions["original"]))
    for slug, audio in renditions.items():
        row = Rendition.objects.create(clip=clip, system=slug, status=Rendition.Status.DONE)
        row.audio.save(f"{row.pk}.wav", wav(audio))
    return clip


def open_study(clip: Clip, systems: list[str], *more: Clip) -> Study:
    study = create_study(clip.owner, "Vowels at low rates", [clip, *more], systems, seed=1)
    tasks.prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN, study.error
    return study


def study_of_twelve(owner: User) -> Study:
    """Twelve stimuli of a second, all of which sound alike."""

    def make() -> Study:
        systems = list(registry.SYSTEMS)[:12]
        outputs = dict.fromkeys(systems, speech_like(1.0))
        return open_study(make_clip(owner, outputs, 1.0), systems)

    return make_once("twelve stimuli", owner, make)


def ready(page: Page) -> Page:
    page.wait_for_selector("#rating[data-ready]")
    return page


def after_training(page: Page) -> None:
    """From the end of the training to the first trial that counts."""
    begin = page.get_by_role("button", name="Start the test")
    if begin.count():
        with page.expect_navigation():
            begin.click()


def skip_training(session: Session) -> None:
    """The session as it is when its training is over."""
    session.trials.filter(item__training=True).update(finished=timezone.now())
    session.stages.get_or_create(name=TRAINED)


def hear(page: Page, number: int) -> None:
    page.get_by_role("button", name=f"Play version {number}", exact=True).click()
    page.wait_for_selector(f".column:nth-child({number + 1} of .columns > *).sounding")


def point(page: Page, number: int, score: float) -> tuple[float, float]:
    """Where on the screen a slider means `score`: its thumb travels the track less its own height."""
    box = page.locator(".track input").nth(number - 1).bounding_box()
    assert box is not None
    thumb = 18
    return box["x"] + box["width"] / 2, box["y"] + thumb / 2 + (1 - score / 100) * (box["height"] - thumb)


def grades(page: Page) -> list[str]:
    return page.locator(".grade").all_inner_texts()


def wait_saved(page: Page) -> None:
    page.wait_for_selector('#saved[data-state="saved"]')


def stored(trial: Trial) -> list[int | None]:
    """Scores in order of presentation."""
    scores = dict(Rating.objects.filter(trial=trial).values_list("stimulus_id", "score"))
    return [scores.get(entry["stimulus"]) for entry in trial.order]


def wait_for_event(session: Session, kind: str) -> None:
    found = Event.objects.filter(trial__session=session, kind=kind)
    wait_for(f"an event {kind}", found.exists, 10)
