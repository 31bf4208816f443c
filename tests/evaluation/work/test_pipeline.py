"""Process and measure, without a database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pesq import pesq
from pystoi import stoi

from codec.audio import from_pcm16, resample, to_pcm16
from codec.base import Audio, CodecError, Parameters
from codec.reference import Original
from codec.working import version_for
from evaluation.work import pipeline
from evaluation.work.pipeline import METRICS, heard_by, measure, process
from tests.evaluation.conftest import RATE, make_speech

SPEECH = make_speech(2.0)
NOISY = (SPEECH + 0.01 * np.random.default_rng(1).standard_normal(SPEECH.size)).astype(np.float32)
SILENT = np.zeros_like(SPEECH)


def test_process_returns_audio_of_the_same_length_with_bits_and_times() -> None:
    done = process(SPEECH, "anchor35")
    assert done.audio.shape == SPEECH.shape
    assert done.encoded.kbps == pytest.approx(256.0)
    assert min(done.load_seconds, done.encode_seconds, done.decode_seconds) >= 0


@pytest.mark.parametrize(
    ("slug", "rate", "channels"), [("original", 48_000, 2), ("anchor70", 48_000, 2), ("opus-9k", 16_000, 1)]
)
def test_a_system_processes_what_it_takes(slug: str, rate: int, channels: int) -> None:
    """Speech on the left at 48 kHz: a speech system gets the mono version at 16 kHz."""
    left = make_speech(1.0, 48_000)
    stereo = from_pcm16(to_pcm16(np.stack([left, np.zeros_like(left)], axis=1)))
    done = process(stereo, slug, 48_000)
    assert (done.encoded.sample_rate, done.encoded.channels) == (rate, channels)
    assert done.audio.shape == ((rate, 2) if channels == 2 else (rate,))
    ours, theirs, heard = heard_by("pesq_wb", stereo, 48_000, done.audio, rate)
    assert (heard, ours.shape, theirs.shape) == (RATE, (RATE,), (RATE,))
    np.testing.assert_allclose(ours, resample(stereo[:, 0] / 2, 48_000, RATE), atol=1e-6)
    quality = measure(ours, theirs, heard, "pesq_wb").value
    assert quality is not None
    if slug == "original":
        assert quality == pytest.approx(4.644, abs=1e-3)
        assert done.encoded.kbps == 1536.0
        np.testing.assert_array_equal(done.audio, stereo)
    elif slug == "opus-9k":
        mono = process(version_for(stereo, 48_000, RATE, 1), slug)
        np.testing.assert_array_equal(done.audio, mono.audio)
        assert done.encoded.payload == mono.encoded.payload


def test_a_table_measures_what_a_page_lets_hear() -> None:
    """Both are 16-bit: PESQ-WB hears the difference above 4 kHz."""
    audio = process(SPEECH, "celp-4k").audio
    assert np.array_equal(audio * 32768, np.rint(audio * 32768))


def test_loading_a_system_is_not_counted_as_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only moves while the codec is loaded and while it runs for the first time."""
    now = [0.0]

    class Slow(Original):
        warm = False

        def __init__(self, slug: str, sample_rate: int, model: Path | None) -> None:
            super().__init__(slug, sample_rate)
            now[0] += 100.0

        def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
            now[0] += 1.0 if self.warm else 10.0
            self.warm = True
            return super()._encode(audio)

    monkeypatch.setattr(pipeline.registry, "load", Slow)
    monkeypatch.setattr(pipeline, "perf_counter", lambda: now[0])
    pipeline._load.cache_clear()
    for load_seconds in (110.0, 0.0):
        done = process(SPEECH, "original")
        assert (done.load_seconds, done.encode_seconds, done.decode_seconds) == (load_seconds, 1.0, 0.0)
    pipeline._load.cache_clear()


def test_unknown_system_is_named() -> None:
    with pytest.raises(CodecError, match="mp3-from-mars"):
        process(SPEECH, "mp3-from-mars")


