"""Recordings as people bring them: what is taken, what is refused, and with which words."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codec.audio import AudioError, Recording, from_pcm16, read_audio, resample, to_pcm16, write_wav
from codec.base import CodecError
from tests.codec.speech import harvard_sentence
from tests.conftest import ROOT

RATE = 16_000

Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write bytes, or samples in a format of libsndfile, to a file."""

    def write(
        content: bytes | np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None
    ) -> Path:
        path = tmp_path / "upload.wav"  # whatever it holds: only the content may count
        path.write_bytes(content if isinstance(content, bytes) else coded(content, rate, kind, subtype))
        return path

    return write


def coded(samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def noise(seconds: float = 1.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    samples = np.random.default_rng(7).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    return samples[:, 0] if channels == 1 else samples


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


# -- what is taken


@pytest.mark.parametrize(
    ("kind", "subtype", "tolerance"),
    [
        ("WAV", "PCM_16", 1e-4), ("WAV", "PCM_24", 1e-6), ("WAV", "PCM_U8", 1e-2), ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7), ("WAV", "ULAW", 2e-2), ("WAVEX", "PCM_16", 1e-4), ("RF64", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4), ("FLAC", "PCM_24", 1e-6), ("AIFF", "PCM_16", 1e-4), ("AU", "PCM_16", 1e-4),
        ("NIST", "PCM_16", 1e-4), ("CAF", "PCM_16", 1e-4), ("OGG", "VORBIS", 5e-2), ("OGG", "OPUS", 5e-2),
        ("MP3", "MPEG_LAYER_III", 5e-2),
    ],
)  # fmt: skip
def test_formats(put: Put, kind: str, subtype: str, tolerance: float) -> None:
    samples = tone(RATE) * np.hanning(RATE)  # an Opus encoder overshoots where sound is cut off
    recording = read_audio(put(samples, kind=kind, subtype=subtype))
    assert recording.format == f"{kind}, {subtype}"
    assert (recording.rate, recording.source_rate, recording.channels) == (RATE, RATE, 1)
    assert recording.notes == ()
    assert recording.audio.dtype == np.float32
    assert recording.audio.shape == samples.shape
    middle = slice(1000, -1000)  # lossy codecs round the ends off
    assert np.abs(recording.audio - samples)[middle].max() < tolerance


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_is_resampled_in_place(put: Put, rate: int) -> None:
    recording = read_audio(put(tone(rate), rate, subtype="FLOAT"))
    assert recording.notes == (f"resampled from {rate} Hz",)
    assert recording.audio.shape == (RATE,)
    assert recording.seconds == 1.0
    assert np.abs(recording.audio - tone(RATE))[400:-400].max() < 1e-3


def test_channels_are_mixed_by_their_mean(put: Put) -> None:
    samples = noise(channels=7)
    recording = read_audio(put(samples, subtype="FLOAT"))
    assert (recording.channels, recording.notes) == (7, ("7 channels mixed to mono (mean)",))
    assert np.allclose(recording.audio, samples.mean(axis=1), atol=1e-6)


def test_silence_is_a_valid_clip(put: Put) -> None:
    recording = read_audio(put(np.zeros(RATE)))
    assert recording.notes == ("the recording is silent",)
    assert not recording.audio.any()


def test_clipped_square_wave_is_a_valid_clip(put: Put) -> None:
    square = np.where(np.arange(RATE) // 20 % 2, 1.0, -1.0)
    square[: RATE // 2] *= 0.5
    assert read_audio(put(square)).notes == ("clipping: 50 % of samples at full scale",)


def test_a_loud_peak_is_no_clipping(put: Put) -> None:
    samples = tone(RATE)
    samples[100] = 1.0
    assert read_audio(put(samples)).notes == ()


def test_float_samples_above_full_scale_are_cut_and_told(put: Put) -> None:
    samples = 1.5 * tone(RATE) / 0.5
    recording = read_audio(put(samples, subtype="FLOAT"))
    assert np.abs(recording.audio).max() == 1.0
    assert "above full scale" in recording.notes[0]


def test_huge_float_samples_in_all_channels_do_not_overflow(put: Put) -> None:
    recording = read_audio(put(np.full((4000, 2), 3e38, dtype=np.float32), subtype="FLOAT"))
    assert np.array_equal(recording.audio, np.ones(4000))


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF])
def test_wav_written_to_a_pipe(put: Put, length: int) -> None:
    """Such a file declares the largest length there is; it is complete."""
    data = bytearray(coded(noise()))
    data[40:44] = length.to_bytes(4, "little")
    assert read_audio(put(bytes(data))).seconds == 1.0


def test_length_limits(put: Put) -> None:
    path = put(noise(1.0))
    assert read_audio(path, min_seconds=1.0, max_seconds=1.0).seconds == 1.0
    with pytest.raises(AudioError, match=r"^1\.0 s is longer than the 0\.5 s"):
        read_audio(path, max_seconds=0.5)
    with pytest.raises(AudioError, match=r"^1\.00 s is shorter than the 2 s"):
        read_audio(path, min_seconds=2)


def test_61_seconds(put: Put) -> None:
    with pytest.raises(AudioError, match=r"^61\.0 s is longer than the 60 s this site takes\.$"):
        read_audio(put(np.zeros(61 * RATE)), max_seconds=60)


def test_10_milliseconds(put: Put) -> None:
    path = put(noise(0.01))
    assert read_audio(path).audio.shape == (160,)
    with pytest.raises(AudioError, match=r"^0\.01 s is shorter than the 0\.25 s"):
        read_audio(path, min_seconds=0.25)


# -- what is refused, and why


def flipped(data: bytes, position: int, *values: int) -> bytes:
    return data[:position] + bytes(values) + data[position + len(values) :]


WAV = coded(noise(2.0))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"The file is empty\."),
        (b"This is no recording.\n" * 99, r"This is a text file, not a recording\."),
        ("Žluťoučký kůň\n".encode() * 99, r"This is a text file, not a recording\."),
        (b"\x89PNG\r\n\x1a\n" + bytes(999), "This is a picture: there is no sound in it"),
        (np.random.default_rng(3).bytes(5000), "not a recording that can be read"),
        (WAV[:30], "not a recording that can be read"),
        (coded(np.zeros(0)), r"The file holds no audio\."),
        (flipped(WAV, 22, 0xE8, 0x03), "The file has 1000 channels"),
        (flipped(WAV, 22, 0, 0), "not a recording that can be read"),
        (flipped(WAV, 24, 0, 0xCA, 0x9A, 0x3B), "The sample rate is 1000000000 Hz"),
        (flipped(WAV, 24, 0, 0, 0, 0), "not a recording that can be read"),
        (flipped(WAV, 24, 100, 0, 0, 0), "The sample rate is 100 Hz"),
        (coded(noise(), kind="MAT5"), "MAT5 files are not taken"),
    ],
)
def test_refused_with_the_reason(put: Put, content: bytes, reason: str) -> None:
    with pytest.raises(AudioError, match=reason):
        read_audio(put(content), max_seconds=60)


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (WAV[: len(WAV) // 2], r"breaks off at 1\.00 s"),
        (coded(noise(2.0), kind="AIFF")[:32_054], r"breaks off at 1\.00 s"),
        (coded(noise(2.0), kind="AU")[:32_024], r"breaks off at 1\.00 s"),
        (coded(noise(2.0), kind="NIST")[:33_024], r"breaks off at 1\.00 s"),
        (coded(noise(2.0), kind="RF64")[:32_104], r"breaks off at 1\.00 s"),
        (coded(noise(2.0), kind="FLAC")[:30_000], r"breaks off at 0\.\d\d s"),
        (coded(noise(4.0), kind="OGG")[:20_000], r"breaks off at \d\.\d\d s"),
        (coded(noise(4.0), kind="MP3")[:9_000], r"breaks off at \d\.\d\d s"),
    ],
)
def test_what_breaks_off_is_offered_with_the_time(put: Put, content: bytes, note: str) -> None:
    """`tests.codec.recordings.test_table` holds what is left of it to the sample."""
    recording = read_audio(put(content), max_seconds=60)
    assert any(re.search(note, each) for each in recording.notes)
    assert recording.seconds < 4


