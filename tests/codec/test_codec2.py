from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from codec.audio import resample
from codec.base import Audio, CodecError, Encoded
from codec.codec2 import Codec2
from codec.registry import load
from tests.codec.speech import SENTENCES, harvard_sentence

slugs = pytest.mark.parametrize(("slug", "kbps"), [("codec2-2.4k", 2.4), ("codec2-3.2k", 3.2)])


@slugs
def test_measured_rate(slug: str, kbps: float) -> None:
    encoded = [load(slug).encode(harvard_sentence(index)) for index in range(SENTENCES)]
    rate = sum(e.payload_bits for e in encoded) / sum(e.seconds for e in encoded) / 1000
    assert kbps <= rate <= 1.02 * kbps
    assert all(e.payload_bits == 8 * len(e.payload) for e in encoded)


def envelope(audio: Audio) -> np.ndarray:
    """Loudness over about 10 ms, without its mean: all of the waveform that a vocoder keeps."""
    loudness = np.sqrt(np.convolve(audio.astype(np.float64) ** 2, np.hanning(320), mode="same"))
    return loudness - loudness.mean()


@slugs
def test_constant_delay_is_compensated(slug: str, kbps: float) -> None:
    """The envelopes of all sentences together lie within 1.5 ms of each other."""
    within = 1600
    total = np.zeros(2 * within + 1)
    for index in range(SENTENCES):
        speech = harvard_sentence(index)
        system = load(slug)
        decoded = system.decode(system.encode(speech))
        before, after = (
            envelope(resample(resample(x, 16_000, 8_000), 8_000, 16_000)) for x in (speech, decoded)
        )
        correlation = correlate(after, before, method="fft") / np.linalg.norm(after) / np.linalg.norm(before)
        total += correlation[before.size - 1 - within : before.size + within]
    assert abs(int(np.argmax(total)) - within) <= 24


#: Every rate and every size; the other pairs of them are among the rows of `make test-rest`.
SIZES = [
    pytest.param(size, rate, marks=() if place == number % 4 else pytest.mark.rest)
    for number, size in enumerate((1, 2, 160, 161, 4001))
    for place, rate in enumerate((8_000, 16_000, 44_100, 48_000))
]


@slugs
@pytest.mark.parametrize(("size", "rate"), SIZES)
def test_length_is_kept(slug: str, kbps: float, rate: int, size: int) -> None:
    audio = np.random.default_rng(size).uniform(-0.1, 0.1, size).astype(np.float32)
    system = load(slug, rate)
    assert system.decode(system.encode(audio)).shape == (size,)


@slugs
def test_the_same_audio_gives_the_same_bytes(slug: str, kbps: float) -> None:
    assert load(slug).encode(harvard_sentence(0)).payload == load(slug).encode(harvard_sentence(0)).payload


@slugs
def test_wrong_lengths_are_refused(slug: str, kbps: float) -> None:
    system = load(slug)
    encoded = system.encode(harvard_sentence(0))
    for payload in (b"", encoded.payload[:-1], encoded.payload + b"\0", encoded.payload * 2):
        with pytest.raises(CodecError, match="bytes"):
            system.decode(replace(encoded, payload=payload))
    with pytest.raises(CodecError, match="bytes"):
        system.decode(replace(encoded, num_samples=2**40))


@pytest.fixture(scope="module")
def fifth() -> Encoded:
    """0.2 s of silence."""
    return load("codec2-2.4k").encode(np.zeros(3200, dtype=np.float32))


@settings(max_examples=10)
@given(payload=st.binary(min_size=66, max_size=66))
def test_any_bytes_of_the_right_length_decode(fifth: Encoded, payload: bytes) -> None:
    """11 frames are what 0.2 s needs; every bit pattern is some sound."""
    decoded = load("codec2-2.4k").decode(replace(fifth, payload=payload))
    assert decoded.shape == (3200,)
    assert np.isfinite(decoded).all()


def test_other_modes_are_refused() -> None:
    with pytest.raises(CodecError, match="2400 or 3200"):
        Codec2("x", mode=700)


@slugs
def test_a_bitstream_decodes_to_the_same_samples_whatever_was_decoded_before(slug: str, kbps: float) -> None:
    system = load(slug)
    encoded, other = (system.encode(harvard_sentence(index)) for index in (0, 1))
    first = system.decode(encoded)
    system.decode(other)
    np.testing.assert_array_equal(system.decode(encoded), first)
