"""PESQ of recordings of any length, and of outputs that fall silent. For workers only.

P.862's reference code keeps 50 utterances in fixed arrays and writes past their end when a recording has
more: the process dies. So a recording is measured as a whole while it surely has fewer, and otherwise in
parts, cut at its pauses. Where an output is silent for a while during speech, the code looks for the speech
elsewhere and may even raise the score; that speech counts as the worst there is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop
from evaluation.metrics.domain import SILENCE

Samples = NDArray[np.floating[Any]]

#: Scores of the worst output: P.862.1 and P.862.2 of -0.5, the lowest value of P.862.
WORST = {
    "nb": float(0.999 + 4 / (1 + np.exp(1.4945 * 0.5 + 4.6607))),
    "wb": float(0.999 + 4 / (1 + np.exp(1.3669 * 0.5 + 3.8224))),
}
#: Utterances of a part, as `count_utterances` counts them: below P.862's 50, the last of which it needs.
MOST_UTTERANCES = 44
#: An utterance and its pause take 0.4 s at least: so many seconds never have more than 50.
SAFE_SECONDS = 20.0
#: An output silent for so long, seconds, during so much speech, seconds, has lost it.
LOST_SECONDS, LOST_SPEECH = 0.5, 0.25

_FRAME = 0.01  # seconds
#: Frames of the reference this much below its loudest ones, dB, are no speech.
_SPEECH_DB = 35.0
#: An output this much below the speech of the reference, dB, is silent.
_SILENT_DB = 60.0


def pesq(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """``pesq_nb`` or ``pesq_wb`` (MOS-LQO) of float64 (samples,) at 16 kHz; or None and the reason."""
    band = metric.removeprefix("pesq_")
    speech = find_speech(reference, rate)
    lost = find_lost(reference, degraded, rate, speech)
    scores: list[tuple[float, int]] = []
    parts = cut_into_parts(reference, rate)
    for start, end in pairwise(parts):
        score = _part(reference, degraded, rate, band, speech, lost, start, end)
        if score is not None:
            scores.append(score)
    if not scores:
        return None, Note(gettext_noop("PESQ detects no speech in it"))
    value = float(np.average([score for score, _ in scores], weights=[weight for _, weight in scores]))
    notes = []
    if len(parts) > 2:
        lengths = np.diff(parts) / rate
        notes.append(
            Note(
                gettext_noop(
                    "mean over %(count)s parts of %(least).0f to %(most).0f s, cut at pauses and weighted by "
                    "speech: P.862 takes 50 utterances at a time"
                ),
                count=len(parts) - 1,
                least=lengths.min(),
                most=lengths.max(),
            )
        )
    if lost.any():
        notes.append(
            Note(
                gettext_noop(
                    "the output is silent during %(seconds).1f s of speech, which count as the worst"
                ),
                seconds=float((lost & speech).sum() * _FRAME),
            )
        )
    if len(notes) == 2:
        return value, Note("%(first)s; %(second)s", first=notes[0], second=notes[1])
    return value, notes[0] if notes else ""


def _part(
    reference: Samples,
    degraded: Samples,
    rate: int,
    band: str,
    speech: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    start: int,
    end: int,
) -> tuple[float, int] | None:
    """The score of samples `start` to `end` and the frames of speech in them; None: no speech is found."""
    frame = round(_FRAME * rate)
    spoken, gone = speech[start // frame : -(-end // frame)], lost[start // frame : -(-end // frame)]
    weight = max(1, int(spoken.sum()))
    missing = int((spoken & gone).sum())
    whole = _call(reference[start:end], degraded[start:end], rate, band)
    if not missing:
        return None if whole is None else (whole, weight)
    # What is there, on its own. Without the gaps the speech around them would be drawn together, so they
    # stay, silent in both.
    keep = np.repeat(~gone, frame)[: end - start]
    keep = np.pad(keep, (0, end - start - keep.size), constant_values=True)
    there = _call(reference[start:end] * keep, degraded[start:end] * keep, rate, band)
    present = weight - missing if there is not None else 0
    mean = ((there or 0.0) * present + WORST[band] * missing) / (present + missing)
    return min(mean, whole if whole is not None else mean), weight


def _call(reference: Samples, degraded: Samples, rate: int, band: str) -> float | None:
    from pesq import BufferTooShortError, NoUtterancesError
    from pesq import pesq as compute

    # P.862's code divides by the level of both.
    if not (np.abs(reference).max(initial=0) >= SILENCE and np.abs(degraded).max(initial=0) >= SILENCE):
        return None
    try:
        value = float(compute(rate, reference, degraded, band))
    except (NoUtterancesError, BufferTooShortError):
        return None
    return value if np.isfinite(value) else None


def _powers(signal: Samples, rate: int) -> NDArray[np.float64]:
    frame = round(_FRAME * rate)
    padded = np.pad(signal, (0, -signal.size % frame))
    return np.asarray(np.square(padded, dtype=np.float64).reshape(-1, frame).mean(axis=1))


def find_speech(reference: Samples, rate: int) -> NDArray[np.bool_]:
    """Which frames of 10 ms of `reference` are speech: not far below its loud ones."""
    power = _powers(reference, rate)
    loud = float(np.percentile(power, 95)) if power.size else 0.0
    return np.asarray(power > max(loud * 10 ** (-_SPEECH_DB / 10), SILENCE**2))


def find_lost(
    reference: Samples, degraded: Samples, rate: int, speech: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which frames of 10 ms belong to stretches in which only the output is silent."""
    level = float(np.mean(_powers(reference, rate)[speech])) if speech.any() else 0.0
    silent = _powers(degraded, rate) <= max(level * 10 ** (-_SILENT_DB / 10), SILENCE**2)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(int)))
    lost = np.zeros_like(silent)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * _FRAME >= LOST_SECONDS and speech[start:end].sum() * _FRAME >= LOST_SPEECH:
            lost[start:end] = True
    return lost


