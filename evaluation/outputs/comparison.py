"""Compares a system's output with its reference and reports unintended differences. No Django.

Nothing is corrected here: the researcher sees the findings and decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from pathlib import Path

import numpy as np

from codec.audio import AudioError, Recording, read_recording
from codec.base import WORKING_RATE, Audio, Note, channels_of, gettext_noop
from codec.working import conform, conversions, mix_down
from evaluation.metrics.alignment import Stretch, delay_of, track_delay
from evaluation.metrics.loudness import loudness

#: Inaudible difference in length, seconds; codecs work in frames.
LENGTH_TOLERANCE = 0.05
#: Smallest delay that is audible when switching between signals, seconds.
DELAY_TOLERANCE = 0.002
#: Smallest difference in level or loudness that gets a warning, dB.
LEVEL_TOLERANCE = 1.0
#: Largest delay that can be removed, seconds.
MAX_SHIFT = 0.5
#: From this share of samples at full scale a file counts as clipped.
CLIPPING_SHARE = 0.001
#: Smallest correlation of the waveforms that determines polarity and the delay to a sample.
_WAVEFORM = 0.5
_SILENCE_DB = -90.0


@dataclass(frozen=True)
class Comparison:
    """The findings about a file.

    Attributes:
        seconds, reference_seconds: lengths of the file and the reference.
        rate, channels, format: of the file.
        delay_seconds: > 0 if it is later than the reference; None if unknown, or not the same throughout.
        exact: whether the delay is known to a sample of the clip (from the waveforms) or to about 1 ms.
        certainty: correlation at the delay, 0 to 1.
        inverted: whether polarity is the opposite of the reference's; None if unknown.
        level_db: RMS level relative to the reference; None if either is silent.
        loudness_db: BS.1770 loudness relative to the reference, LU; None if either is silent.
        clipped: share of samples at full scale, in the channel that has most of them.
        stretches: with different delays, if it is not the same throughout.
        track: then also the middle of each window of a second and its delay, seconds; None in pauses.
        warnings: about what the researcher should check, faults of the file first.
        notes: about the file, and conversions on reading.
    """

    seconds: float
    reference_seconds: float
    rate: int
    channels: int
    format: str
    delay_seconds: float | None
    exact: bool
    certainty: float
    inverted: bool | None
    level_db: float | None
    loudness_db: float | None
    clipped: float
    stretches: list[Stretch] = field(default_factory=list)
    track: list[list[float | None]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def shifts(self) -> bool:
        """Whether there is a delay that can and should be removed."""
        return self.delay_seconds is not None and DELAY_TOLERANCE < abs(self.delay_seconds) <= MAX_SHIFT

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "shifts": self.shifts}


def compare(path: Path, reference: Audio, max_seconds: float, rate: int = WORKING_RATE) -> Comparison:
    """Read a file and compare it with `reference`, (samples,) or (samples, channels) at `rate` Hz.

    Raises:
        AudioError: the recording is incomplete, silent, not finite, or longer than `max_seconds`.
    """
    recording, audio = read_output(path, rate, channels_of(reference), max_seconds)
    if level_of(audio) < _SILENCE_DB:
        raise AudioError(gettext_noop("The file is silent from start to end."))
    seconds = len(reference) / rate
    delay, exact, certainty, inverted = _delay(reference, audio, rate)
    track = track_delay(reference, audio, rate, MAX_SHIFT)
    if track.changes:
        delay, exact = None, False
    level = _difference(level_of(audio), level_of(reference))
    loud = _difference(loudness(audio, rate), loudness(reference, rate))
    found = Comparison(
        recording.seconds, seconds, recording.source_rate, recording.channels, recording.format,
        delay, exact, certainty, inverted, level, loud, recording.clipped,
        notes=list(recording.notes),
    )  # fmt: skip
    if track.changes:
        found.stretches.extend(track.stretches)
        found.track.extend([second, delay] for second, delay in zip(track.seconds, track.delays, strict=True))
    found.warnings.extend([*recording.faults, *_warnings(found, rate, channels_of(reference))])
    return found


def read_output(path: Path, rate: int, channels: int, max_seconds: float) -> tuple[Recording, Audio]:
    """Read a system's output for a clip of `rate` Hz and `channels`; also returns its audio as that.

    Raises:
        AudioError: as `codec.audio.read_recording`.
    """
    recording = read_recording(path, max_seconds=max_seconds)
    audio, mixing = mix_down(recording.audio)
    notes = [*mixing, *recording.notes, *conversions(audio, recording.rate, rate, channels)]
    return replace(recording, notes=tuple(notes)), conform(audio, recording.rate, rate, channels)


def level_of(audio: Audio) -> float:
    """RMS level, dB re full scale; -inf for digital silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return 10 * np.log10(power) if power > 0 else float("-inf")


def _difference(ours: float, theirs: float) -> float | None:
    return ours - theirs if np.isfinite(ours) and np.isfinite(theirs) else None


