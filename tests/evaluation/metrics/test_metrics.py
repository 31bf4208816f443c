"""The optional metrics for real, where their libraries are; the registry everywhere."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.threads import import_with_onnx
from evaluation import metrics
from evaluation.metrics import METRICS, metric_of, similarity
from evaluation.metrics.phones import edit_distance
from evaluation.work.pipeline import MetricUnavailable, measure, process
from tests.conftest import ROOT
from tests.evaluation.conftest import RATE, make_speech

SPEECH = make_speech(3.0)
NOISY = (SPEECH + 0.05 * np.random.default_rng(1).standard_normal(SPEECH.size)).astype(np.float32)
CLIP = ROOT.parent / "shared" / "speech" / "eval"


def needs(slug: str) -> None:
    if missing := METRICS[slug].missing:
        pytest.skip(missing)


@pytest.fixture(scope="module")
def spoken() -> NDArray[np.float32]:
    """Real speech of about 5 s."""
    found = sorted(CLIP.glob("*.flac"))
    if not found:
        pytest.skip("the speech in ../shared is not here")
    from codec.audio import read_audio

    return read_audio(found[0]).audio


def test_the_default_metrics_come_first_and_can_be_computed() -> None:
    assert metrics.DEFAULT == ("pesq_nb", "pesq_wb", "stoi")
    assert list(METRICS)[:3] == list(metrics.DEFAULT)
    assert set(metrics.DEFAULT) <= set(metrics.list_available())
    assert METRICS["pesq_wb"].version.startswith("pesq ")
    assert "polqa" not in metrics.list_available()


def test_a_metric_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metrics.find_spec
    monkeypatch.setattr(metrics, "find_spec", lambda name: None if name == "visqol" else real(name))
    assert METRICS["visqol"].missing == "ViSQOL needs visqol: install Earshot with the extra [metrics]."
    with pytest.raises(MetricUnavailable, match="ViSQOL needs visqol"):
        measure(SPEECH, SPEECH, RATE, "visqol")
    assert "not computed here" in METRICS["polqa"].missing


def test_a_name_that_an_import_brings_stands_for_itself() -> None:
    assert metric_of("haaqi").title == "haaqi"
    assert metric_of("stoi") is METRICS["stoi"]


def test_visqol_hears_noise_and_gives_the_same_every_time() -> None:
    needs("visqol")
    clean, noisy, again = (measure(SPEECH, signal, RATE, "visqol") for signal in (SPEECH, NOISY, NOISY))
    assert clean.value is not None
    assert noisy.value is not None
    assert 1 <= noisy.value < clean.value <= 5
    assert noisy == again
    assert noisy.version == METRICS["visqol"].version != ""


def test_visqol_measures_long_recordings_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its spectrograms of ten minutes would take gigabytes."""
    needs("visqol")
    half = len(SPEECH) // 2
    halves = [
        measure(SPEECH[part], NOISY[part], RATE, "visqol").value for part in (slice(half), slice(half, None))
    ]
    monkeypatch.setattr(similarity, "MOST_SECONDS", half / RATE)
    both = measure(SPEECH, NOISY, RATE, "visqol")
    assert both.value == pytest.approx(np.mean(halves))
    assert both.note.startswith("mean over 2 parts of")
    silent = np.concatenate([SPEECH[:half], np.zeros(half)])
    assert measure(silent, np.concatenate([NOISY[:half], np.zeros(half)]), RATE, "visqol").value is not None


@pytest.mark.shared
def test_plcmos_hears_lost_packets_and_gives_the_same_every_time(spoken: NDArray[np.float32]) -> None:
    needs("plcmos")
    lost = spoken.copy()
    for start in range(0, lost.size, 1600):  # 20 of every 100 ms
        lost[start : start + 320] = 0
    whole, holes, again = (measure(spoken, signal, RATE, "plcmos") for signal in (spoken, lost, lost))
    assert whole.value is not None
    assert holes.value is not None
    assert holes.value + 0.5 < whole.value
    assert holes == again


