"""What it takes to compute a report's figures without Earshot: the grades as they are analysed, and scripts.

``analysis/`` of an archive: ``tidy.csv``, ``settings.json``, ``analysis.py`` and ``analysis.R``, and
``scores.csv`` where stimuli of MUSHRA have objective scores. The scripts stand in the folder ``scripts`` with
``.txt`` after their names, since they are no part of the program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files

import pandas as pd

from evaluation.contexts import Context
from evaluation.metrics import metric_of
from listening.interchange.exports import csv_text
from listening.methods import METHODS, REFERENCE
from listening.models import Study
from listening.results import choosing, grading, profiles
from listening.results.frames import seed_of
from listening.results.methods import analysis_of, has_page, score_frame
from listening.results.names import sort_systems
from listening.results.objective_frame import objective_frame
from listening.results.scales import question_of, scale_of
from listening.results.summary import compute

_SCRIPTS = ("analysis.py", "analysis.R")


def analysis_files(study: Study, kind: str = "real") -> Iterator[tuple[str, bytes]]:
    """Names and contents; nothing where no trial is finished."""
    frame, settings = _grades(study, kind) if METHODS[study.method].takes_grades else _choices(study, kind)
    if frame.empty:
        return
    rows = [list(frame.columns), *frame.astype(object).where(frame.notna(), None).to_numpy().tolist()]
    yield "analysis/tidy.csv", csv_text(rows).encode()
    yield "analysis/settings.json", (json.dumps(settings, indent=1) + "\n").encode()
    scores = _scores(study)
    if not scores.empty:
        rows = [list(scores.columns), *scores.astype(object).to_numpy().tolist()]
        yield "analysis/scores.csv", csv_text(rows).encode()
    folder = files("listening.interchange.archive") / "scripts"
    for name in _SCRIPTS:
        yield f"analysis/{name}", (folder / f"{name}.txt").read_bytes()


def _scores(study: Study) -> pd.DataFrame:
    """Objective scores of stimuli, where the report sets them beside grades."""
    if not has_page(study):
        return pd.DataFrame()
    scores = objective_frame(study)
    better = [int(metric_of(slug).higher_is_better) for slug in scores["metric"]]
    return scores.assign(higher_is_better=better)


def _grades(study: Study, kind: str) -> tuple[pd.DataFrame, Context]:
    """Every grade of a finished trial; ``kept`` is 1 for listeners who pass BS.1534-3's screening."""
    method = METHODS[study.method]
    if has_page(study):
        results = compute(study, kind=kind, profile=profiles.BS1534)
        passed = {str(entry.assessor) for entry in results.screened if not entry.excluded}
        frame = results.everything
        frame = frame.assign(kept=frame["assessor"].isin(passed).astype(int))
        tested = [row.slug for row in results.ranked_systems]
        fixed = [slug for slug in results.always if slug in set(frame["system"])]
        scale = results.scale
    else:
        frame, scale = score_frame(study, kind), scale_of(study)
        # With the order of both recordings, where one was compared with the other.
        frame = frame[["assessor", "item", "system", "score", *(["sign"] if method.compares else [])]]
        slugs = [str(slug) for slug in sort_systems(frame["system"].unique()) if slug != REFERENCE]
        tested = [row.slug for row in grading.rank(frame, dict.fromkeys(slugs, ""), scale)[0]]
        fixed = []
    question = question_of(study, scale)
    return frame, {
        "kind": "grades",
        "method": study.method,
        "population": question.population.value,
        "margin": question.margin,
        "most": question.most,
        "scale": [scale.low, scale.high],
        "tested": tested,
        "fixed": fixed,
        "impairments": method.hides_reference,
        "categories": [int(value) for value, _ in method.words] if analysis_of(study) == "opinion" else [],
        # Whether companions take hidden reference and anchors; null where there are none.
        "omnibus": question.include_reference if has_page(study) else None,
        "seed": seed_of(study),
    }


def _choices(study: Study, kind: str) -> tuple[pd.DataFrame, Context]:
    """Every answer to a finished trial."""
    prefers = analysis_of(study) == "preference"
    frame = choosing.vote_frame(study, kind) if prefers else choosing.answer_frame(study, kind)
    if not prefers:
        frame = frame.assign(correct=frame["correct"].astype(int))
    return frame, {
        "kind": "votes" if prefers else "answers",
        "method": study.method,
        "population": study.analysis.population,
    }
