"""Two published screening tests for headphones, generated and evaluated on the server.

`Study.headphones` (`listening.columns.studies.Headphones`) lists the tests of a study. Each attempt has six
rounds of three intervals, one of which is the right answer, and is stored as a `Stage` (``huggins-1``: first
attempt) with the given answers, the right answers and the outcome. The right interval is derived from the
server's secret, so a browser can learn it from the sound only.

Sources: A. E. Milne et al., "An online headphone screening test based on dichotic pitch", Behavior Research
Methods 53 (2021) 1551-1562; K. J. P. Woods et al., "Headphone screening to facilitate web-based auditory
experiments", Attention, Perception & Psychophysics 79 (2017) 2064-2072.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from django.utils import timezone
from django.utils.crypto import salted_hmac
from numpy.typing import NDArray

from codec.audio import wav_of
from listening.columns.sessions import RoundAnswer, StageData
from listening.columns.studies import ROUNDS
from listening.models import Session, Stage, Study

Audio = NDArray[np.float64]

RATE = 44_100
INTERVAL_SECONDS, GAP_SECONDS = 1.0, 0.5
#: Huggins pitch: the band that is phase-inverted in the right ear, 600 Hz +- 6 %.
CENTRE_HZ, HALF_WIDTH = 600.0, 0.06
NOISE_RMS = 0.05
NOISE_RAMP_SECONDS = 0.030
#: Antiphase tones: frequency, peak, and the gain of the softer one.
TONE_HZ, TONE_PEAK, SOFTER_DB = 200.0, 0.2, -6.0
TONE_RAMP_SECONDS = 0.100


@dataclass(frozen=True)
class Test:
    """A screening test: its title, and how the signal of a round is generated.

    Attributes:
        slug: its name in `Study.headphones`.
        title: for researchers.
        source: the paper, as a short citation.
        plans: the plans of an attempt's rounds, in random order, as ``(answer, other)``: the right interval
            from 0, and the phase-inverted interval of the antiphase test, or -1.
        signal: generates a round from its plan and a random generator: float (samples, 2).
    """

    __test__ = False  # or pytest would collect it because of its name

    slug: str
    title: str
    source: str
    plans: tuple[tuple[int, int], ...]
    signal: Callable[[tuple[int, int], np.random.Generator], Audio]


def huggins_signal(plan: tuple[int, int], generator: np.random.Generator) -> Audio:
    """Three bursts of white noise, equal in both ears except for a phase shift in the right ear of one burst.

    Neither ear alone has a cue; with both, a faint tone of 600 Hz is heard in that burst.
    """
    size = round(INTERVAL_SECONDS * RATE)
    frequencies = np.fft.rfftfreq(size, 1 / RATE)
    turned = np.abs(frequencies - CENTRE_HZ) <= HALF_WIDTH * CENTRE_HZ
    bursts = []
    for interval in range(3):
        left = generator.normal(scale=NOISE_RMS, size=size)
        right = left
        if interval == plan[0]:
            spectrum = np.fft.rfft(left)
            spectrum[turned] *= -1
            right = np.fft.irfft(spectrum, size)
        bursts.append(np.stack([left, right], axis=1) * _ramps(size, NOISE_RAMP_SECONDS)[:, None])
    return _join_with_gaps(bursts)


def antiphase_signal(plan: tuple[int, int], generator: np.random.Generator) -> Audio:
    """Three tones of 200 Hz: one softer by 6 dB, another with one ear phase-inverted.

    Over loudspeakers the inverted tone cancels in the air and seems the softest.
    """
    softest, turned = plan
    size = round(INTERVAL_SECONDS * RATE)
    tone = TONE_PEAK * np.sin(2 * np.pi * TONE_HZ * np.arange(size) / RATE) * _ramps(size, TONE_RAMP_SECONDS)
    tones = []
    for interval in range(3):
        gain = 10 ** (SOFTER_DB / 20) if interval == softest else 1.0
        tones.append(gain * np.stack([tone, -tone if interval == turned else tone], axis=1))
    return _join_with_gaps(tones)


def example_signal() -> Audio:
    """An example for the Huggins test: noise, then noise with a real tone, equal in both ears."""
    generator = np.random.default_rng(600)
    size = round(INTERVAL_SECONDS * RATE)
    noise = generator.normal(scale=NOISE_RMS, size=(2, size)) * _ramps(size, NOISE_RAMP_SECONDS)
    tone = 0.4 * NOISE_RMS * np.sqrt(2) * np.sin(2 * np.pi * CENTRE_HZ * np.arange(size) / RATE)
    with_tone = noise[1] + tone * _ramps(size, TONE_RAMP_SECONDS)
    return _join_with_gaps([np.stack([part, part], axis=1) for part in (noise[0], with_tone)])


TESTS = {
    test.slug: test
    for test in (
        Test(
            "huggins",
            "Huggins pitch",
            "Milne et al. 2021",
            tuple((interval, -1) for interval in (0, 0, 1, 1, 2, 2)),
            huggins_signal,
        ),
        Test(
            "antiphase",
            "Antiphase tones",
            "Woods et al. 2017",
            tuple((softest, turned) for softest, turned in itertools.permutations(range(3), 2)),
            antiphase_signal,
        ),
    )
}


@dataclass(frozen=True)
class Round:
    """The next round of a test; attempts and rounds are counted from 1."""

    test: Test
    attempt: int
    number: int
    attempts: int

    @property
    def stage(self) -> str:
        return f"{self.test.slug}-{self.attempt}"


def requires_headphones(study: Study) -> bool:
    """Whether loudspeakers are excluded, by the researcher's setting or by a screening test."""
    return study.headphones.required or bool(study.headphones.tests)


