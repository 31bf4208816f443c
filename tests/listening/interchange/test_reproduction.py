"""The archive's scripts compute the report's figures without Earshot."""

from __future__ import annotations

import ast
import csv
import io
import json
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis.statistics import choices, differences
from evaluation.analysis.statistics.differences import Population
from evaluation.models import Score
from listening.interchange.archive.write import write_archive
from listening.models import Analysis, Rating, Stimulus, Study
from listening.results import compute, heavy, methods
from listening.results.page import context_of as page_context
from tests.listening.generated import generate
from tests.listening.results.test_method_results import (
    prefer,
    right,
    systems_in,
    wrong,
)
from tests.rows import some

Figures = dict[tuple[str, str, str], str]


def run_script(study: Study, folder: Path, *, alone: bool = False) -> Figures:
    """What analysis.py prints: in this process, or alone with its files in a folder."""
    archive = io.BytesIO()
    write_archive(study, archive)
    with zipfile.ZipFile(archive) as packed:
        names = [name for name in packed.namelist() if name.startswith("analysis/")]
        assert {*names} - {"analysis/scores.csv"} == {
            "analysis/analysis.R", "analysis/analysis.py", "analysis/settings.json", "analysis/tidy.csv",
        }  # fmt: skip
        packed.extractall(folder, names)
    return run_files(folder / "analysis", alone=alone)


