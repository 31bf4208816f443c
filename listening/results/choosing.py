"""What the results page of ABX and paired preference shows."""

from __future__ import annotations

from typing import Any

import pandas as pd
from django.utils.safestring import mark_safe

from evaluation import systems
from evaluation.analysis import figures
from evaluation.analysis.statistics import choices as statistics
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.statistics.differences import Population
from evaluation.analysis.words import count, p_words
from listening.kinds import kinds_of
from listening.models import Choice, Stimulus, Study
from listening.results.frames import LOUD, REAL, item_titles

#: Shares of right answers for which the page says how many trials it takes to find them.
SHARES = (0.6, 0.7, 0.75, 0.8, 0.9)


def choice_rows(study: Study, kind: str = REAL) -> list[dict[str, Any]]:
    """Every answer to a finished trial without training, by session and trial.

    ``A``, ``B``, ``X`` are the systems that played these parts (X None in preference), ``chosen`` the one
    that was chosen or None, ``correct`` whether that is X's (None in preference).
    """
    slugs = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    made = Choice.objects.filter(
        trial__session__study=study,
        trial__session__kind__in=kinds_of(kind),
        trial__item__training=False,
        trial__finished__isnull=False,
    ).select_related("trial__session__assessor", "trial__item")
    rows = []
    for choice in made.order_by("trial__session__number", "trial__position"):
        parts = {entry["role"]: slugs[entry["stimulus"]] for entry in choice.trial.order}
        chosen = slugs[choice.chosen_id] if choice.chosen_id else None
        rows.append(
            {
                "assessor": choice.trial.session.assessor.code,
                "item": choice.trial.item.position,
                "A": parts["A"],
                "B": parts["B"],
                "X": parts.get("X"),
                "chosen": chosen,
                "correct": chosen == parts["X"] if "X" in parts else None,
                "trial": choice.trial,
                "choice": choice,
            }
        )
    return rows


def _frame(rows: list[dict[str, Any]], last: str) -> pd.DataFrame:
    """The frame that the statistics want, the two of a pair in the order of all tables."""
    made = []
    for row in rows:
        first, second = sorted((row["A"], row["B"]), key=systems.order)
        made.append((row["assessor"], row["item"], first, second, row[last]))
    return pd.DataFrame(
        sorted(made, key=lambda row: (systems.order(row[2]), systems.order(row[3]))),
        columns=["assessor", "item", "first", "second", last],
    )


def _titles(frame: pd.DataFrame) -> dict[str, str]:
    return systems.titles_of({*frame["first"], *frame["second"]})


def _base(study: Study, kind: str, frame: pd.DataFrame) -> dict[str, Any]:
    waiting = Choice.objects.filter(
        trial__session__study=study,
        trial__session__kind__in=kinds_of(kind),
        trial__item__training=False,
        trial__finished=None,
    ).count()
    return {
        "n": len(frame),
        "listeners": int(frame["assessor"].nunique()),
        "items": int(frame["item"].nunique()),
        "item_count": len(item_titles(study)),
        "uncounted": waiting,
    }


def abx(study: Study, kind: str = REAL) -> dict[str, Any]:
    """The context of ``_results_abx.html``."""
    frame = _frame(choice_rows(study, kind), "correct")
    found = statistics.abx(frame)
    context = _base(study, kind, frame)
    if found.problem:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    titles = _titles(frame)
    adjusted = holm([row.p for row in found.pooled])
    pooled = [
        {"row": row, "first": titles[row.first], "second": titles[row.second], "p_holm": p}
        for row, p in zip(found.pooled, adjusted, strict=True)
    ]
    told = sum(p is not None and p <= 0.05 for p in adjusted)
    if len(pooled) == 1:
        only = found.pooled[0]
        answer = f"{titles[only.first]} and {titles[only.second]}: {statistics.abx_sentence(only)}"
    else:
        answer = (
            f"{told} of {len(pooled)} pairs were told apart more often than guessing explains "
            f"(exact binomial tests over all answers, Holm's p ≤ 0.05)."
        )
    single = {
        key: [its["correct"].mean() for _, its in of_pair.groupby("assessor", sort=False)]
        for key, of_pair in frame.groupby(["first", "second"], sort=False)
    }
    drawn = figures.shares(
        [
            figures.ShareRow(
                f"{titles[row.first]} – {titles[row.second]}",
                "",
                row.share,
                row.low,
                row.high,
                single[row.first, row.second],
                f"{row.correct} of {row.n}",
            )
            for row in found.pooled
        ],
        f"{study.name}: right answers",
        "right answers",
        "Marker and bar: share of right answers, exact 95 % interval over answers. Dots: listeners. "
        "Guessing: 50 %.",
    )
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return context | {
        "answer": answer,
        "warnings": list(found.warnings),
        "pairs": pooled,
        "assessors": [
            {"row": row, "first": titles[row.first], "second": titles[row.second]} for row in found.assessors
        ],
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
        "plan": [{"share": 100 * share, "trials": statistics.abx_trials(share)} for share in SHARES],
    }