def test_what_breaks_off_too_early_is_refused(put: Put) -> None:
    with pytest.raises(AudioError, match=r"^The recording breaks off at 1\.00 s"):
        read_audio(put(WAV[: len(WAV) // 2]), min_seconds=1.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(put: Put, value: float) -> None:
    samples = noise(channels=2)
    samples[4000, 1] = value
    with pytest.raises(AudioError, match=r"sample at 0\.250 s is not a finite number"):
        read_audio(put(samples, subtype="FLOAT"))


def test_doubles_beyond_float32(put: Put) -> None:
    samples = noise()
    samples[8000] = 1e300
    with pytest.raises(AudioError, match=r"sample at 0\.500 s is not a finite number"):
        read_audio(put(samples, subtype="DOUBLE"))


def test_shorten_says_how_to_expand_it(put: Put) -> None:
    head = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    with pytest.raises(AudioError, match=r"compressed with shorten.*sph2pipe"):
        read_audio(put(head.ljust(1024) + bytes(range(256)) * 30))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="No such file"):
        read_audio(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="directory"):
        read_audio(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x.wav", "<script>alert(1)</script>.wav", "a b.raw", "ä.mat", "no suffix"]
)
def test_names_mean_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name.replace("/script", "|script")
    path.write_bytes(coded(noise()))
    assert read_audio(path).seconds == 1.0


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours of silence in 200 kB, with a header that does not tell the length."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.flac"
    with sf.SoundFile(path, "w", 8000, 1, format="FLAC", subtype="PCM_16") as sound:
        sound.write(np.zeros(8000 * 7200, dtype=np.int16))
    data = bytearray(path.read_bytes())
    assert len(data) < 250_000
    data[21] &= 0xF0  # the 36 bits of STREAMINFO that hold the number of samples
    data[22:26] = bytes(4)
    path.write_bytes(data)
    return path


def test_decompression_bomb_is_refused_within_bounded_memory(bomb: Path) -> None:
    """All of it would take 230 MB; what 60 s need is 2 MB. Measured in a process of its own."""
    script = (
        "import resource, sys; from codec.audio import AudioError, read_audio\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_audio(sys.argv[1], max_seconds=60)\n"
        "except AudioError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(bomb)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    message, kilobytes = result.stdout.splitlines()
    assert message == "The recording is longer than the 60 s this site takes."
    assert int(kilobytes) < 50_000


def test_declared_bomb_is_refused_at_once(put: Put) -> None:
    with pytest.raises(AudioError, match=r"^3600\.0 s is longer than the 60 s"):
        read_audio(put(np.zeros(8000 * 3600, dtype=np.int16), 8000, "FLAC"), max_seconds=60)


DAMAGED_KINDS = ("WAV", "FLAC", "OGG", "MP3", "AIFF", "NIST", "W64", "RF64", "AU", "CAF")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(DAMAGED_KINDS))
def test_damaged_files_are_read_or_refused(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    """Never another exception, never more audio than asked for, never samples out of range."""
    content = bytearray(DAMAGEABLE[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        # Headers are where damage hurts most.
        content[data.draw(st.integers(0, min(len(content), 2000) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        recording = read_audio(path, max_seconds=5)
    except AudioError:
        return
    assert isinstance(recording, Recording)
    assert 0 < recording.audio.size <= 5 * RATE
    assert np.abs(recording.audio).max() <= 1


DAMAGEABLE = {kind: coded(noise(0.3), kind=kind) for kind in DAMAGED_KINDS}


@pytest.mark.parametrize(
    ("kind", "at", "value"),
    [
        ("W64", 40, 0),  # no chunk is named fmt
        ("FLAC", 21, 1),  # STREAMINFO declares one bit a sample, which neither decoder takes
    ],
)
def test_damaged_headers_are_refused(put: Put, kind: str, at: int, value: int) -> None:
    content = bytearray(DAMAGEABLE[kind])
    content[at] = value
    with pytest.raises(AudioError):
        read_audio(put(bytes(content)))


# -- resampling and writing


@pytest.mark.parametrize(
    ("source", "rate"), [(16_000, 8_000), (8_000, 16_000), (48_000, 16_000), (44_100, 16_000)]
)
@pytest.mark.parametrize("size", [1, 2, 3, 100, 12_345])
def test_resampled_length(source: int, rate: int, size: int) -> None:
    audio = np.ones(size, dtype=np.float32)
    assert resample(audio, source, rate).shape == (round(size * rate / source),)


def test_resampling_there_and_back_keeps_speech_in_place() -> None:
    speech = harvard_sentence(3)
    back = resample(resample(speech, RATE, 48_000), 48_000, RATE)
    assert 10 * np.log10(np.mean((back - speech) ** 2) / np.mean(speech**2)) < -30


def test_samples_are_rounded_alike_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = np.linspace(-1.2, 1.2, 2001, dtype=np.float32).reshape(-1, 3)
    expected = np.clip(np.rint(audio.astype(np.float64) * 32768), -32768, 32767)
    monkeypatch.setattr("codec.audio._BLOCK", 100)
    np.testing.assert_array_equal(to_pcm16(audio), expected)
    assert to_pcm16(audio).dtype == np.int16
    assert to_pcm16(audio[:0]).shape == (0, 3)


def test_pcm16_round_trip() -> None:
    values = np.arange(-32768, 32768, dtype=np.int16)
    assert np.array_equal(to_pcm16(from_pcm16(values)), values)


@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("FLOAT", 0)])
def test_written_wav_is_rounded_and_never_wraps(tmp_path: Path, subtype: str, step: float) -> None:
    audio = np.array([0.1, -0.1, 0.3, 0.999999, 1.0, -1.0], dtype=np.float32)
    path = tmp_path / "out.wav"
    write_wav(path, audio, RATE, subtype)
    info = sf.info(path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", subtype, RATE, 1)
    read = sf.read(path, dtype="float64")[0]
    limited = np.clip(audio.astype(np.float64), -1, 1 - step)
    assert np.abs(read - limited).max() <= step / 2
    if subtype != "FLOAT":
        write_wav(path, np.array([2.0, -2.0], dtype=np.float32), RATE, subtype)
        assert np.array_equal(sf.read(path, dtype="float64")[0], [1 - step, -1])


def test_wav_into_memory() -> None:
    buffer = io.BytesIO()
    write_wav(buffer, np.zeros(10, dtype=np.float32), RATE)
    assert sf.read(io.BytesIO(buffer.getvalue()))[0].shape == (10,)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="not as ULAW"):
        write_wav(tmp_path / "out.wav", np.zeros(10, dtype=np.float32), RATE, "ULAW")
    with pytest.raises(CodecError, match="No such file"):
        write_wav(tmp_path / "none" / "out.wav", np.zeros(10, dtype=np.float32), RATE)