def run_files(folder: Path, *, alone: bool = False) -> Figures:
    """What analysis.py prints of the files beside it; where R is installed, analysis.R has to agree."""
    script = folder / "analysis.py"
    assert packages_of(script) <= {*sys.stdlib_module_names, "numpy", "pandas", "scipy"}
    if alone:
        command = [sys.executable, "-I", str(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder.parent)
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

    lme4 stops at another place of a flat likelihood, so that degrees of freedom agree to a thousandth, as do
    glmer's figures. What it draws at random agrees within four standard errors of 10 000 deals, and ends of a
    bootstrap within a twentieth of its width.
    """
    command = ["Rscript", "--vanilla", "analysis.R"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    compared = 0
    lines = [row[:4] for row in csv.reader(done.stdout.splitlines()[1:])]
    printed_in_r = {(table, row, name) for table, row, name, _ in lines}
    for table, row, name, value in lines:
        printed = found.get((table, row, name))
        if printed is None:
            continue
        compared += 1
        if value.strip() == "NA":
            assert printed == "", (table, row, name)
        elif table == "attachment3" and name != "difference":
            assert float(value) == pytest.approx(float(printed), abs=0.02), (table, row, name)
        elif table == "bootstrap":
            wide = float(found[table, row, "high"]) - float(found[table, row, "low"])
            assert float(value) == pytest.approx(float(printed), abs=wide / 20), (table, row, name)
        elif table == "logistic":
            assert float(value) == pytest.approx(float(printed), abs=5e-3), (table, row, name)
        elif name == "verdict":
            assert value.strip() == printed
        else:
            assert float(value) == pytest.approx(float(printed), rel=1e-3, abs=1e-4), (table, row, name)
    # Tables that R has no part in: they are named at the head of the script.
    lacking = {table for (table, _, _), value in found.items() if value} - {
        table for table, _, _ in printed_in_r
    }
    assert lacking <= {"needed", "power", "plan", "adjusted", "outliers", "scores", "trials"}
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


def agree(found: Figures, table: str, row: str, expected: Mapping[str, object]) -> None:
    for name, value in expected.items():
        printed = found[table, row, name]
        if isinstance(value, float):
            assert float(printed) == pytest.approx(value, rel=1e-4, abs=1e-5), (table, row, name)
        else:
            assert printed == ("" if value is None else str(value)), (table, row, name)


def agree_on(
    found: Figures, table: str, rows: Sequence[Mapping[str, object]], *names: str, key: str = "system"
) -> None:
    """The same of several rows; there is one at least."""
    assert rows, table
    for row in rows:
        where = f"{row['a']} - {row['b']}" if key == "pair" else str(row[key])
        agree(found, table, where, {name: row[name] for name in names})


def agree_on_listeners(found: Figures, data: Any) -> None:
    """Agreement and expertise of listeners, and listeners for a difference: of every graded method."""
    known = data["reliability"]
    if known["problem"]:
        assert not any(table == "reliability" for table, _, _ in found)
    else:
        names = ("stimuli", "listeners", "single", "mean", "alpha")
        agree(found, "reliability", "", {name: known[name] for name in names})
        for which in ("single", "mean"):
            interval = known[f"{which}_interval"]
            agree(found, "reliability", "", {f"{which}_{end}": interval[end] for end in ("low", "high")})
    for row in [row for row in data["gauge"] if not row["problem"]]:
        figures = ("discrimination", "reliability")
        agree(
            found, "gauge", row["assessor"],
            {name + part: row[name + part] for name in figures for part in ("", "_floor", "_p")},
        )  # fmt: skip
    needed = data["needed"]
    for row in needed["rows"] if needed else []:
        agree(found, "needed", f"{row['difference']:g}", {"listeners": row["listeners"]})
        for number, power in zip(row["numbers"], row["powers"], strict=True):
            printed = float(found["power", f"{row['difference']:g}", f"{number} listeners"])
            assert printed == pytest.approx(power, abs=1e-3)


def agree_on_pairs(found: Figures, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    names = ("assessors", "items", "difference", "low", "high", "df", "p_adjusted", "p_equivalent", "verdict")
    for row in rows:
        if not row["problem"]:
            agree(found, table, f"{row['a']} - {row['b']}", {name: row[name] for name in names})
            effects = {name: row[name] for name in ("standardised", "rank_biserial")}
            agree(found, table, f"{row['a']} - {row['b']}", effects)


@pytest.mark.parametrize("population", some(["like", "these"], "like".__eq__))
def test_grades(make_study: Callable[..., Study], tmp_path: Path, population: str) -> None:
    """With a listener who is screened out, and grades missing."""
    study = make_study(6, ["opus-9k", "bpgan-2k", "celp-8k"])
    quality = {"anchor35": 25.0, "anchor70": 45.0} | {
        slug: 55.0 + 6 * place for place, slug in enumerate(study.systems)
    }
    generate(study, 9, quality, seed=3, careless=1)
    for rating in list(Rating.objects.filter(trial__item__training=False).order_by("pk"))[:200:17]:
        rating.delete()
    study.analysis = study.analysis.model_copy(update={"population": population})
    study.save()
    for stimulus in Stimulus.objects.filter(item__study=study, item__training=False):
        place = sorted(quality).index(stimulus.system) if stimulus.system in quality else 9
        stimulus.objective = {"polqa": 1.5 + (place * 7 + stimulus.item.position * 3) % 10 / 4}
        stimulus.save()
    # A system that is measured in some of its items is in no correlation over systems.
    lacking = Stimulus.objects.get(item__study=study, item__position=2, system="celp-8k")
    lacking.objective = {}
    lacking.save()
    # Two metrics of the four are enough: each is resampled two thousand times here, and again in the script.
    Score.objects.filter(metric__in=["pesq_nb", "stoi"]).delete()
    found = run_script(study, tmp_path, alone=population == "like")
    results = compute(study, kind="real", profile="bs1534")
    assert results.excluded
    for row in results.systems:
        names = ("n", "listeners", "median", "q1", "q3", "mean", "low", "high")
        agree(found, "systems", row.slug, {name: getattr(row, name) for name in names})
    data = heavy.compute(study, "real", "bs1534")
    assert not data["reliability"]["problem"]
    analysis = Analysis(study=study, data=data)
    assert data["pairs"]["rows"]
    assert data["agreement"]
    agree_on_pairs(found, "pairs", data["pairs"]["rows"])
    agree_on_pairs(found, "against", data["against"]["rows"])
    agree_on_companions(found, data)
    agree_on_listeners(found, data)
    for row in results.systems:
        known = {"mean": row.all_mean, "listeners": row.all_listeners}
        agree(found, "unscreened", row.slug, known)
        if row.multimodality is not None:
            agree(found, "systems", row.slug, {"multimodality": row.multimodality})
    for row in results.cells.itertuples():
        agree(found, "items", f"{row.item} - {row.system}", {"mean": row.mean, "half_width": row.half_width})
    agree(found, "outliers", "", {"n": len(results.outliers)})
    for effect in page_context(results, analysis)["effects"]:
        agree(found, "anova", effect["name"], dict(effect["shown"]))
    for row in data["agreement"]:
        where = f"{row['metric']} per {row['level']}"
        for each in row["figures"][:3]:
            agree(found, "agreement", where, {each["name"]: each["value"]})
            for name, ends in (("", ("low", "high")), (", these", ("low_here", "high_here"))):
                if each[ends[0]] is not None and not (name == "" and row["level"] == "stimulus"):
                    agree(
                        found, "agreement", where,
                        {f"{each['name']} {end.split('_')[0]}{name}": each[end] for end in ends},
                    )  # fmt: skip
        for each, name in zip(row["figures"][3:], ("rmse", "rmse_star", "outlier_ratio"), strict=True):
            if each["value"] is not None:
                # The report's cubic rises by a grid of 2001 places, the script's by one of 401.
                printed = float(found["agreement", where, name])
                assert printed == pytest.approx(each["value"], rel=2e-3, abs=1e-3), (where, name)


def agree_on_companions(found: Figures, data: Any) -> None:
    """The tests and models of MUSHRA's page that no verdict rests on."""
    for name, table in (("wilcoxon", "wilcoxon"), ("sign_flip", "sign-flip"), ("contrasts", "contrasts")):
        agree_on(found, table, data[name]["rows"], "p_adjusted", key="pair")
    agree_on(
        found,
        "attachment3",
        data["attachment3"]["rows"],
        "difference",
        "p",
        "p_at_least",
        "p_two_sided",
        key="pair",
    )
    assert not data["friedman"]["problem"]
    agree(found, "friedman", "", {name: data["friedman"][name] for name in ("n", "chi2", "df", "p", "w")})
    effects = [row for row in data["anova"]["effects"] if not row["problem"]]
    assert len(effects) == 3
    for row in effects:
        names = (
            "p", "p_uncorrected", "partial_eta_squared", "greenhouse_geisser", "p_gg", "huynh_feldt", "p_hf",
        )  # fmt: skip
        agree(found, "anova", row["name"], {name: row[name] for name in names})
        if row["multivariate"]:
            agree(found, "anova", row["name"], {"p_multivariate": row["multivariate"]["p"]})
    shape = data["anova"]["residuals"]
    agree(found, "anova", "residuals", {name: shape[name] for name in ("skewness", "kurtosis")})
    model = data["mixed"]
    names = ("n", "n_assessors", "f", "df", "df_error", "p", "sd_assessor", "sd_assessor_system", "sd_rest")
    agree(found, "mixed", "", {name: model[name] for name in names})
    for table, rows, key in (
        ("mixed", model["means"], "system"),
        ("mixed pairs", model["comparisons"], "pair"),
    ):
        agree_on(found, table, [{**row, **row["interval"]} for row in rows], "low", "high", key=key)
    agree_on(found, "mixed", model["means"], "n", "mean")
    agree_on(found, "mixed pairs", model["comparisons"], "difference", "p_adjusted", key="pair")
    for system, interval in data["bootstrap"].items():
        agree(found, "bootstrap", system, {end: interval and interval[end] for end in ("low", "high")})
    agree(found, "plan", "", {"assessors": data["plan"]["assessors"]})


def noisy(trial: Any) -> None:
    """Grades that differ by listener, item and system."""
    from listening.session.grading import graded_signals
    from listening.session.ratings import save_ratings

    method, systems, scores = trial.session.study.method, systems_in(trial), {}
    for entry in graded_signals(trial):
        slug = systems[entry["key"]]
        drawn = np.random.default_rng([trial.session.number, trial.item.position, len(slug)]).normal()
        score = {"opus-9k": 3.6, "bpgan-2k": 3.0, "celp-8k": 2.2}.get(slug, 5.0) + drawn
        if method == "ccr":
            score = round(min(3, max(-3, score - 4)))
        elif method == "bs1116":
            score = 5.0 if slug == "original" else round(min(5, max(1, score)), 1)
        else:
            score = round(min(5, max(1, score)))
        scores[entry["key"]] = score
    save_ratings(trial, scores)


def agree_on_opinions(found: Figures, context: Any, data: Any) -> None:
    """Votes of each system and item, proportional odds, and of CCR what being heard second is worth."""
    for each in context["rows"]:
        row = each["row"]
        votes = {str(grade): number for grade, number in row.votes.items()}
        agree(found, "votes", row.system, {"n": row.n, "mean": row.mean, "sd": row.sd} | votes)
        agree(found, "systems", row.system, {"mean": row.assessor_mean})
    for each in context["per_item"]:
        row = each["row"]
        known = {"n": row.n, "mean": row.mean, "low": float(each["low"]), "high": float(each["high"])}
        agree(found, "items", f"{row.item} - {row.system}", known)
    assert not data["ordinal"]["problem"]
    agree_on(found, "ordinal", data["ordinal"]["rows"], "ratio", "low", "high", "p_adjusted", key="pair")
    if context.get("order"):
        agree(found, "order", "", {"mean": context["order"].mean})


@pytest.mark.parametrize("method", some(["acr", "ccr", "bs1116"], "acr".__ne__))
def test_categories_and_diff_grades(hold: Callable[..., Study], tmp_path: Path, method: str) -> None:
    study = hold(method, noisy, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=5)
    data = heavy.compute(study, "real", "none")
    found = run_script(study, tmp_path)
    assert data["pairs"]["rows"]
    agree_on_pairs(found, "pairs", data["pairs"]["rows"])
    agree_on_listeners(found, data)
    if method != "bs1116":
        agree_on_opinions(found, methods.context_of(study, "real", data), data)
    for row in methods.context_of(study, "real", data)["expertise"] if method == "bs1116" else []:
        agree(
            found,
            "expertise",
            str(row.assessor),
            {name: getattr(row, name) for name in ("n", "mistaken", "mean", "t", "p")},
        )
    for row in data["experts"] if method == "bs1116" else []:
        if row["low"] is not None:
            agree(
                found,
                "experts",
                row["system"],
                {name: row[name] for name in ("mean", "estimate", "low", "high")},
            )
    for each in methods.context_of(study, "real", data)["rows"] if method == "bs1116" else []:
        row = each["row"]
        if row.p_adjusted is not None:
            expected = {
                name: getattr(row, name)
                for name in ("mean", "mistaken", "estimate", "low", "high", "p_adjusted")
            }
            agree(found, "impairments", row.system, expected)


def test_votes(hold: Callable[..., Study], tmp_path: Path) -> None:
    from tests.listening.results.test_method_results import always_a

    def torn(trial: Any) -> None:
        (always_a if trial.session.number % 2 and trial.item.position == 1 else prefer)(trial)

    study = hold("ab", torn, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=6)
    found = run_script(study, tmp_path)
    names = (
        "first_votes", "second_votes", "ties", "assessors_first", "assessors_second", "share", "low", "high",
        "p", "p_holm",
    )  # fmt: skip
    data = heavy.compute(study, "real", "none")
    for row in data["preferences"]:
        agree(found, "pairs", f"{row['first']} - {row['second']}", {name: row[name] for name in names})
    assert not data["scale"]["problem"]
    names = ("ability", "low", "high", "low_assessors", "high_assessors", "share")
    agree_on(found, "scale", data["scale"]["systems"], *names)
    agree_on_odds(found, data)


def write_files(folder: Path, frame: pd.DataFrame, settings: Mapping[str, object]) -> None:
    """What an archive has in ``analysis/``, of any grades or votes."""
    frame.to_csv(folder / "tidy.csv", index=False)
    (folder / "settings.json").write_text(json.dumps(settings))
    for name in ("analysis.py", "analysis.R"):
        text = (files("listening.interchange.archive") / "scripts" / f"{name}.txt").read_text(
            encoding="utf-8"
        )
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("population", list(Population))
def test_votes_of_one_mind_or_one_a_listener(tmp_path: Path, population: Population) -> None:
    """Each listener has one vote, on an item of their own or of three; all vote alike, or alike by item."""
    patterns = {
        ("a", "b"): [(f"l{n}", f"i{n}", "ab"[n % 3 == 0]) for n in range(9)],
        ("a", "c"): [(f"l{n}", f"i{n % 3}", "ac"[n % 5 == 0]) for n in range(9)],
        ("a", "d"): [(f"l{n}", f"i{n % 3}", ("a", "d", None)[n % 4 % 3]) for n in range(9)],
        ("b", "c"): [(f"l{n}", f"i{item}", "bbc"[item]) for n in range(6) for item in range(3)],
        ("b", "d"): [(f"l{n}", f"i{item}", "b") for n in range(6) for item in range(2)],
    }
    rows = [(who, item, *pair, vote) for pair, votes in patterns.items() for who, item, vote in votes]
    frame = pd.DataFrame(rows, columns=list(choices.PREFERENCE_COLUMNS))
    write_files(tmp_path, frame, {"kind": "votes", "method": "ab", "population": population.value})
    found = run_files(tmp_path)
    for row in choices.preferences(frame, population):
        expected = {name: getattr(row, name) for name in ("share", "low", "high", "p", "p_holm")}
        agree(found, "pairs", f"{row.first} - {row.second}", expected)


def test_grades_of_one_listener_and_of_cells_that_nobody_shares(tmp_path: Path) -> None:
    """Each listener graded both systems in an item of their own: no random part is left. One listener."""
    settings = {
        "kind": "grades", "method": "mushra", "population": "like", "margin": 5.0, "most": 100.0,
        "scale": [0, 100], "tested": ["p", "q"], "fixed": [], "impairments": False, "categories": [],
        "omnibus": False, "seed": 1,
    }  # fmt: skip
    rows = [
        (f"l{who}", f"i{who}", system, score + 3 * who * (system == "p"), 1)
        for who in range(5)
        for system, score in (("p", 60.0), ("q", 55.0))
    ]
    columns = ["assessor", "item", "system", "score", "kept"]
    for number, those in enumerate((rows, rows[:2])):
        folder = tmp_path / str(number)
        folder.mkdir()
        frame = pd.DataFrame(those, columns=columns)
        # Companions of one listener alone: five bootstrapped means are too few for two programs to agree.
        write_files(folder, frame, settings | {"omnibus": False if number else None})
        found = run_files(folder)
        (row,) = differences.compare(frame).rows
        if row.problem:
            assert found["pairs", "p - q", "difference"] == ""
        else:
            names = ("difference", "low", "high", "df", "p_adjusted")
            agree(found, "pairs", "p - q", {name: getattr(row, name) for name in names})
        assert bool(row.problem) is (number == 1)


def agree_on_odds(found: Figures, data: Any) -> None:
    """The logistic model: the script's likelihood is searched without slopes, so to a thousandth."""
    rows = [row for row in data["logistic"] if not row["model"]["problem"]]
    assert rows
    for row in rows:
        model = row["model"]
        for name, value in {
            **{each: model[each] for each in ("share", "low", "high")},
            "p_holm": row["p_holm"],
        }.items():
            printed = float(found["logistic", f"{row['first']} - {row['second']}", name])
            assert printed == pytest.approx(value, abs=1e-3), name


def test_answers(hold: Callable[..., Study], tmp_path: Path) -> None:
    def answer(trial: Any) -> None:
        """Right but for every third time, and by one listener never."""
        (right if (trial.session.number + trial.position) % 3 and trial.session.number > 1 else wrong)(trial)

    study = hold("abx", answer, trials=4, listeners=4)
    found = run_script(study, tmp_path)
    for pair in methods.context_of(study, "real")["pairs"]:
        row = pair["row"]
        assert 0 < row.low < row.share < row.high < 1
        expected = {name: getattr(row, name) for name in ("correct", "n", "share", "low", "high", "p")}
        expected |= {"p_holm": row.p_holm, "needed": row.needed, "power": row.power}
        agree(found, "pairs", f"{row.first} - {row.second}", expected)
    context = methods.context_of(study, "real")
    for each in context["assessors"]:
        row = each["row"]
        expected = {name: getattr(row, name) for name in ("correct", "n", "share", "p", "p_holm")}
        agree(found, "listeners", f"{row.assessor}: {row.first} - {row.second}", expected)
    for each in context["plan"]:
        agree(found, "trials", f"{each['share'] / 100:g}", {"trials": each["trials"]})
    agree_on_odds(found, heavy.compute(study, "real", "none"))
