"""What the results page of ABX and paired preference shows."""

from __future__ import annotations

from typing import Any

import pandas as pd
from django.utils.safestring import mark_safe

from evaluation import systems
from evaluation.analysis import figures
from evaluation.analysis.statistics import choices as statistics
from evaluation.analysis.statistics.corrections import holm
from evaluation.analysis.words import count, p_words
from listening.models import Choice, Stimulus, Study
from listening.results.frames import REAL, item_titles, kinds_of

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
    told = sum(p <= 0.05 for p in adjusted)
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
    found = statistics.preferences(frame)
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
                None if row.share is None else 1 - row.share,
                1 - row.high,
                1 - row.low,
                [1 - share for share in single[row.first, row.second]],
                f"{row.first_votes} : {row.second_votes}" + (f", {row.ties} ties" if row.ties else ""),
            )
            for row in found
        ],
        f"{study.name}: preference",
        "prefer the left one   |   prefer the right one",
        "Marker and bar: share of decided votes for the right one, exact 95 % interval over votes. "
        "Dots: listeners.",
    )
    warnings = []
    if context["listeners"] > 1 and any(row.n > context["listeners"] for row in found):
        warnings.append(
            "Each listener voted on a pair more than once. The test over votes takes these for independent; "
            "the one over listeners does not."
        )
    if scale and scale.problem:
        warnings.append(scale.problem)
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
    if scale and scale.systems:
        best = scale.systems[0]
        return (
            f"{titles[best.system]} is preferred most: over the other {len(scale.systems) - 1} systems in "
            f"{100 * best.share:.0f} % of votes on average ({count(scale.votes, 'vote')}, Bradley–Terry)."
        )
    row = found[0]
    if len(found) > 1:
        clear = sum(each.p_holm <= 0.05 for each in found)
        return f"In {clear} of {len(found)} pairs one is preferred (exact sign tests, Holm's p ≤ 0.05)."
    if row.share is None:
        return f"Nobody prefers {titles[row.first]} or {titles[row.second]}: all {row.ties} answers are ties."
    better, votes = (row.first, row.first_votes) if row.share >= 0.5 else (row.second, row.second_votes)
    decided, p = row.first_votes + row.second_votes, p_words(row.p)
    shown = "" if row.p <= 0.05 else " No preference was shown, nor that there is none."
    return (
        f"{titles[better]} got {votes} of {count(decided, 'decided vote')} against "
        f"{titles[row.second if better == row.first else row.first]} (exact sign test, {p}).{shown}"
    )