def test_values_are_those_of_the_packages() -> None:
    assert measure(SPEECH, NOISY, RATE, "pesq_nb").value == pytest.approx(
        pesq(RATE, SPEECH, NOISY, "nb"), abs=1e-4
    )
    assert measure(SPEECH, NOISY, RATE, "pesq_wb").value == pytest.approx(
        pesq(RATE, SPEECH, NOISY, "wb"), abs=1e-4
    )
    assert measure(SPEECH, NOISY, RATE, "stoi").value == pytest.approx(stoi(SPEECH, NOISY, RATE), abs=1e-6)


def test_sixteen_bit_integers_measure_like_floats() -> None:
    """The wrapper of PESQ overflows on int16's lowest value; `measure` passes it floats."""
    integers = [np.round(signal * 32768).clip(-32768, 32767).astype(np.int16) for signal in (SPEECH, NOISY)]
    integers[0][0] = -32768
    for metric in METRICS:
        value = measure(integers[0], integers[1], RATE, metric).value  # type: ignore[arg-type]
        assert value == pytest.approx(measure(SPEECH, NOISY, RATE, metric).value, abs=0.1)


@pytest.mark.parametrize("metric", METRICS)
def test_version_is_told(metric: str) -> None:
    package = "pystoi" if metric == "stoi" else "pesq"
    assert measure(SPEECH, NOISY, RATE, metric).version.startswith(f"{package} ")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("reference", "degraded", "reason"),
    [
        (SILENT, SILENT, "reference is silent"),
        (SILENT, SPEECH, "reference is silent"),
        (SPEECH, SILENT, "decoded audio is silent"),
        (SPEECH[:160], NOISY[:160], "too short"),
        (SPEECH[:0], NOISY[:0], "silent"),
        (SPEECH, np.full_like(SPEECH, np.nan), "not finite"),
    ],
    ids=["all silent", "silent reference", "silent output", "10 ms", "empty", "nan"],
)
def test_no_answer_is_none_with_a_reason(
    metric: str, reference: NDArray[np.float32], degraded: NDArray[np.float32], reason: str
) -> None:
    measured = measure(reference, degraded, RATE, metric)
    assert measured.value is None
    assert reason in measured.note


@pytest.mark.parametrize("metric", METRICS)
def test_constant_output_gives_a_number_or_a_reason(metric: str) -> None:
    measured = measure(SPEECH, np.full_like(SPEECH, 0.1), RATE, metric)
    assert (measured.value is None) == bool(measured.note)
    assert measured.value is None or np.isfinite(measured.value)


def test_long_recordings_are_measured_as_a_whole() -> None:
    """As long as they surely have fewer utterances than P.862's code can take."""
    speech = make_speech(25.0)
    noisy = (speech + 0.01 * np.random.default_rng(2).standard_normal(speech.size)).astype(np.float32)
    measured = measure(speech, noisy, RATE, "pesq_wb")
    assert measured.value == pytest.approx(pesq(RATE, speech, noisy, "wb"), abs=0.005)
    assert measured.note == ""


def test_many_utterances_do_not_kill_the_process() -> None:
    """P.862's code writes past its arrays at more than 50 utterances: not in the tests' own process."""
    program = (
        "import numpy as np\n"
        "from evaluation.work.pipeline import measure\n"
        "rng = np.random.default_rng(0)\n"
        "time = np.arange(60 * 16000) / 16000\n"
        "audio = rng.standard_normal(time.size) * 0.1 * (time % 0.7 < 0.35)\n"
        "found = measure(audio, audio + 1e-3 * rng.standard_normal(time.size), 16000, 'pesq_nb')\n"
        "print(found.value, found.note)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value, note = done.stdout.split(maxsplit=1)
    assert 1.0 <= float(value) <= 4.65
    assert note.startswith("mean over 3 parts of ")


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="no metric"):
        measure(SPEECH, SPEECH, RATE, "polqa")
    with pytest.raises(ValueError, match="16000"):
        measure(SPEECH, SPEECH, 8000, "stoi")
    with pytest.raises(ValueError, match="length"):
        measure(SPEECH, SPEECH[1:], RATE, "stoi")