def preference(study: Study, kind: str = REAL) -> dict[str, Any]:
    """The context of ``_results_ab.html``."""
    frame = _frame(choice_rows(study, kind), "chosen")
    context = _base(study, kind, frame)
    if frame.empty:
        return context | {"answer": "Nobody has finished a trial yet.", "warnings": []}
    titles = _titles(frame)
    found = statistics.preferences(frame, Population(study.analysis.population))
    scale = statistics.bradley_terry(frame) if len(titles) > 2 else None
    single = {
        key: [
            (its["chosen"] == key[0]).sum() / its["chosen"].notna().sum()
            for _, its in of_pair.groupby("assessor", sort=False)
            if its["chosen"].notna().any()
        ]
        for key, of_pair in frame.groupby(["first", "second"], sort=False)
    }
    # The preferred of two stands at the side on which its share grows: at the right.
    drawn = figures.shares(
        [
            figures.ShareRow(
                titles[row.first],
                titles[row.second],
                1 - row.share,
                None if row.high is None else 1 - row.high,
                None if row.low is None else 1 - row.low,
                [1 - share for share in single[row.first, row.second]],
                f"{row.first_votes} : {row.second_votes}" + (f", {row.ties} ties" if row.ties else ""),
            )
            for row in found
        ],
        f"{study.name}: preference",
        "prefer the left one   |   prefer the right one",
        "Marker and bar: share that prefers the right one, a tie counting half, with its 95 % interval over "
        "listeners. Dots: listeners, decided votes.",
    )
    warnings = []
    if any(row.assessors < 5 for row in found):
        warnings.append("With fewer than five listeners of a pair an interval says little, and a test less.")
    if scale and scale.problem:
        warnings.append(scale.problem)
    drawn = figures.stamp(drawn, LOUD.get(kind, ""))
    return context | {
        "answer": _preferred(found, scale, titles),
        "warnings": warnings,
        "pairs": [{"row": row, "first": titles[row.first], "second": titles[row.second]} for row in found],
        "scale": [{"row": row, "title": titles[row.system]} for row in scale.systems] if scale else [],
        "svg": drawn,
        "figure": mark_safe(drawn),  # noqa: S308 -- texts are escaped there
    }


def _preferred(
    found: list[statistics.Preference], scale: statistics.BradleyTerry | None, titles: dict[str, str]
) -> str:
    shown = [row for row in found if row.p_holm is not None and row.p_holm < 0.05]
    rest = len(found) - len(shown)
    sentences = [_of_pair(row, titles) for row in shown]
    if rest:
        what = "the pair" if len(found) == 1 else f"{count(rest, 'pair')} of {len(found)}"
        sentences.append(f"Undecided: {what}; that is no evidence that listeners are indifferent.")
    if scale and scale.systems and shown:
        best = scale.systems[0]
        sentences.append(
            f"On Bradley and Terry's scale {titles[best.system]} stands highest: it wins "
            f"{100 * best.share:.0f} % of votes on average."
        )
    return " ".join(sentences)


def _of_pair(row: statistics.Preference, titles: dict[str, str]) -> str:
    first = row.share >= 0.5
    better, other = (row.first, row.second) if first else (row.second, row.first)
    ends = (row.low, row.high) if first else (1 - (row.high or 0.0), 1 - (row.low or 0.0))
    share = max(row.share, 1 - row.share)
    return (
        f"{titles[better]} is preferred to {titles[other]}: {100 * share:.0f} % "
        f"({100 * (ends[0] or 0):.0f} to {100 * (ends[1] or 0):.0f} %, {count(row.assessors, 'listener')}, "
        f"{p_words(row.p_holm)})."
    )
