from __future__ import annotations

import numpy as np
import pytest

from codec.audio import from_pcm16, to_pcm16
from codec.base import CodecError, Encoded
from codec.registry import load
from tests.codec.speech import harvard_sentence


def test_every_16_bit_sample_survives() -> None:
    values = np.arange(-32768, 32768, dtype=np.int16)
    codec = load("original")
    decoded = codec.decode(codec.encode(from_pcm16(values)))
    assert np.array_equal(to_pcm16(decoded), values)


def test_rounds_to_the_nearest_step_and_never_wraps() -> None:
    step = 1 / 32768
    audio = np.array([0.4 * step, 0.6 * step, -0.6 * step, 1.0, -1.0], dtype=np.float32)
    codec = load("original")
    decoded = codec.decode(codec.encode(audio))
    assert np.array_equal(decoded * 32768, [0, 1, -1, 32767, -32768])


def test_rate_is_256_kbps() -> None:
    assert load("original").encode(harvard_sentence(0)).kbps == 256.0


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(9), bytes(10) + b"\0"])
def test_wrong_length_is_refused(payload: bytes) -> None:
    with pytest.raises(CodecError, match="16-bit PCM"):
        load("original").decode(Encoded("original", payload, 0, 16_000, 5))


def test_a_lying_length_allocates_nothing() -> None:
    with pytest.raises(CodecError):
        load("original").decode(Encoded("original", bytes(10), 80, 16_000, 2**40))


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(0, np.float32), "empty"),
        (np.zeros((2, 100), np.float32), r"\(samples, 2\), got \(2, 100\)"),
        (np.array([0, np.nan], np.float32), "finite"),
        (np.array([0, np.inf], np.float32), "finite"),
    ],
)
def test_unusable_audio_is_refused(audio: np.ndarray, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        load("original").encode(audio)
