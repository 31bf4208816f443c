"""Real speech for tests: NIST's Harvard sentences (public domain) that come with mcvqoe-mouth2ear."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from codec import registry
from codec.audio import resample
from codec.base import WORKING_RATE, Audio, Encoded

#: Sentences: two women and two men, two each.
SENTENCES = 8

_PAUSE = 0.5  # seconds; the gap between the two sentences of a file is longer, pauses inside them are shorter


@cache
def harvard_sentence(index: int) -> Audio:
    """Sentence `index` (0 to 7) at 16 kHz, 1.8 to 2.8 s long; float32 (samples,), read-only."""
    talker, second = divmod(index, 2)
    audio = _harvard_file(talker)
    first_end, second_start = _gap(audio)
    sentence = audio[second_start:] if second else audio[:first_end]
    sentence.setflags(write=False)
    return sentence


@cache
def coded_sentence(slug: str, index: int) -> Encoded:
    """Sentence `index` as a system encodes it: the search takes the most of a test's time."""
    return registry.load(slug).encode(harvard_sentence(index))


@cache
def _harvard_file(talker: int) -> Audio:
    try:
        paths = sorted(
            Path(str(file.locate()))
            for file in files("mcvqoe-mouth2ear") or []
            if file.name.endswith("harvard_phrases.wav")
        )
    except PackageNotFoundError:
        pytest.skip("mcvqoe-mouth2ear, whose recordings these tests use, is not installed")
    audio, rate = sf.read(paths[talker], dtype="float32")
    return resample(audio, rate, WORKING_RATE)


def _gap(audio: Audio) -> tuple[int, int]:
    """Start and end, in samples, of the longest stretch of digital silence."""
    loud = np.flatnonzero(np.abs(audio) > 1e-4)
    longest = int(np.argmax(np.diff(loud)))
    start, end = int(loud[longest]) + 1, int(loud[longest + 1])
    assert end - start > _PAUSE * WORKING_RATE, "the file does not hold two sentences"
    return start, end