def count_utterances(reference: Samples, rate: int) -> int:
    """About how many utterances P.862 finds in `reference`, rather too many than too few.

    They are runs of windows of 4 ms above a level that P.862 sets above the noise; gaps of 0.2 s or less are
    closed, and runs shorter than 0.2 s dropped. The level here is the same, but of a signal that was filtered
    only roughly as there; so levels from 6 dB below to 3 dB above it are tried.
    """
    window = round(0.004 * rate)
    if reference.size < window:
        return 0
    spectrum = np.fft.rfft(reference)
    frequencies = np.fft.rfftfreq(reference.size, 1 / rate)
    most = 0
    for low, high in ((50, rate), (300, 3400)):  # wide-band and telephone band
        filtered = np.fft.irfft(spectrum * ((frequencies >= low) & (frequencies <= high)), reference.size)
        power = np.square(filtered[: filtered.size // window * window]).reshape(-1, window).mean(axis=1)
        loudest = float(power.max())
        if not loudest > 0:
            continue
        power = np.maximum(power, 1e-4 * loudest)
        level = float(power.mean())
        for _ in range(12):
            noise = power[power <= level]
            if noise.size:
                level = 1.001 * float(noise.mean() + 2 * noise.std())
        most = max(most, *(_count_runs(power > level * 10 ** (decibel / 10)) for decibel in range(-6, 4)))
    return most


def _count_runs(active: NDArray[np.bool_]) -> int:
    """Runs of at least 50 windows, after blips were removed and gaps of up to 50 windows closed."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    real = ends - starts > 4
    starts, ends = starts[real], ends[real]
    if not starts.size:
        return 0
    apart = starts[1:] - ends[:-1] > 50
    starts, ends = starts[np.append(True, apart)], ends[np.append(apart, True)]
    return int((ends - starts >= 50).sum())


def cut_into_parts(reference: Samples, rate: int) -> list[int]:
    """Samples at which parts of `reference` begin, and its end: as few parts as P.862 can take.

    They are of about equal length, and cut where it is quietest near there.
    """
    count = 1
    while True:
        edges = _cut(reference, rate, count)
        if all(
            end - start <= SAFE_SECONDS * rate
            or count_utterances(reference[start:end], rate) <= MOST_UTTERANCES
            for start, end in pairwise(edges)
        ):
            return edges
        count += 1


def _cut(reference: Samples, rate: int, count: int) -> list[int]:
    frame = round(_FRAME * rate)
    quiet = np.convolve(_powers(reference, rate), np.ones(21) / 21, mode="same")  # over 0.2 s
    length = quiet.size / count
    edges = [0]
    for part in range(1, count):
        low = round((part - 0.25) * length)
        edges.append(frame * (low + int(np.argmin(quiet[low : max(low + 1, round((part + 0.25) * length))]))))
    return [*edges, reference.size]