def _delay(reference: Audio, audio: Audio, rate: int) -> tuple[float | None, bool, float, bool | None]:
    """Delay in seconds, whether it is exact, its certainty, and whether polarity is inverted.

    The envelopes give an estimate; the waveforms, if they are similar enough, refine it to a sample, first at
    16 kHz.
    """
    coarse = delay_of(reference, audio, rate, MAX_SHIFT)
    if coarse.seconds is None:
        return None, False, max(0.0, coarse.certainty), None
    channels = channels_of(reference)
    ours, theirs = (conform(each, rate, WORKING_RATE, channels) for each in (reference, audio))
    middle, reach = round(coarse.seconds * WORKING_RATE), round(0.004 * WORKING_RATE)
    lag, correlation = _best_lag(ours, theirs, middle, reach)
    if abs(correlation) < _WAVEFORM:
        return coarse.seconds, False, coarse.certainty, None
    if rate != WORKING_RATE:
        step = rate / WORKING_RATE
        lag, correlation = _best_lag(reference, audio, round(lag * step), ceil(step) + 1)
    return lag / rate, True, abs(correlation), correlation < 0


def _best_lag(reference: Audio, audio: Audio, middle: int, reach: int) -> tuple[int, float]:
    """The lag, in samples, of the largest correlation within `reach` of `middle`, and that correlation."""
    # Contiguous, and of one type: else each product would copy them first.
    ours, theirs = (np.ascontiguousarray(each, dtype=np.float64) for each in (reference, audio))
    energy = np.sqrt(np.sum(ours**2) * np.sum(theirs**2))
    lags = range(middle - reach, middle + reach + 1)
    values = np.array([_product(ours, theirs, lag) for lag in lags]) / max(energy, 1e-12)
    best = int(np.argmax(np.abs(values)))
    return lags[best], float(values[best])


def _product(reference: np.ndarray, audio: np.ndarray, lag: int) -> float:
    """Inner product of the reference with `audio` moved `lag` samples earlier."""
    ours, theirs = (reference, audio[lag:]) if lag >= 0 else (reference[-lag:], audio)
    size = min(len(ours), len(theirs))
    return float(np.vdot(ours[:size], theirs[:size])) if size > 0 else 0.0


def _list(stretches: Sequence[Stretch]) -> str:
    """The delays of stretches, with the seconds from and up to which they hold."""
    words = []
    for place, each in enumerate(stretches):
        amount = f"{1000 * abs(each.delay):.0f} ms"
        late = (
            "in time"
            if round(1000 * each.delay) == 0
            else f"{amount} {'late' if each.delay > 0 else 'early'}"
        )
        until = place + 1 < len(stretches)
        words.append(f"{late} {f'until {each.end:.1f} s' if until else f'from {each.start:.1f} s'}")
    return ", ".join(words)


def warn_of_level(level: float | None, clipped: float, reference: str = "the clip") -> list[str]:
    """Predicates about an output: how its level differs from the reference's, and whether it clips.

    Args:
        level: dB relative to the reference; None if it is unknown.
        clipped: share of samples at full scale.
    """
    said = []
    if level is not None and abs(level) > LEVEL_TOLERANCE:
        how = "louder" if level > 0 else "quieter"
        said.append(f"is {abs(level):.1f} dB {how} than {reference}; studies match loudness")
    if clipped >= CLIPPING_SHARE:
        said.append(f"clips: {100 * clipped:.2g} % of its samples are at full scale")
    return said


def _warnings(found: Comparison, rate: int, channels: int) -> list[str]:
    said = []
    longer = found.seconds - found.reference_seconds
    if abs(longer) > LENGTH_TOLERANCE:
        how = f"{1000 * abs(longer):.0f} ms {'longer' if longer > 0 else 'shorter'} than the clip"
        said.append(
            f"It is {how}; it will be {'cut' if longer > 0 else 'filled up with silence'} at its end."
        )
    if found.stretches:
        said.append(
            Note(
                gettext_noop("Its delay changes, so no shift corrects it: %(delays)s."),
                delays=_list(found.stretches),
            )
        )
    elif found.delay_seconds is None:
        said.append(
            f"Its delay is unknown (certainty {found.certainty:.2f}): short, steady, or another sound."
        )
    elif abs(found.delay_seconds) > DELAY_TOLERANCE:
        late = "late" if found.delay_seconds > 0 else "early"
        said.append(f"It comes {1000 * abs(found.delay_seconds):.1f} ms {late}.")
    if found.inverted:
        said.append("Its polarity is inverted.")
    level = found.loudness_db if found.loudness_db is not None else found.level_db
    said += [f"It {warning}." for warning in warn_of_level(level, found.clipped)]
    if found.rate < rate:
        said.append(f"It has {found.rate} Hz: it contains nothing above {found.rate / 2000:g} kHz.")
    if found.channels > channels:
        said.append(f"Its {found.channels} channels are mixed to {'one' if channels == 1 else 'two'}.")
    if found.channels < channels:
        said.append("It is mono, and the clip is stereo: it is put alike into both channels.")
    return said