def test_plcmos_leaves_other_peoples_random_numbers_alone() -> None:
    needs("plcmos")
    np.random.seed(7)
    first = np.random.random()
    np.random.seed(7)
    measure(SPEECH, SPEECH, RATE, "plcmos")
    assert np.random.random() == first


def test_dnsmos_says_that_it_repeats_what_is_short() -> None:
    needs("dnsmos_ovrl")
    overall = measure(SPEECH, SPEECH, RATE, "dnsmos_ovrl")
    assert overall.value is not None
    assert overall.note == "3.0 s, repeated to 9 s"
    other = measure(SPEECH, SPEECH, RATE, "dnsmos_p808")
    assert other.value is not None
    assert other.value != overall.value


@pytest.mark.parametrize(
    ("slug", "name", "networks"),
    [("dnsmos_ovrl", "dnsmos", ("onnx_sess", "p808_onnx_sess")), ("plcmos", "plcmos", ("session",))],
)
def test_the_threads_of_a_network_sleep_and_are_no_more_than_is_the_rule(
    slug: str, name: str, networks: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(slug)
    module = import_with_onnx(f"speechmos.{name}")
    monkeypatch.setattr(module, "ort", module.ort)
    monkeypatch.setattr(module, name, None)
    monkeypatch.setenv("EARSHOT_TORCH_THREADS", "3")
    import_with_onnx.__wrapped__(f"speechmos.{name}")
    module.run(np.zeros(10 * RATE), RATE)
    for network in networks:
        options = getattr(getattr(module, name), network).get_session_options()
        assert options.intra_op_num_threads == 3
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.shared
def test_distillmos_hears_noise_and_prints_nothing(
    spoken: NDArray[np.float32], capsys: pytest.CaptureFixture[str]
) -> None:
    needs("distillmos")
    noise = 0.02 * np.random.default_rng(2).standard_normal(spoken.size).astype(np.float32)
    clean, noisy, again = (
        measure(spoken, signal, RATE, "distillmos") for signal in (spoken, spoken + noise, spoken + noise)
    )
    assert clean.value is not None
    assert noisy.value is not None
    assert 1 < noisy.value + 0.5 < clean.value < 5
    assert noisy == again
    assert noisy.version == METRICS["distillmos"].version != ""
    assert capsys.readouterr().out == ""
    # What its import of torchaudio is shown stays within that import.
    assert getattr(sys.modules.get("torchaudio"), "__file__", "real") is not None


@pytest.mark.shared
def test_phones_disagree_more_at_lower_rates(spoken: NDArray[np.float32]) -> None:
    needs("phones")
    outputs = (process(spoken, slug).audio for slug in ("original", "opus-12k", "opus-6k"))
    same, twelve, six = (measure(spoken, output, RATE, "phones") for output in outputs)
    assert same.value == 0
    assert twelve.value is not None
    assert six.value is not None
    assert 0 < twelve.value < six.value < 1
    assert "edits between" in six.note


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("same", "same", 0)],
)
def test_edit_distance_is_levenshteins(one: str, other: str, distance: int) -> None:
    assert edit_distance(list(one), list(other)) == distance


@pytest.mark.parametrize("slug", metrics.OPTIONAL)
@pytest.mark.parametrize("seconds", [0.01, 0.2])
def test_a_short_signal_gets_a_figure_or_a_reason(slug: str, seconds: float) -> None:
    needs(slug)
    short = SPEECH[2000 : 2000 + int(seconds * RATE)]
    found = measure(short, short, RATE, slug)
    if found.value is None:
        assert "too short" in found.note or "no phone" in found.note
    else:
        assert METRICS[slug].low <= found.value <= METRICS[slug].high


@pytest.mark.parametrize("slug", metrics.OPTIONAL)
def test_silence_has_no_figure(slug: str) -> None:
    needs(slug)
    found = measure(SPEECH, np.zeros_like(SPEECH), RATE, slug)
    assert (found.value, found.note) == (None, "the decoded audio is silent")
