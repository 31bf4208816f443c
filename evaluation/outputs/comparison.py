"""Compares a system's output with its reference and reports unintended differences. No Django.

Nothing is corrected here: the researcher sees the findings and decides.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codec.audio import AudioError, read_audio
from codec.base import WORKING_RATE, Audio, fit_length, gettext_noop
from evaluation.metrics.alignment import delay_of

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
_FULL_SCALE = 32767 / 32768
_SILENCE_DB = -90.0


@dataclass(frozen=True)
class Comparison:
    """The findings about a file.

    Attributes:
        seconds, reference_seconds: lengths of the file and the reference.
        rate, channels, format: of the file.
        delay_seconds: > 0 if it is later than the reference; None if unknown.
        exact: whether the delay is known to a sample at 16 kHz (from the waveforms) or to about 1 ms.
        certainty: correlation at the delay, 0 to 1.
        inverted: whether polarity is the opposite of the reference's; None if unknown.
        level_db: RMS level relative to the reference; None if either is silent.
        loudness_db: BS.1770 loudness relative to the reference, LU; None if either is silent.
        clipped: share of samples at full scale.
        warnings: sentences about what the researcher should check.
        notes: sentences about conversions on reading.
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
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def shifts(self) -> bool:
        """Whether there is a delay that can and should be removed."""
        return self.delay_seconds is not None and DELAY_TOLERANCE < abs(self.delay_seconds) <= MAX_SHIFT

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "shifts": self.shifts}


def compare(path: Path, reference: Audio, max_seconds: float) -> Comparison:
    """Read a file and compare it with `reference` (samples,) at `WORKING_RATE`.

    Raises:
        AudioError: the recording is incomplete, silent, not finite, or longer than `max_seconds`.
    """
    recording = read_audio(path, max_seconds=max_seconds)
    audio = recording.audio
    if _level(audio) < _SILENCE_DB:
        raise AudioError(gettext_noop("The file is silent from start to end."))
    seconds = reference.size / WORKING_RATE
    delay, exact, certainty, inverted = _delay(reference, audio)
    level = _difference(_level(audio), _level(reference))
    loud = _difference(loudness(audio), loudness(reference))
    clipped = float(np.mean(np.abs(audio) >= _FULL_SCALE))
    found = Comparison(
        recording.seconds, seconds, recording.source_rate, recording.channels, recording.format,
        delay, exact, certainty, inverted, level, loud, clipped, notes=list(recording.notes),
    )  # fmt: skip
    found.warnings.extend(_warnings(found))
    return found


def align(audio: Audio, delay_seconds: float, size: int) -> Audio:
    """Move `audio` (samples,) at `WORKING_RATE` `delay_seconds` earlier, and cut or pad it to `size`."""
    shift = round(delay_seconds * WORKING_RATE)
    moved = audio[shift:] if shift >= 0 else np.pad(audio, (-shift, 0))
    return fit_length(moved, size)


def loudness(audio: Audio) -> float:
    """BS.1770 integrated loudness of `audio` (samples,) at `WORKING_RATE`, LUFS; -inf for silence."""
    import pyloudnorm

    block = min(0.4, audio.size / WORKING_RATE)
    return float(
        pyloudnorm.Meter(WORKING_RATE, block_size=block).integrated_loudness(audio.astype(np.float64))
    )


def _level(audio: Audio) -> float:
    """RMS level, dB re full scale; -inf for digital silence."""
    power = float(np.mean(np.square(audio, dtype=np.float64))) if audio.size else 0.0
    return 10 * np.log10(power) if power > 0 else float("-inf")


def _difference(ours: float, theirs: float) -> float | None:
    return ours - theirs if np.isfinite(ours) and np.isfinite(theirs) else None


def _delay(reference: Audio, audio: Audio) -> tuple[float | None, bool, float, bool | None]:
    """Delay in seconds, whether it is exact, its certainty, and whether polarity is inverted.

    The envelopes give an estimate; the waveforms, if they are similar enough, refine it to a sample.
    """
    coarse = delay_of(reference, audio, WORKING_RATE, MAX_SHIFT)
    if coarse.seconds is None:
        return None, False, max(0.0, coarse.certainty), None
    middle = round(coarse.seconds * WORKING_RATE)
    reach = round(0.004 * WORKING_RATE)
    ours = reference.astype(np.float64)
    energy = np.sqrt(np.sum(ours**2) * np.sum(audio.astype(np.float64) ** 2))
    lags = range(middle - reach, middle + reach + 1)
    values = np.array([_product(ours, audio, lag) for lag in lags]) / max(energy, 1e-12)
    best = int(np.argmax(np.abs(values)))
    if abs(values[best]) < _WAVEFORM:
        return coarse.seconds, False, coarse.certainty, None
    return lags[best] / WORKING_RATE, True, float(abs(values[best])), bool(values[best] < 0)


def _product(reference: np.ndarray, audio: Audio, lag: int) -> float:
    """Inner product of the reference with `audio` moved `lag` samples earlier."""
    ours, theirs = (reference, audio[lag:]) if lag >= 0 else (reference[-lag:], audio)
    size = min(ours.size, theirs.size)
    return float(ours[:size] @ theirs[:size]) if size > 0 else 0.0


def _warnings(found: Comparison) -> list[str]:
    said = []
    longer = found.seconds - found.reference_seconds
    if abs(longer) > LENGTH_TOLERANCE:
        how = f"{1000 * abs(longer):.0f} ms {'longer' if longer > 0 else 'shorter'} than the clip"
        said.append(
            f"It is {how}; it will be {'cut' if longer > 0 else 'filled up with silence'} at its end."
        )
    if found.delay_seconds is None:
        said.append(
            f"Its delay is unknown (certainty {found.certainty:.2f}): short, steady, or another sound."
        )
    elif abs(found.delay_seconds) > DELAY_TOLERANCE:
        late = "late" if found.delay_seconds > 0 else "early"
        said.append(f"It comes {1000 * abs(found.delay_seconds):.1f} ms {late}.")
    if found.inverted:
        said.append("Its polarity is inverted.")
    level = found.loudness_db if found.loudness_db is not None else found.level_db
    if level is not None and abs(level) > LEVEL_TOLERANCE:
        said.append(
            f"It is {abs(level):.1f} dB {'louder' if level > 0 else 'quieter'} than the clip; "
            "studies match loudness."
        )
    if found.clipped >= CLIPPING_SHARE:
        said.append(f"It clips: {100 * found.clipped:.2g} % of its samples are at full scale.")
    if found.rate < WORKING_RATE:
        said.append(f"It has {found.rate} Hz: it contains nothing above {found.rate / 2000:g} kHz.")
    if found.channels > 1:
        said.append(f"Its {found.channels} channels are mixed to one.")
    return said
