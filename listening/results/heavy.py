"""What takes seconds: tests between systems, models, intervals of agreements. Runs in a worker only."""

from __future__ import annotations

import math
from dataclasses import asdict, is_dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from listening.models import Study
from listening.results.outcome import Results
from listening.results.scales import Question, question_of
from listening.results.summary import compute as compute_summary

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.analysis.statistics.agreement import Agreement, Correlation

#: Items from which on a plan may rest on their spread.
_LEAST_ITEMS = 3
#: Half width of the interval that the plan for the next study is made for, in points of the scale.
PLANNED = 5.0


def compute(study: Study, kind: str, profile: str) -> dict[str, Any]:
    """Everything slow of a study's results as JSON: the same for the same grades.

    ``pairs``: the primary analysis (`differences`) of every two systems under test; ``against``: of each
    with hidden reference and anchors. ``sign_flip``, ``wilcoxon`` and ``attachment3``: companions, of the
    same pairs. ``friedman``, ``anova`` and ``mixed`` compare the systems under test: hidden reference and
    anchors, which differ by design, would make every such test succeed, and enter only where the study says
    so (``omnibus``). ``agreement``: a row for each
    metric and level. Others are results of the module of `evaluation.analysis.statistics` of their name.
    """
    from evaluation.analysis.statistics import (
        anova,
        comparisons,
        describe,
        differences,
        mixed,
        planning,
        reliability,
    )

    results = compute_summary(study, kind=kind, profile=profile)
    frame = results.frame
    tested = [row.slug for row in results.ranked]
    fixed = [row.slug for row in results.systems if row.slug in results.always and row.mean is not None]
    pairs: list[tuple[object, object]] = list(combinations(tested, 2))
    against = [(slug, other) for slug in tested for other in fixed]
    seed = study.seed % 2**32
    question = question_of(study, results.scale)
    omnibus = frame if question.include_reference else frame[frame["system"].isin(tested)]
    family: list[tuple[object, object]] = [*against, *pairs] if question.include_reference else pairs
    asked: dict[str, Any] = {"population": question.population, "margin": question.margin}
    everything = {
        "omnibus": {"include_reference": question.include_reference},
        "pairs": differences.compare(frame, pairs, **asked),
        "against": differences.compare(frame, against, **asked),
        "sign_flip": comparisons.sign_flip(frame, pairs, seed=seed),
        "attachment3": comparisons.attachment3(frame, pairs, seed=seed),
        "wilcoxon": comparisons.wilcoxon(frame, pairs),
        "friedman": comparisons.friedman(omnibus),
        "anova": anova.repeated_measures(omnibus),
        "mixed": mixed.fit(omnibus, family),
        "reliability": reliability.assess(frame[frame["system"].isin(tested)]),
        "needed": needed(frame, tested, question),
        "plan": planning.plan(frame, PLANNED, exclude=results.always),
        "bootstrap": {
            str(row.system): row.bootstrap for row in describe.systems(frame, seed=seed).conditions
        },
        "agreement": agreements(results, seed),
    }
    found = {name: plain(value) for name, value in everything.items()}
    return found | {name: question.clip(found[name]) for name in ("pairs", "against")}


def needed(frame: pd.DataFrame, tested: list[str], question: Question) -> dict[str, Any] | None:
    """Listeners that a study like this one takes to show differences of one, two and four margins.

    With the spread of the pair that spreads most; None where no pair has a spread.
    """
    from evaluation.analysis.statistics import power
    from evaluation.analysis.statistics.differences import Population

    pairs = list(combinations(tested, 2))
    items = int(frame["item"].nunique())
    if question.population is Population.ITEMS_LIKE_THESE and items < _LEAST_ITEMS:
        return None  # of so few items their spread cannot be told
    found = [spread for a, b in pairs if (spread := power.spread_of(frame, a, b)) is not None]
    if not found:
        return None
    options: dict[str, Any] = {"population": question.population, "pairs": len(pairs)}
    widest = max(found, key=lambda each: each.listener**2 + each.item**2 + each.rest**2)
    rows = [
        {
            "difference": times * question.margin,
            "listeners": power.listeners_needed(times * question.margin, widest, items, **options),
        }
        for times in (1, 2, 4)
    ]
    return {"rows": rows, "items": items, "spread": widest, **options}


def agreements(results: Results, seed: int) -> list[dict[str, Any]]:
    """Each metric beside the grades, per system and per stimulus, without the hidden reference."""
    from evaluation.analysis.statistics import agreement

    # By title, since sentences name systems; two of one title stay apart.
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
        common: dict[str, Any] = {
            "higher_is_better": metric.higher_is_better,
            "exclude": left_out,
            "title": metric.title,
        }
        rows.append(_row(metric.slug, agreement.per_system(frame, values, seed=seed, **common)))
        rows.append(_row(metric.slug, agreement.per_stimulus(frame, values, seed=seed, **common)))
    return rows


def _row(metric: str, found: Agreement) -> dict[str, Any]:
    figures = [_correlation(each) for each in (found.pearson, found.spearman, found.kendall)]
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


def _correlation(found: Correlation) -> dict[str, Any]:
    interval = found.interval
    return {
        "name": found.name,
        "value": found.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "decimals": 2,
        "why": found.problem,
    }


def plain(value: Any) -> Any:
    """Dataclasses, NumPy numbers and odd keys as JSON; what is not finite is None."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
