"""Every system at every rate: length, lag, level, polarity, borders, the same bits and samples everywhere.

The rows here were chosen so that every codec meets every rate and every signal, and every length occurs; most
of them are left to `make test-rest`. The whole grid takes an hour or more: ``pytest -m grid
tests/codec/test_exactness.py``. With EXACTNESS_TABLE=table.csv it writes each row down, and ``python -m
tests.codec.exactness table.csv`` makes the table of docs/codecs.md of that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from codec import registry
from codec.audio import advance, to_pcm16
from codec.base import CodecUnavailable
from tests.codec.exactness import (
    LENGTHS,
    RATES,
    SIGNALS,
    Case,
    Elsewhere,
    Row,
    grid,
    make_signal,
    measure_lag,
    roughness,
    run,
    write_down,
)
from tests.rows import KINDS, some

#: Vocoders: the waveform is made anew, so that it has no lag and no polarity.
VOCODERS = ("codec2", "bpgan", "unified-gan")
EXACT = ("original", "anchor")
#: Codecs that work at 8 kHz inside.
#: Opus turns to its speech coder where it takes what it hears for speech: its high-pass filter moves that by
#: 40 microseconds, and music not at all, so there is no constant to take out.
SPEECH_AT_TIMES = ("opus-16k", "opus-32k")
NARROW = ("celp", "amrnb", "opus-6k")


def _chosen() -> list[Case]:
    """Each codec with each signal and each rate, at lengths that go round; of BPGAN fewer."""
    rows = []
    searched = 0
    for number, (slug, system) in enumerate(registry.SYSTEMS.items()):
        if system.target.startswith("codec.bpgan"):
            rows.append(Case(slug, RATES[searched % 4], (1.0, 0.3)[searched % 2], SIGNALS[searched % 5]))
            searched += 1
            continue
        for place, signal in enumerate(SIGNALS):
            seconds = 5.0 if signal == "speech" else (0.3, 1.0)[(place + number) % 2]
            rows.append(Case(slug, RATES[(place + number) % 4], seconds, signal))
    long = ("anchor35", "opus-9k", "amrnb-4.75k", "codec2-3.2k")
    return [*rows, *(Case(slug, 8_000, 60.0, "speech") for slug in long)]


def test_the_chosen_rows_cover_the_table() -> None:
    rows = _chosen()
    codecs = [slug for slug, system in registry.SYSTEMS.items() if "bpgan" not in system.target]
    for slug in codecs:
        assert {row.signal for row in rows if row.slug == slug} == set(SIGNALS)
        assert {row.rate for row in rows if row.slug == slug} == set(RATES)
    assert {row.slug for row in rows} == set(registry.SYSTEMS)
    assert {row.rate for row in rows if row.slug not in codecs} == set(RATES)
    assert {row.seconds for row in rows} == set(LENGTHS)
    assert len(grid()) == len(registry.SYSTEMS) * len(RATES) * len(LENGTHS) * len(SIGNALS)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    yield other
    other.close()


def check(case: Case, elsewhere: Elsewhere) -> None:
    try:
        row = run(case)
    except CodecUnavailable as error:
        pytest.skip(str(error))
    if path := os.environ.get("EXACTNESS_TABLE"):
        write_down(Path(path), case, row)
    assert row.decoded.shape == row.source.shape == (round(case.seconds * case.rate),)
    assert row.encoded.payload == row.again.payload, "the same audio gives other bits"
    here = hashlib.sha256(to_pcm16(row.decoded).tobytes()).hexdigest()
    assert elsewhere.decode(row.encoded) == here, "another process decodes to other samples"
    if case.signal == "silence":
        assert np.abs(row.decoded).max() < 0.01
        return
    check_waveform(case, row)
    if case.signal != "sweep":
        assert row.click < 2.0, "the borders of frames stand out"


def check_waveform(case: Case, row: Row) -> None:
    spoken = case.signal in ("speech", "near full scale") and case.seconds >= 1
    if case.slug.startswith(EXACT):
        assert abs(row.lag) <= 0.1
        assert row.correlation > 0.97
        assert row.level == pytest.approx(0, abs=0.5)
    elif spoken and not case.slug.startswith(VOCODERS):
        assert row.correlation > 0.5, "the polarity is inverted, or it is another sound"
        # A tenth of a sample at the rate inside, over all voices, and what `measure_lag` resolves.
        inside = 8_000 if case.slug.startswith(NARROW) else 16_000
        near = 0.12 if case.seconds >= 5 else 0.3  # one word, of one voice
        if case.slug in SPEECH_AT_TIMES:
            near = 0.8
        assert abs(row.lag) <= near * case.rate / inside + 0.05
    if spoken and not (case.slug.startswith(VOCODERS) and case.signal != "speech"):
        # Of a vocoder's levels there are few, and near full scale they end. One word may be off by more than
        # a decibel, as single sentences are (docs/codecs.md); 5 s are two of the sentences of 60 s.
        near = {60: 0.5, 5: 0.6}.get(case.seconds, 1.75)
        assert row.level == pytest.approx(registry.SYSTEMS[case.slug].level_db, abs=near)


def _is_telling(case: Case) -> bool:
    """Speech through a system of each class, all signals through one of each module, and one long row."""
    every = ("opus-9k", "codec2-3.2k", "mp3-64k")
    if case.seconds == 60:
        return case.slug == "anchor35"
    return case.slug in every or (case.slug in KINDS and case.signal == "speech")


@pytest.mark.parametrize("case", some(_chosen(), _is_telling), ids=str)
def test_row(case: Case, elsewhere: Elsewhere) -> None:
    check(case, elsewhere)


@pytest.mark.grid
@pytest.mark.parametrize("case", grid(), ids=str)
def test_whole_grid(case: Case, elsewhere: Elsewhere) -> None:
    check(case, elsewhere)


@pytest.mark.parametrize("fraction", [-0.75, 0.3, 1.6])
def test_a_lag_of_a_fraction_of_a_sample_is_measured_and_taken_out(fraction: float) -> None:
    speech = make_signal(Case("original", 16_000, 1.0, "speech"))
    # Independent of `advance`: a turn of the phase of each frequency.
    spectrum = np.fft.rfft(speech, 2 * speech.size)
    turned = spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(2 * speech.size) * fraction)
    late = np.fft.irfft(turned)[: speech.size].astype(np.float32)
    assert measure_lag(speech, late)[0] == pytest.approx(fraction, abs=0.05)
    assert np.abs(advance(late, fraction) - speech)[64:-64].max() < 1e-3


def test_a_click_at_the_borders_is_seen() -> None:
    speech = make_signal(Case("original", 16_000, 5.0, "speech"))
    assert roughness(speech, 16_000) < 1.3
    speech[160::320] += np.float32(0.003)  # 1/50 of its peak
    assert roughness(speech, 16_000) > 2.0
