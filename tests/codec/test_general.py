"""Opus, AAC, MP3 and Vorbis for every kind of sound: in place, at the level, in their channels, and safe."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.base import CodecError, Encoded
from codec.container import dumps, loads
from codec.registry import SYSTEMS, load, systems_for

GENERAL = [slug for slug, system in SYSTEMS.items() if system.general]
#: One of each kind, at the rate at which its waveform is kept best.
KINDS = ["opus-128k", "aac-128k", "mp3-128k", "vorbis-128k"]
#: Opus changes to its speech coder, which filters out the lowest frequencies, and with them moves the rest.
KEEP_PHASE = [slug for slug in GENERAL if slug not in ("opus-16k", "opus-32k")]


@cache
def noise(rate: int, channels: int, top: float = 5000.0) -> NDArray[np.float32]:
    """0.6 s of noise up to `top` Hz, another in each channel, the right one 6 dB softer."""
    rng = np.random.default_rng(rate + channels)
    size = round(0.6 * rate) + 37  # no whole number of packets
    spectrum = np.fft.rfft(rng.standard_normal((size, 2)), axis=0)
    spectrum[np.fft.rfftfreq(size, 1 / rate) > top] = 0
    audio = np.fft.irfft(spectrum, size, axis=0)
    audio *= np.array([0.1, 0.05]) / audio.std(axis=0)
    return (audio if channels == 2 else audio[:, 0]).astype(np.float32)


def lag(reference: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """How late `other` is by correlation, in samples and parts of one."""
    size = 2 * len(reference)
    product = np.conj(np.fft.rfft(reference, size)) * np.fft.rfft(other, size)
    values = np.fft.irfft(np.pad(product, (0, 15 * len(product))))  # 16 values a sample
    best = int(np.argmax(values))
    return (best if best < values.size / 2 else best - values.size) * size / values.size


def level(audio: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(10 * np.log10(np.mean(audio**2, axis=0) / np.mean(reference**2, axis=0)))


def through(slug: str, audio: NDArray[np.float32], rate: int) -> tuple[Encoded, NDArray[np.float32]]:
    codec = load(slug, rate)
    encoded = codec.encode(audio)
    return encoded, codec.decode(loads(dumps(encoded)))


@pytest.mark.parametrize("slug", GENERAL)
@pytest.mark.parametrize(
    ("rate", "channels"),
    [
        (48_000, 2),
        pytest.param(44_100, 2, marks=pytest.mark.rest),
        pytest.param(48_000, 1, marks=pytest.mark.rest),
    ],
)
def test_it_comes_back_in_its_place_and_channels(slug: str, rate: int, channels: int) -> None:
    audio = noise(rate, channels)
    encoded, decoded = through(slug, audio, rate)
    assert (encoded.sample_rate, encoded.channels, decoded.shape) == (rate, channels, audio.shape)
    assert encoded.kbps < 1.35 * SYSTEMS[slug].nominal_kbps  # 0.6 s of noise: the first packets weigh
    if slug not in KEEP_PHASE:
        return
    ours, theirs = (each.reshape(len(audio), -1)[:, 0] for each in (audio, decoded))
    assert abs(lag(ours, theirs)) < 0.1
    assert np.vdot(ours, theirs) > 0
    np.testing.assert_allclose(level(decoded, audio), SYSTEMS[slug].level_db, atol=0.5)


@pytest.mark.parametrize("slug", KINDS)
def test_left_and_right_stay_apart(slug: str) -> None:
    audio = noise(48_000, 2).copy()
    audio[:, 1] = 0
    decoded = through(slug, audio, 48_000)[1]
    powers = np.mean(decoded**2, axis=0)
    assert powers[1] < 0.001 * powers[0]


@pytest.mark.parametrize("slug", KINDS)
def test_the_full_band_comes_through(slug: str) -> None:
    audio = noise(48_000, 2, top=15_000.0)
    decoded = through(slug, audio, 48_000)[1]
    frequencies = np.fft.rfftfreq(len(audio), 1 / 48_000)
    high = (frequencies > 12_000) & (frequencies < 15_000)
    power = [np.mean(np.abs(np.fft.rfft(each[:, 0])[high]) ** 2) for each in (audio, decoded)]
    assert 10 * np.log10(power[1] / power[0]) > -3


@pytest.mark.parametrize("slug", KINDS)
def test_the_same_audio_gives_the_same_bits(slug: str) -> None:
    audio = noise(48_000, 2)
    assert load(slug, 48_000).encode(audio).payload == load(slug, 48_000).encode(audio).payload


@pytest.mark.parametrize("slug", KINDS)
def test_another_format_than_the_header_says_is_refused(slug: str) -> None:
    codec = load(slug, 48_000)
    encoded = codec.encode(noise(48_000, 2))
    half = len(encoded.payload) // 2
    for lie in (
        replace(encoded, channels=1),
        replace(encoded, num_samples=encoded.num_samples + 4800),
        replace(encoded, num_samples=encoded.num_samples // 2),
        replace(encoded, payload=encoded.payload[:half]),
        replace(encoded, payload=encoded.payload[half:]),
        replace(encoded, payload=b"\xff" + encoded.payload[1:half] + b"\0" + encoded.payload[half + 1 :]),
    ):
        with pytest.raises(CodecError):
            codec.decode(lie)


def test_headers_of_frames_are_checked() -> None:
    """A second frame of another rate, number of channels, profile or size never reaches ffmpeg."""
    for slug, place, value in (
        ("aac-128k", 2, 0x50),  # 44.1 kHz
        ("aac-128k", 2, 0x0C),  # Main profile
        ("aac-128k", 3, 0x40),  # mono
        ("aac-128k", 4, 0xFF),  # longer than it is
        ("mp3-128k", 1, 0xF3),  # MPEG-2
        ("mp3-128k", 2, 0x90),  # 44.1 kHz
        ("mp3-128k", 2, 0xB4),  # 192 kbit/s
        ("mp3-128k", 3, 0xC4),  # mono
    ):
        codec = load(slug, 48_000)
        encoded = codec.encode(noise(48_000, 2))
        if slug.startswith("aac"):
            second = (encoded.payload[3] & 3) << 11 | encoded.payload[4] << 3 | encoded.payload[5] >> 5
        else:
            second = 144 * 128_000 // 48_000
        damaged = bytearray(encoded.payload)
        damaged[second + place] = value
        with pytest.raises(CodecError):
            codec.decode(replace(encoded, payload=bytes(damaged)))


def test_what_a_receiver_needs_is_counted() -> None:
    """The rates of constant ones are known: MP3 has 24 ms of 128 kbit/s in a frame."""
    encoded = load("mp3-128k", 48_000).encode(noise(48_000, 2))
    frames = -(-(encoded.num_samples + 1105) // 1152)
    assert encoded.payload_bits == frames * 128 * 24 == 8 * len(encoded.payload)
    aac = load("aac-128k", 48_000).encode(noise(48_000, 2))
    assert aac.payload_bits == 8 * (len(aac.payload) - 7 * -(-(aac.num_samples + 1024) // 1024))
    opus = load("opus-128k", 48_000).encode(noise(48_000, 2))
    assert opus.payload_bits < 8 * len(opus.payload)
    assert struct.unpack_from("<H", opus.payload, 28 + 10)[0] == 312


def test_which_systems_a_clip_is_put_through() -> None:
    speech = [slug for slug in SYSTEMS if slug not in GENERAL]
    assert systems_for(16_000, 1, speech=True) == systems_for(8_000, 1, speech=True) == speech
    for rate, channels, is_speech in ((48_000, 1, True), (16_000, 2, True), (16_000, 1, False)):
        assert systems_for(rate, channels, speech=is_speech) == list(SYSTEMS)
