"""The archive's scripts compute the report's figures without Earshot."""

from __future__ import annotations

import ast
import csv
import io
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from listening.interchange.archive.write import write_archive
from listening.models import Rating, Study
from listening.results import compute, heavy, methods
from tests.listening.generated import generate
from tests.listening.results.test_method_results import hold, prefer, right, wrong  # noqa: F401 -- hold is a fixture

Figures = dict[tuple[str, str, str], str]


def run_script(study: Study, folder: Path, *, alone: bool = False) -> Figures:
    """What analysis.py prints: in this process, or alone with its files in a folder."""
    archive = io.BytesIO()
    write_archive(study, archive)
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.startswith("analysis/")]
        assert sorted(names) == [
            "analysis/analysis.R", "analysis/analysis.py", "analysis/settings.json", "analysis/tidy.csv",
        ]  # fmt: skip
        packed.extractall(folder, names)
    script = folder / "analysis" / "analysis.py"
    assert packages_of(script) <= {*sys.stdlib_module_names, "numpy", "pandas", "scipy"}
    if alone:
        command = [sys.executable, "-I", str(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        printed = done.stdout
    else:
        with patch.object(sys, "argv", [str(script)]), redirect_stdout(io.StringIO()) as output:
            runpy.run_path(str(script), run_name="__main__")
        printed = output.getvalue()
    found = {(row[0], row[1], row[2]): row[3] for row in csv.reader(printed.splitlines()[1:])}
    if shutil.which("Rscript"):
        agree_in_r(found, script.parent)
    return found


def agree_in_r(found: Figures, folder: Path) -> None:
    """What analysis.R prints, where R is installed, is what analysis.py prints: lme4 for own code.

    lme4 stops at another place of a flat likelihood, so that degrees of freedom agree to a thousandth.
    """
    command = ["Rscript", "--vanilla", "analysis.R"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    compared = 0
    for table, row, name, value, *_ in csv.reader(done.stdout.splitlines()[1:]):
        printed = found.get((table, row, name))
        if printed is None:
            continue
        compared += 1
        if value.strip() == "NA":
            assert printed == "", (table, row, name)
        else:
            assert float(value) == pytest.approx(float(printed), rel=1e-3, abs=1e-4), (table, row, name)
    assert compared > 4


def packages_of(script: Path) -> set[str]:
    """Whatever it imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def agree(found: Figures, table: str, row: str, expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        printed = found[table, row, name]
        if isinstance(value, float):
            assert float(printed) == pytest.approx(value, rel=1e-4, abs=1e-5), (table, row, name)
        else:
            assert printed == ("" if value is None else str(value)), (table, row, name)


def agree_on_pairs(found: Figures, table: str, rows: list[dict[str, Any]]) -> None:
    names = ("assessors", "items", "difference", "low", "high", "df", "p_adjusted", "p_equivalent", "verdict")
    for row in rows:
        if not row["problem"]:
            agree(found, table, f"{row['a']} - {row['b']}", {name: row[name] for name in names})


@pytest.mark.parametrize("population", ["like", "these"])
def test_grades(make_study: Callable[..., Study], tmp_path: Path, population: str) -> None:
    """With a listener who is screened out, and grades missing."""
    study = make_study(4, ["opus-9k", "bpgan-2k", "celp-8k"])
    quality = {"anchor35": 25.0, "anchor70": 45.0} | {
        slug: 55.0 + 6 * place for place, slug in enumerate(study.systems)
    }
    generate(study, 7, quality, seed=3, careless=1)
    for rating in list(Rating.objects.filter(trial__item__training=False).order_by("pk"))[::17]:
        rating.delete()
    study.analysis = study.analysis.model_copy(update={"population": population})
    study.save()
    found = run_script(study, tmp_path, alone=population == "like")
    results = compute(study, kind="real", profile="bs1534")
    assert results.excluded
    for row in results.systems:
        names = ("n", "listeners", "median", "q1", "q3", "mean", "low", "high")
        agree(found, "systems", row.slug, {name: getattr(row, name) for name in names})
    data = heavy.compute(study, "real", "bs1534")
    assert data["pairs"]["rows"]
    agree_on_pairs(found, "pairs", data["pairs"]["rows"])
    agree_on_pairs(found, "against", data["against"]["rows"])
    for row in data["wilcoxon"]["rows"]:
        agree(found, "wilcoxon", f"{row['a']} - {row['b']}", {"p_adjusted": row["p_adjusted"]})
    gauges = [row for row in data["gauge"] if not row["problem"]]
    assert gauges
    for row in gauges:
        agree(
            found, "gauge", row["assessor"], {name: row[name] for name in ("discrimination", "reliability")}
        )
    if not data["friedman"]["problem"]:
        agree(found, "friedman", "", {name: data["friedman"][name] for name in ("chi2", "p")})


def noisy(trial: Any) -> None:
    """Grades that differ by listener, item and system."""
    from listening.session.grading import graded_signals
    from listening.session.ratings import save_rating
    from tests.listening.conftest import system_of

    whole = trial.session.study.method != "bs1116"
    heard = [system_of(entry) for entry in graded_signals(trial)]
    tested = next((slug for slug in heard if slug != "original"), "")
    apart = (trial.session.number * 7 + trial.item.position * 5 + len(tested)) % 4
    for entry in graded_signals(trial):
        score = 5.0 if system_of(entry) == "original" else max(1.0, 4.0 - apart / (1 if whole else 2))
        save_rating(trial, entry["key"], int(score) if whole else score, 1)


@pytest.mark.parametrize("method", ["acr", "bs1116"])
def test_categories_and_diff_grades(hold: Callable[..., Study], tmp_path: Path, method: str) -> None:  # noqa: F811
    study = hold(method, noisy, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=5)
    data = heavy.compute(study, "real", "none")
    found = run_script(study, tmp_path)
    assert data["pairs"]["rows"]
    agree_on_pairs(found, "pairs", data["pairs"]["rows"])
    for each in methods.context_of(study, "real", data)["rows"] if method == "bs1116" else []:
        row = each["row"]
        if row.p_adjusted is not None:
            expected = {name: getattr(row, name) for name in ("low", "high", "p_adjusted")}
            agree(found, "impairments", row.system, expected)


def test_votes(hold: Callable[..., Study], tmp_path: Path) -> None:  # noqa: F811
    from tests.listening.results.test_method_results import always_a

    def torn(trial: Any) -> None:
        (always_a if trial.session.number % 2 and trial.item.position == 1 else prefer)(trial)

    study = hold("ab", torn, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=6)
    found = run_script(study, tmp_path)
    names = ("first_votes", "second_votes", "share", "low", "high", "p", "p_holm")
    for row in heavy.compute(study, "real", "none")["preferences"]:
        agree(found, "pairs", f"{row['first']} - {row['second']}", {name: row[name] for name in names})


def test_answers(hold: Callable[..., Study], tmp_path: Path) -> None:  # noqa: F811
    def answer(trial: Any) -> None:
        """Right but for every third time, and by one listener never."""
        (right if (trial.session.number + trial.position) % 3 and trial.session.number > 1 else wrong)(trial)

    study = hold("abx", answer, trials=4, listeners=4)
    found = run_script(study, tmp_path)
    for pair in methods.context_of(study, "real")["pairs"]:
        row = pair["row"]
        assert 0 < row.low < row.share < row.high < 1
        expected = {name: getattr(row, name) for name in ("correct", "n", "share", "low", "high", "p")}
        agree(found, "pairs", f"{row.first} - {row.second}", expected | {"p_holm": pair["p_holm"]})
