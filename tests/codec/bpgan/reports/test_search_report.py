"""The search report: measured once, told in tables, plotted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec.__main__ import main
from codec.base import CodecError
from codec.bpgan.reports import search_report
from codec.bpgan.reports.search_tables import gains, interval, read_systems
from tests.codec.bpgan.training.test_calibrate import small_model
from tests.codec.speech import harvard_sentence


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    speech = tmp_path / "speech"
    speech.mkdir()
    for index in range(2):
        soundfile.write(speech / f"{index}.wav", harvard_sentence(index)[:16_000], 16_000)
    small_model().save(tmp_path / "model.safetensors")
    monkeypatch.setattr(search_report, "ITERATIONS", (0, 2))
    monkeypatch.setattr(search_report, "PAPER_ITERATIONS", (2,))
    monkeypatch.setattr(search_report, "WEIGHTS", (0.0, 1.0))
    out = ["--out", str(tmp_path / "report"), "--model", str(tmp_path / "model.safetensors")]
    return ["search-report", str(speech), *out, "--threads", "1", "--limit", "1"]


@pytest.mark.rest
def test_every_part_is_measured_once_and_told(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report"
    assert main(arguments) == 0
    report = (out / "report.md").read_text()
    for title in (
        "Presets",
        "Methods and budgets",
        "Quality against rate",
        "Entropy coding",
        "Where the time",
    ):
        assert f"## {title}" in report
    assert "is above the encoder's own on 0 of 5 searches" in report
    assert (out / "iterations.svg").stat().st_size > 0
    assert (out / "rates.svg").stat().st_size > 0

    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.csv")}
    assert main(arguments) == 0
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.csv")} == before

    with monkeypatch.context() as interrupted:
        interrupted.setattr(search_report, "WEIGHTS", (0.0, 2.0))
        interrupted.setitem(search_report.PARTS, "coders", lambda report: iter([{"coder": "cut"}, 1 / 0]))
        with pytest.raises(ZeroDivisionError):
            main([*arguments, "--parts", "coders"])
    assert main([*arguments, "--parts", "coders"]) == 0
    assert len((out / "coders.csv").read_text().splitlines()) > 3


def test_other_systems_are_drawn_beside_the_rates(arguments: list[str], tmp_path: Path) -> None:
    """Of the same sentences only, and none at rates at which the model's would be a dot."""
    table = tmp_path / "table.csv"
    lines = ["system,clip,kbps,pesq_wb", "original,0.wav,256,4.64", "bpgan-2k,0.wav,2,3.4"]
    lines += ["opus-9k,0.wav,8,3.0", "opus-12k,0.wav,10,3.8", "opus-9k,another.wav,9,1.0", "opus-6k,0.wav,5,"]
    table.write_text("\n".join(lines) + "\n")
    rows = read_systems(table)
    assert {(row["system"], row["family"], row["kbps"]) for row in rows} == {
        ("opus-9k", "opus", 8.0),
        ("opus-9k", "opus", 9.0),
        ("opus-12k", "opus", 10.0),
    }
    assert main([*arguments, "--parts", "rates", "--beside", str(table)]) == 0
    drawn = (tmp_path / "report" / "rates.svg").read_text()
    assert "<!-- opus-12k -->" in drawn
    assert "<!-- original -->" not in drawn


def test_a_table_of_something_else_is_refused(arguments: list[str], tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(CodecError, match=r"table\.csv is no table of `manage\.py benchmark`"):
        read_systems(table)


def row(method: str, channels: float, weight: float, kbps: float, wide: float) -> search_report.Row:
    measured = {"pesq_nb": 3.0, "pesq_wb": wide, "stoi": 0.9, "kbps": kbps, "distortion": 0.3}
    return {"method": method, "channels": channels, "weight": weight, **measured}


def test_gains_compare_at_equal_rate_and_at_equal_quality() -> None:
    encoder = [row("encoder", 10, 0.0, 1.0, 2.0), row("encoder", 20, 0.0, 2.0, 3.0)]
    found = [row("admm", 20, 0.1, 1.5, 2.8), row("admm", 20, 0.0, 2.0, 3.2)]
    text = gains([*encoder, *found])
    # Between its layers the encoder has 2.5 at 1.5 kbit/s, and needs 1.8 kbit/s for 2.8.
    assert "| 20 | 1.500 | 2.800 | 2.500 | +0.300 | 16.7% |" in text
    assert "| 20 | 2.000 | 3.200 | 3.000 | +0.200 | beyond the curve |" in text


def test_intervals_are_students() -> None:
    values = [1.0, 2.0, 3.0, 4.0, float("nan")]
    assert interval(values) == f"2.500 ± {3.182446 * np.std(values[:4], ddof=1) / 2:.3f}"
