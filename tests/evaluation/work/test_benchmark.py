"""``manage.py benchmark``: the table without server, Redis or database."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.management import CommandError, call_command
from scipy import stats

from codec.bpgan.config import change_receiver
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import WEIGHTS
from codec.bpgan.search.search import SEARCHES
from evaluation.metrics import METRICS as REGISTRY
from evaluation.work import benchmark
from evaluation.work.pipeline import METRICS, measure, process
from tests.conftest import ROOT
from tests.evaluation.conftest import RATE, make_speech, make_wav
from tests.live import wait_for

COLUMNS = "system,clip,seconds,kbps,pesq_nb,pesq_wb,stoi,encode_rtf,decode_rtf"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings, one in a folder below, and a text that is no recording."""
    folder = tmp_path / "corpus"
    (folder / "woman").mkdir(parents=True)
    (folder / "a.wav").write_bytes(make_wav(make_speech(1.0)))
    (folder / "woman" / "b.flac").write_bytes(make_wav(make_speech(1.5, seed=1), format="FLAC"))
    (folder / "notes.txt").write_text("not audio")
    return folder


def run(*arguments: object) -> tuple[str, str, int]:
    """Standard output, standard error and exit code."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("benchmark", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", error.returncode
    return out.getvalue(), err.getvalue(), 0


def test_table_has_exactly_the_columns_and_a_row_for_each_clip_and_system(
    corpus: Path, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    _, _, code = run(corpus, "--systems", "original,anchor35", "--out", table)
    assert code == 0
    text = table.read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["clip"], row["system"], float(row["seconds"])) for row in rows] == [
        ("a.wav", "original", 1.0),
        ("a.wav", "anchor35", 1.0),
        ("woman/b.flac", "original", 1.5),
        ("woman/b.flac", "anchor35", 1.5),
    ]


def test_names_tell_several_folders_apart(corpus: Path) -> None:
    found = benchmark.find_recordings([corpus, corpus / "woman", corpus / "a.wav"])
    assert [name for _, name in found] == ["corpus/a.wav", "corpus/woman/b.flac", "woman/b.flac", "a.wav"]


def test_figures_are_those_of_the_pipeline(corpus: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    run(corpus / "a.wav", "--systems", "anchor35", "--out", table)
    (row,) = csv.DictReader(table.open())
    audio, _ = soundfile.read(corpus / "a.wav", dtype="float32")
    done = process(audio, "anchor35")
    assert float(row["kbps"]) == pytest.approx(done.encoded.kbps)
    for metric in METRICS:
        assert float(row[metric]) == pytest.approx(measure(audio, done.audio, RATE, metric).value, rel=1e-5)


def test_means_have_intervals_by_students_t(corpus: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    printed, _, _ = run(corpus, "--systems", "anchor35", "--out", table)
    values = [float(row["pesq_wb"]) for row in csv.DictReader(table.open())]
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    line = next(line for line in printed.splitlines() if line.startswith("anchor35"))
    assert f"{np.mean(values):.3f} ±{(high - low) / 2:.3f}" in line
    printed, _, _ = run(corpus, "--systems", "anchor35", "--json")
    assert json.loads(printed)["anchor35"]["pesq_wb"] == {
        "n": len(values),
        "mean": pytest.approx(np.mean(values), rel=1e-5),
        "half_width": pytest.approx((high - low) / 2, rel=1e-4),
    }


def test_means_are_aligned_in_columns() -> None:
    rows: list[dict[str, str | float | None]] = [
        {"system": system, **dict.fromkeys(benchmark.FIGURES, value)}
        for system, value in [("original", 1.0), ("original", 3.0), ("bpgan-2k", 100.0), ("bpgan-2k", 300.0)]
    ]
    head, *lines = benchmark.format_means(benchmark.means(rows)).splitlines()
    assert head.split() == ["system", "n", *benchmark.FIGURES]
    assert {len(line) for line in (head, *lines)} == {len(head)}
    assert lines[0].startswith("original  2  ")


def test_means_leave_out_what_has_no_answer() -> None:
    base = dict.fromkeys(benchmark.FIGURES, 1.0)
    means = benchmark.means([{"system": "s", **base, "stoi": None}, {"system": "s", **base, "stoi": 0.5}])
    stoi = means["s"]["stoi"]
    assert stoi is not None
    assert (stoi.n, stoi.mean) == (1, 0.5)
    assert math.isnan(stoi.half_width)
    assert benchmark.describe_means(means)["s"]["stoi"] == {"n": 1, "mean": 0.5, "half_width": None}
    assert "0.500 (n=1)" in benchmark.format_means(means)
    assert benchmark.means([{"system": "s", **base, "stoi": None}])["s"]["stoi"] is None


def test_one_bad_file_does_not_stop_the_others(corpus: Path, tmp_path: Path) -> None:
    (corpus / "aa-text.wav").write_text("Dear diary")
    (corpus / "ab-empty.wav").touch()
    table = tmp_path / "table.csv"
    printed, errors, code = run(corpus, "--systems", "original", "--out", table)
    assert code == 1
    assert [row["clip"] for row in csv.DictReader(table.open())] == ["a.wav", "woman/b.flac"]
    assert "2 of 4 failed" in errors
    assert "aa-text.wav through original: This is a text file" in errors
    assert "ab-empty.wav through original: The file is empty." in errors
    assert "original" in printed


def test_silence_has_empty_cells_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(make_wav(np.zeros(RATE)))
    table = tmp_path / "table.csv"
    _, _, code = run(tmp_path / "silence.wav", "--systems", "original", "--out", table)
    (row,) = csv.DictReader(table.open())
    assert code == 0
    assert (row["pesq_nb"], row["pesq_wb"], row["stoi"]) == ("", "", "")


@pytest.mark.rest
def test_processes_give_the_same_figures_in_the_same_order(corpus: Path, tmp_path: Path) -> None:
    """As a person starts it, with no database to go to."""
    (corpus / "aa-text.wav").write_text("Dear diary")
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    run(corpus, "--systems", "original,anchor35", "--out", one)
    command = [sys.executable, "manage.py", "benchmark", str(corpus), "--systems", "original,anchor35"]
    environment = {
        **os.environ,
        "EARSHOT_HOME": str(tmp_path),
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    }
    done = subprocess.run(
        [*command, "--jobs", "2", "--out", str(two)],
        env={**environment, "REDIS_URL": "redis://127.0.0.1:1/0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "2 of 6 failed" in done.stderr
    untimed = [[list(row.values())[:7] for row in csv.DictReader(path.open())] for path in (one, two)]
    assert untimed[0] == untimed[1]
    assert len(untimed[0]) == 4


@pytest.mark.rest
def test_ctrl_c_ends_every_process_at_once_and_keeps_what_is_done(corpus: Path, tmp_path: Path) -> None:
    (corpus / "z.wav").write_bytes(make_wav(make_speech(55.0)))  # half a minute of search at least
    table = tmp_path / "table.csv"
    command = [sys.executable, "manage.py", "benchmark", str(corpus), "--systems", "original,bpgan-2k"]
    process = subprocess.Popen(
        [*command, "--jobs", "2", "--out", str(table)],
        env={**os.environ, "EARSHOT_HOME": str(tmp_path)},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_for("the first row", lambda: table.exists() and len(table.read_text().splitlines()) > 1, 60)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everyone in the group gets it
        _, errors = process.communicate(timeout=20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert re.search(r"Interrupted with [1-5] of 6 rows done", errors)
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{corpus}", "--systems", "opus-6k,mp3"], "There is no system 'mp3'"),
        (["{corpus}/nowhere"], "There is no file or folder"),
        (["{corpus}/empty"], "There are no audio files in these places."),
        (["{corpus}", "--jobs", "0"], "--jobs must be 1 or more."),
        (["{corpus}", "--systems", "original", "--out", "{corpus}/no/such/table.csv"], "cannot be written"),
        (["{corpus}", "--systems", "original", "--against", "opus-9k"], "is none of original"),
        (["{corpus}", "--systems", "original", "--by", "corpus"], "There is no manifest"),
        (["{corpus}", "--systems", "bpgan-2k", "--models", "{corpus}/notes.txt"], "cannot be read"),
    ],
)
def test_misuse_is_explained(corpus: Path, arguments: list[str], message: str) -> None:
    (corpus / "empty").mkdir()
    _, errors, code = run(*[argument.format(corpus=corpus) for argument in arguments])
    assert code == 1
    assert message in errors


def test_differences_are_paired_and_signed(corpus: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    printed, _, _ = run(corpus, "--systems", "anchor35,original", "--against", "anchor35", "--out", table)
    by_system: dict[str, list[float]] = {}
    for row in csv.DictReader(table.open()):
        by_system.setdefault(row["system"], []).append(float(row["pesq_wb"]))
    apart = np.subtract(by_system["original"], by_system["anchor35"])
    low, high = stats.t.interval(0.95, len(apart) - 1, apart.mean(), stats.sem(apart))
    _, differences = printed.split("Paired differences from anchor35\n")
    assert [line.split()[0] for line in differences.splitlines()] == ["system", "original"]
    assert f"{apart.mean():+.3f} ±{(high - low) / 2:.3f}" in differences
    as_json, _, _ = run(corpus, "--systems", "anchor35,original", "--against", "anchor35", "--json")
    found = json.loads(as_json)
    assert found["original"]["pesq_wb"]["difference"]["mean"] == pytest.approx(apart.mean(), rel=1e-4)
    assert "difference" not in found["anchor35"]["pesq_wb"]


def test_a_difference_needs_the_figures_of_both() -> None:
    base: benchmark.Row = {"clip": "a.wav", **dict.fromkeys(benchmark.FIGURES, 1.0)}
    rows: list[benchmark.Row] = [
        {**base, "system": "x"},
        {**base, "system": "y", "pesq_wb": 3.0, "stoi": None},
        {**base, "system": "y", "clip": "only y has it.wav", "pesq_wb": 9.0},
    ]
    (row,) = benchmark.differences(rows, "x").values()
    assert row["pesq_wb"] == benchmark.Mean(1, 2.0, math.nan)
    assert row["stoi"] is None


def test_groups_come_from_the_manifest_beside_the_folder(corpus: Path) -> None:
    manifest = corpus.with_name("corpus.tsv")
    table = "path\tspeaker\tcorpus\ncorpus/woman/b.flac\tb\tVCTK\ncorpus/a.wav\ta\tTIMIT\n"
    manifest.write_text(table, encoding="utf-8-sig")  # as a spreadsheet saves it
    printed, _, code = run(corpus, "--systems", "original,anchor35", "--by", "corpus")
    assert code == 0
    titles = [line for line in printed.splitlines() if "ean over clips" in line]
    assert [title.partition("Mean")[0] for title in titles] == ["", "TIMIT: ", "VCTK: "]
    found = json.loads(run(corpus, "--systems", "original", "--by", "corpus", "--json")[0])
    assert found["all"]["original"]["pesq_wb"]["n"] == 2
    counts = {group: table["original"]["pesq_wb"]["n"] for group, table in found["groups"].items()}
    assert counts == {"TIMIT": 1, "VCTK": 1}


def test_a_manifest_without_the_column_is_named(corpus: Path) -> None:
    corpus.with_name("corpus.tsv").write_text("path\tspeaker\na.wav\tb\n")
    _, errors, code = run(corpus, "--systems", "original", "--by", "corpus")
    assert code == 1
    assert "corpus.tsv needs the columns path and corpus" in errors


def test_a_model_runs_beside_the_installed_one(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same symbols, so the same rate, through a receiver that does nothing more: another sound."""
    # Both are searched alike, however that is.
    monkeypatch.setitem(SEARCHES, "realtime", SEARCHES["instant"])
    model, table = tmp_path / "blunt.safetensors", tmp_path / "table.csv"
    plain = ["postfilter.bands=0.0", "postfilter.frames=0.0", "spectrum.strength=0.0"]
    shipped = BPGANModel.load(WEIGHTS / "default.safetensors")
    shipped.config = change_receiver(shipped.config, plain)
    shipped.save(model)
    _, errors, code = run(
        corpus / "a.wav", "--systems", "bpgan-2k,original", "--models", model, "--out", table
    )
    assert code == 0, errors
    rows = {row["system"]: row for row in csv.DictReader(table.open())}
    assert list(rows) == ["bpgan-2k", "bpgan-2k (blunt)", "original"]
    assert rows["bpgan-2k"]["kbps"] == rows["bpgan-2k (blunt)"]["kbps"]
    assert rows["bpgan-2k"]["pesq_wb"] != rows["bpgan-2k (blunt)"]["pesq_wb"]