def _ends_session_on_failure(study: Study) -> bool:
    return study.headphones.on_fail == "end"


def current_round(session: Session) -> Round | None:
    """The round that the listener has to take next; None when all tests are over, passed or not."""
    if session.kind == Session.Kind.SIMULATED:
        return None
    tests = session.study.headphones.tests
    if not tests:
        return None
    stages = {stage.name: stage.data for stage in session.stages.all()}
    for test in tests:
        for attempt in range(1, test.attempts + 1):
            data = stages.get(f"{test.test}-{attempt}", StageData())
            if data.get("passed"):
                break
            if "passed" not in data:
                return Round(TESTS[test.test], attempt, len(data.get("answers", [])) + 1, test.attempts)
    return None


def plan_of(session: Session, round_: Round) -> tuple[int, int]:
    """The plan of a round: the right interval from 0, and the phase-inverted interval or -1."""
    plans = list(round_.test.plans)
    random.Random(_secret(session, round_.stage)).shuffle(plans)  # noqa: S311 -- seeded by a secret
    return plans[round_.number - 1]


def _secret(session: Session, name: str) -> int:
    digest = salted_hmac("listening.study.headphones", f"{session.pk}:{name}", algorithm="sha256").digest()
    return int.from_bytes(digest[:8], "big")


def round_wav(session: Session, round_: Round) -> bytes:
    """The sound of a round; identical for every request."""
    generator = np.random.default_rng(_secret(session, f"{round_.stage}-{round_.number}"))
    return stereo_wav(round_.test.signal(plan_of(session, round_), generator))


def answer_round(session: Session, stage: str, number: int, answer: int) -> bool:
    """Store the answer, 1 to 3, to the current round of a locked session, and the outcome of the attempt.

    Do nothing and return False if another round is current (a double click, a stale page, a forged number).
    A failed last attempt ends the session if the study is set up so.
    """
    current = current_round(session)
    if current is None or (current.stage, current.number) != (stage, number) or answer not in (1, 2, 3):
        return False
    row, _created = Stage.objects.get_or_create(session=session, name=stage, defaults={"data": {}})
    answers: list[RoundAnswer] = [
        *row.data.get("answers", []),
        {
            "answer": answer,
            "right": plan_of(session, current)[0] + 1,
            "at": timezone.now().isoformat(timespec="milliseconds"),
        },
    ]
    row.data = {"answers": answers}
    if len(answers) == ROUNDS:
        needed = next(test for test in session.study.headphones.tests if test.test == current.test.slug)
        right = sum(entry["answer"] == entry["right"] for entry in answers)
        passed = right >= needed.to_pass
        row.data = {"answers": answers, "correct": right, "passed": passed}
        if not passed and current.attempt >= current.attempts and _ends_session_on_failure(session.study):
            Session.objects.filter(pk=session.pk, screened_out=None).update(screened_out=timezone.now())
    row.save(update_fields=["data"])
    return True


def pass_tests(session: Session) -> None:
    """Pass what is left of the screening, for a preview."""
    while (current := current_round(session)) is not None:
        Stage.objects.update_or_create(
            session=session, name=current.stage, defaults={"data": {"passed": True}}
        )


def stereo_wav(audio: Audio) -> bytes:
    """16-bit WAV of `audio`, float (samples, 2) in [-1, 1] at `RATE`. Equal channels stay equal."""
    return wav_of(np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16), RATE)


def _ramps(size: int, seconds: float) -> Audio:
    """An envelope (size,) with raised-cosine ramps of `seconds` at both ends."""
    ramp = round(seconds * RATE)
    envelope = np.ones(size)
    envelope[:ramp] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    envelope[size - ramp :] = envelope[:ramp][::-1]
    return envelope


def _join_with_gaps(parts: list[Audio]) -> Audio:
    gap = np.zeros((round(GAP_SECONDS * RATE), 2))
    joined = [piece for part in parts for piece in (part, gap)]
    return np.concatenate(joined[:-1])
