"""Slow computations: tests between systems, models, intervals of agreement. Runs in workers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

from evaluation.analysis.statistics import logistic
from evaluation.analysis.statistics.calibration import Cell
from evaluation.analysis.statistics.differences import Population
from evaluation.contexts import Context
from listening.methods import METHODS, REFERENCE
from listening.models import Study
from listening.results import calibration, choosing, grading
from listening.results.data import AgreementData, AgreementFigure
from listening.results.frames import seed_of
from listening.results.methods import PAGE, analysis_of, score_frame
from listening.results.outcome import Results
from listening.results.planning import plan_listeners
from listening.results.scales import Question, question_of, scale_of
from listening.results.summary import compute as compute_summary

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.analysis.statistics.agreement import Agreement, Correlation

#: Half-width of the interval at which the plan for the next study aims, in points of the scale.
PLANNED = 5.0


def compute(study: Study, kind: str, profile: str) -> Context:
    """The slow part of a study's results as JSON; deterministic for the same grades.

    ``pairs``: the primary analysis (`differences`) of all pairs of systems under test; ``against``: of
    each system with hidden reference and anchors. ``sign_flip``, ``wilcoxon``, ``contrasts`` and
    ``attachment3``: companion tests of the same pairs. ``friedman``, ``anova`` and ``mixed`` compare the
    systems under test: hidden reference and anchors, which differ by design, would make all these tests
    significant, and are included only if the study says so (``omnibus``). ``agreement``: a row for each
    metric and level. Other keys are results of the module of the same name in
    `evaluation.analysis.statistics`; ``gauge`` is of all listeners, whom the screening leaves out, too.
    ``misses``: where simulated studies like this one miss what these analyses claim.

    Of methods other than MUSHRA: ``pairs``, ``reliability``, ``gauge``, ``needed`` and ``misses`` where
    listeners grade, ``ordinal`` where they choose categories, ``impairments`` and ``experts`` (the same of
    listeners who pass BS.1116-3's test) where there is a hidden reference beside each system;
    ``preferences``, ``scale`` (Bradley-Terry), ``logistic`` and ``misses`` where they prefer; ``logistic``
    and ``misses`` where they answer.
    """
    analysis = analysis_of(study)
    if analysis == "preference":
        return _of_preferences(study, kind)
    if analysis == "discrimination":
        return _of_answers(study, kind)
    if analysis != PAGE:
        return _of_grades(study, kind)
    from evaluation.analysis.statistics import (
        anova,
        comparisons,
        describe,
        differences,
        gauge,
        mixed,
        planning,
        reliability,
    )

    results = compute_summary(study, kind=kind, profile=profile)
    frame = results.frame
    tested = [row.slug for row in results.ranked_systems]
    fixed = [row.slug for row in results.systems if row.slug in results.always and row.mean is not None]
    pairs: list[tuple[object, object]] = list(combinations(tested, 2))
    against = [(slug, other) for slug in tested for other in fixed]
    seed = seed_of(study)
    question = question_of(study, results.scale)
    omnibus = frame if question.include_reference else frame[frame["system"].isin(tested)]
    family: list[tuple[object, object]] = [*against, *pairs] if question.include_reference else pairs
    compare = partial(differences.compare, frame, population=question.population, margin=question.margin)
    between = compare(pairs)
    ends = (results.scale.low, results.scale.high)
    means = [str(row.slug) for row in results.systems if row.mean is not None]
    everything: Context = {
        "omnibus": {"include_reference": question.include_reference},
        "pairs": between,
        "against": compare(against),
        "sign_flip": comparisons.sign_flip(frame, pairs, seed=seed),
        "attachment3": comparisons.attachment3(frame, pairs, seed=seed),
        "wilcoxon": comparisons.wilcoxon(frame, pairs),
        "contrasts": comparisons.contrasts(frame, pairs),
        "friedman": comparisons.friedman(omnibus),
        "anova": anova.repeated_measures(omnibus),
        "mixed": mixed.fit(omnibus, family),
        "reliability": reliability.assess(frame[frame["system"].isin(tested)]),
        "gauge": gauge.gauge(results.everything, seed=seed),
        "needed": plan_listeners(frame, tested, question),
        "plan": planning.plan(frame, PLANNED, exclude=results.always),
        "bootstrap": {
            str(row.system): row.bootstrap for row in describe.systems(frame, seed=seed).conditions
        },
        "agreement": agreements(results, seed),
    }
    everything["misses"] = {
        "primary": [
            *calibration.misses_of_pairs(frame, between, "grades", ends),
            *calibration.misses_of_means(frame, means, "grades", ends, "mean"),
        ],
        "companions": [
            *calibration.misses_of_companions(omnibus, ends, _given(everything)),
            *calibration.misses_of_means(frame, means, "grades", ends, "mean, BCa"),
        ],
    }
    found = {name: to_plain(value) for name, value in everything.items()}
    return found | {name: question.clip(found[name]) for name in ("pairs", "against")}


def _given(data: Mapping[str, Any]) -> set[str]:
    """Which companions found something to test, by their names in the table of calibration."""
    pairs = {"sign-flip": "sign_flip", "Wilcoxon": "wilcoxon", "paired t": "contrasts"}
    pairs["Attachment 3"] = "attachment3"
    whole = {"Friedman": "friedman", "mixed model": "mixed"}
    found = {name for name, key in pairs.items() if any(row.p is not None for row in data[key].rows)}
    found |= {name for name, key in whole.items() if data[key].p is not None}
    return found | {f"ANOVA, {effect.name}" for effect in data["anova"].effects if effect.p is not None}


def _of_answers(study: Study, kind: str) -> Context:
    """The part of `compute` for answers that are right or wrong."""
    frame = choosing.answer_frame(study, kind)
    misses = calibration.misses_of_choices(frame, "answers", "right answers")
    return _with_odds(frame, misses)


def _with_odds(frame: pd.DataFrame, primary: Sequence[Cell]) -> Context:
    """The logistic model of choices, and where a study like this misses what its analyses claim."""
    models = logistic.fit_pairs(frame)
    companions = (
        calibration.misses_of_choices(frame, "odds", "logistic model")
        if any(row.model.p is not None for row in models)
        else []
    )
    return {
        "logistic": to_plain(models),
        "misses": {"primary": to_plain(primary), "companions": to_plain(companions)},
    }


def _of_grades(study: Study, kind: str) -> Context:
    """The part of `compute` for systems graded by another method than MUSHRA."""
    from evaluation.analysis.statistics import differences, gauge, ordinal, reliability

    frame = score_frame(study, kind)
    scale = scale_of(study)
    question = question_of(study, scale)
    ends = (scale.low, 0.0 if METHODS[study.method].hides_reference else scale.high)
    slugs = [str(slug) for slug in frame["system"].unique() if slug != REFERENCE]
    ranked, _adjusted = grading.rank(frame, dict.fromkeys(slugs, ""), scale)
    tested = [row.slug for row in ranked]
    between = differences.compare(
        frame, combinations(tested, 2), population=question.population, margin=question.margin
    )
    simulated = calibration.SIMULATED[analysis_of(study)]
    misses = calibration.misses_of_pairs(frame, between, simulated, ends)
    if simulated == "diff grades":
        name = f"impairment, {question.population.value}"
        misses += calibration.misses_of_means(frame, slugs, simulated, ends, name)
    else:
        shown = [str(slug) for slug in frame["system"].unique()]
        misses += calibration.misses_of_means(frame, shown, simulated, ends, "mean")
    categories = frame[frame["system"].isin(tested)]
    ordered = ordinal.compare(categories, combinations(tested, 2)) if simulated == "categories" else None
    companions = calibration.misses_of_ordered(categories, ends) if ordered and ordered.rows else []
    if simulated == "diff grades":
        name = "impairment, listeners who passed"
        companions = calibration.misses_of_means(frame, slugs, simulated, ends, name)
    found = to_plain(
        {
            "pairs": between,
            "ordinal": ordered,
            "reliability": reliability.assess(frame[frame["system"].isin(tested)]),
            "gauge": gauge.gauge(frame, seed=seed_of(study)),
            "needed": plan_listeners(frame, tested, question),
            "misses": {"primary": misses, "companions": companions},
        }
    )
    if simulated == "diff grades":
        found |= to_plain(_of_impairments(study, kind, question))
    return {**found, "pairs": question.clip(found["pairs"])}


def _of_impairments(study: Study, kind: str, question: Question) -> Context:
    """Whether an impairment of each system is shown, by all listeners and by those who pass the t-test."""
    from evaluation.analysis.statistics import impairment

    frame = grading.diff_frame(study, kind)
    passed = [row.assessor for row in impairment.expertise(frame) if row.expert]
    most = question.most / 2  # between two grades, where `most` is between two differences of them

    def within(value: float | None) -> float | None:
        return None if value is None else min(most, max(-most, value))

    def test(grades: pd.DataFrame) -> list[impairment.Impairment]:
        rows = impairment.impairments(grades, question.population)
        return [
            replace(row, estimate=within(row.estimate), low=within(row.low), high=within(row.high))
            for row in rows
        ]

    return {"impairments": test(frame), "experts": test(frame[frame["assessor"].isin(passed)])}


def _of_preferences(study: Study, kind: str) -> Context:
    """The part of `compute` for votes of paired preference."""
    from evaluation.analysis.statistics import choices

    frame = choosing.vote_frame(study, kind)
    population = Population(study.analysis.population)
    several = len({*frame["first"], *frame["second"]}) > 2
    names = [f"preference, {population.value}"]
    if several:
        names += ["Bradley-Terry, votes", "Bradley-Terry, listeners"]
    return {
        "preferences": to_plain(choices.preferences(frame, population)),
        "scale": to_plain(choices.bradley_terry(frame)) if several else None,
        **_with_odds(frame, calibration.misses_of_choices(frame, "votes", *names)),
    }


def agreements(results: Results, seed: int) -> list[AgreementData]:
    """Agreement of each metric with the grades, per system and per stimulus, without the reference."""
    from evaluation.analysis.statistics import agreement

    # By title, because sentences name systems; equal titles are made distinct.
    titles = {row.slug: row.title for row in results.systems}
    if len(set(titles.values())) < len(titles):
        titles = {slug: slug for slug in titles}
    frame = results.frame.assign(system=results.frame["system"].map(titles))
    scores = results.objective.assign(
        system=results.objective["system"].map(lambda slug: titles.get(slug, slug))
    )
    left_out = [titles["original"]] if "original" in titles else []
    rows = []
    for metric in results.metrics:
        values = scores[scores["metric"] == metric.slug]
        for agree in (agreement.per_system, agreement.per_stimulus):
            found = agree(
                frame,
                values,
                seed=seed,
                higher_is_better=metric.higher_is_better,
                exclude=left_out,
                title=metric.title,
            )
            rows.append(_row(metric.slug, found))
    return rows


def _row(metric: str, found: Agreement) -> AgreementData:
    figures: list[AgreementFigure] = [
        _correlation(each) for each in (found.pearson, found.spearman, found.kendall)
    ]
    figures += [
        {"value": value, "low": None, "high": None, "decimals": decimals, "why": found.rmse_problem}
        for value, decimals in ((found.rmse, 1), (found.rmse_star, 1), (found.outlier_ratio, 2))
    ]
    return {
        "metric": metric,
        "level": found.per,
        "over": {"system": "systems", "stimulus": "stimuli"}[found.per],
        "n": found.n,
        "figures": figures,
        "warning": found.warning,
        "notes": found.notes,
        "problem": found.problem,
    }


def _correlation(found: Correlation) -> AgreementFigure:
    interval, clustered = found.interval, found.clustered
    return {
        "name": found.name,
        "value": found.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "low_here": clustered.low if clustered else None,
        "high_here": clustered.high if clustered else None,
        "decimals": 2,
        "why": found.problem,
    }


def to_plain(value: Any) -> Any:
    """Convert dataclasses, NumPy numbers and other keys to JSON; non-finite numbers become None."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