@pytest.mark.shared
def test_real_speech(shared: Path, tmp_path: Path) -> None:
    """Orders that hold for any speech: the original leads, and Opus rises with its rate."""
    sentence = min((shared / "speech" / "eval").glob("*.flac"))
    table = tmp_path / "table.csv"
    _, errors, code = run(sentence, "--systems", "original,opus-6k,opus-12k,codec2-2.4k", "--out", table)
    assert code == 0, errors
    rows = {row["system"]: row for row in csv.DictReader(table.open())}
    assert float(rows["original"]["pesq_wb"]) == pytest.approx(4.64, abs=0.01)
    assert 4.6 > float(rows["opus-12k"]["pesq_wb"]) > float(rows["opus-6k"]["pesq_wb"]) > 1.2
    assert float(rows["codec2-2.4k"]["kbps"]) == pytest.approx(2.4, abs=0.1)


def test_other_metrics_get_columns_of_their_own(corpus: Path, tmp_path: Path) -> None:
    if missing := REGISTRY["phones"].missing:
        pytest.skip(missing)
    table = tmp_path / "table.csv"
    out, _, code = run(corpus / "a.wav", "--systems", "original", "--metrics", "stoi,phones", "--out", table)
    assert code == 0
    assert table.read_text().splitlines()[0] == "system,clip,seconds,kbps,stoi,phones,encode_rtf,decode_rtf"
    assert out.splitlines()[1].split()[2:5] == ["kbps", "stoi", "phones"]


def test_a_metric_that_is_not_there_is_named(corpus: Path) -> None:
    assert "There is no metric 'peaq'" in run(corpus, "--metrics", "stoi,peaq")[1]
    assert "POLQA is not computed here" in run(corpus, "--metrics", "polqa")[1]
