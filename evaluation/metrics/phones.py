"""Phoneme error: how a recogniser's phones differ between reference and output. For workers only.

The paper checks that its codec does not change what is said by recognising phonemes on both sides.
Here PocketSphinx decodes phones with its English model (a phone language model, no words). The measure is
the edit distance between the two sequences, divided by the length of the longer one. The recogniser also
makes errors on the reference, so use the measure to compare systems; it is not a codec's error rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codec.base import Note, gettext_noop

Samples = NDArray[np.floating[Any]]

RATE = 16_000


@cache
def _decoder() -> Any:
    from pocketsphinx import Decoder, get_model_path

    return Decoder(
        samprate=RATE,
        hmm=get_model_path("en-us/en-us"),
        allphone=get_model_path("en-us/en-us-phone.lm.bin"),
        lm=None,
        dict=None,
        beam=1e-20,
        pbeam=1e-20,
        lw=2.0,
        loglevel="FATAL",
    )


@lru_cache(maxsize=4)
def _decode(pcm: bytes) -> tuple[str, ...]:
    decoder = _decoder()
    decoder.reinit_feat()  # the running mean of the last signal's cepstra would affect this signal
    decoder.start_utt()
    decoder.process_raw(pcm, no_search=False, full_utt=True)
    decoder.end_utt()
    words = (segment.word for segment in decoder.seg() or ())
    return tuple(word for word in words if word != "SIL" and not word.startswith(("+", "<")))


def phones(samples: Samples) -> tuple[str, ...]:
    """Recognise the phones (ARPAbet) in float (samples,) at 16 kHz, without pauses and noises."""
    return _decode((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The number of insertions, deletions and substitutions between two sequences (Levenshtein)."""
    row = list(range(len(other) + 1))
    for place, left in enumerate(one, 1):
        before, row[0] = row[0], place
        for index, right in enumerate(other, 1):
            change = before + (left != right)
            before = row[index]
            row[index] = min(change, before + 1, row[index - 1] + 1)
    return row[-1]


def disagreement(reference: Samples, degraded: Samples, rate: int, metric: str) -> tuple[float | None, str]:
    """Edit distance divided by the length of the longer sequence: 0 is identical, 1 nothing in common."""
    heard, found = phones(reference), phones(degraded)
    if not heard:
        return None, Note(gettext_noop("no phone was recognised in the reference"))
    distance = edit_distance(heard, found)
    return distance / max(len(heard), len(found)), Note(
        gettext_noop("%(distance)s edits between %(heard)s phones in the reference and %(found)s here"),
        distance=distance, heard=len(heard), found=len(found),
    )  # fmt: skip
