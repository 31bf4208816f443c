"""Post-screening of assessors: named profiles, views over ratings that stay as they are.

``none`` keeps everybody. ``bs1534`` is BS.1534-3, 4.1.1: the hidden reference below 90 on more than
15 % of an assessor's items (M21), or the mid anchor above 90 on more than 15 % (M22), where items
whose mid anchor more than 25 % of all assessors grade above 90 do not count. ``mpeg`` is the rule
used in MPEG audio tests: on any item the reference below 90, or not reference >= mid >= low anchor.
``custom`` takes a researcher's `Thresholds`, stored as JSON in ``Study.post_screening``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from evaluation.analysis.statistics.frames import Floats, Ratings, tidy
from evaluation.analysis.words import count, percent, plain


@dataclass(frozen=True)
class Screened:
    """What post-screening says of one assessor.

    Attributes:
        items: on which the hidden reference was graded, and on `missed` of them too low.
        share: missed / items; NaN without any.
        reason: all reasons, for a table of listeners.
        reasons: why the assessor is excluded, one sentence a rule; empty for those who stay.
    """

    assessor: object
    items: int
    missed: int
    share: float
    excluded: bool
    reason: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thresholds:
    """What a profile asks of an assessor; None switches a rule off. Grades 0-100, shares 0-1.

    Attributes:
        reference_below, reference_share: excluded if the hidden reference gets less than the one on a
            larger share of items than the other.
        mid_above, mid_share: excluded if the mid anchor gets more than the one on a larger share of items.
        mid_escape: items on which more than this share of assessors do so do not count.
        ordered: excluded if on a larger share of items than this not reference >= mid >= low anchor.
        least_spread: excluded if the standard deviation of all grades is smaller: who moves no slider.
        least_items: excluded if fewer items were graded.
    """

    reference_below: float | None = None
    reference_share: float = 0.15
    mid_above: float | None = None
    mid_share: float = 0.15
    mid_escape: float | None = 0.25
    ordered: float | None = None
    least_spread: float | None = None
    least_items: int | None = None

    def problems(self) -> list[str]:
        """What is wrong with these numbers, for their researcher."""
        found = []
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is None:
                if entry.name in ("reference_share", "mid_share"):
                    found.append(f"{entry.name} cannot be empty.")
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                found.append(f"{entry.name} must be a number, not {value!r}.")
            elif entry.name in ("reference_share", "mid_share", "mid_escape", "ordered"):
                if not 0 <= value <= 1:
                    found.append(f"{entry.name} is a share from 0 to 1, not {plain(value)}.")
            elif value < 0 or (entry.name.endswith(("below", "above")) and value > 100):
                found.append(f"{entry.name} cannot be {plain(value)}.")
        return found


@dataclass(frozen=True)
class Profile:
    """A named set of rules."""

    slug: str
    title: str
    note: str
    thresholds: Thresholds


PROFILES = {
    profile.slug: profile
    for profile in (
        Profile("none", "All listeners", "Nobody is excluded.", Thresholds()),
        Profile(
            "bs1534",
            "BS.1534-3",
            "It leaves out listeners who grade the hidden reference below 90, or the mid anchor above 90, on "
            "more than 15 % of items; items whose mid anchor more than 25 % of listeners grade above 90 do "
            "not count in the latter (4.1.1).",
            Thresholds(reference_below=90, mid_above=90),
        ),
        Profile(
            "mpeg",
            "MPEG",
            "It leaves out listeners who, on any item, grade the hidden reference below 90, or do not grade "
            "reference ≥ mid ≥ low anchor.",
            Thresholds(reference_below=90, reference_share=0.0, ordered=0.0),
        ),
    )
}


def custom(stored: Mapping[str, Any]) -> tuple[Profile, list[str]]:
    """A researcher's profile from ``Study.post_screening`` (the fields of `Thresholds`), and its problems.

    With problems the profile excludes nobody.
    """
    known = {entry.name for entry in fields(Thresholds)}
    problems = [f"There is no threshold called {name!r}." for name in stored if name not in known]
    thresholds = Thresholds(**{name: value for name, value in stored.items() if name in known})
    problems += thresholds.problems()
    note = "A rule of the study's researcher."
    return Profile("custom", "Own thresholds", note, Thresholds() if problems else thresholds), problems


def to_json(thresholds: Thresholds) -> dict[str, float | int | None]:
    """As ``Study.post_screening`` keeps them."""
    return asdict(thresholds)


@dataclass(frozen=True)
class Screening:
    """A profile's view of a frame: `entries` in order of appearance, `notes` on what did not apply."""

    profile: Profile
    entries: list[Screened]
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def excluded(self) -> list[Screened]:
        return [entry for entry in self.entries if entry.excluded]

    def view(self, frame: pd.DataFrame) -> pd.DataFrame:
        """`frame` without the ratings of the excluded."""
        return apply_screening(frame, self.entries)


def screen(
    frame: Ratings,
    profile: str | Profile = "bs1534",
    *,
    reference: object = "original",
    mid_anchor: object = "anchor70",
    low_anchor: object = "anchor35",
) -> Screening:
    """Judge every assessor by `profile`, a slug of `PROFILES` or a `Profile`.

    A rule about a system that an assessor never graded does not exclude that assessor; a rule about
    a system that nobody graded is named in `notes`.
    """
    if isinstance(profile, str):
        if profile not in PROFILES:
            unknown = Profile(profile, profile, "", Thresholds())
            return Screening(unknown, [], (), f"There is no screening profile {profile!r}.")
        profile = PROFILES[profile]
    rules = profile.thresholds
    data = tidy(frame)
    if data.problem:
        return Screening(profile, [], data.notes, data.problem)
    try:
        cube = data.cube()
    except ValueError as error:
        return Screening(profile, [], data.notes, str(error))

    nobody = np.full(cube.shape[:2], np.nan)

    def grades(system: object) -> Floats:
        index = data.find(system)
        return nobody if index is None else cube[:, :, index]

    ref, mid, low = grades(reference), grades(mid_anchor), grades(low_anchor)
    notes = list(data.notes)
    asked = [
        (reference, rules.reference_below is not None or rules.ordered is not None, "hidden reference"),
        (mid_anchor, rules.mid_above is not None or rules.ordered is not None, "mid anchor"),
        (low_anchor, rules.ordered is not None, "low anchor"),
    ]
    notes += [
        f"Nobody graded the {what} ({system}): rules about it exclude nobody."
        for system, needed, what in asked
        if needed and data.find(system) is None
    ]

    below = 90.0 if rules.reference_below is None else rules.reference_below
    graded = (~np.isnan(ref)).sum(axis=1)
    missed = (ref < below).sum(axis=1)
    findings: list[Callable[[int], str]] = []

    def rule(hits: Floats, of: Floats, share: float, text: str) -> Callable[[int], str]:
        def finding(index: int) -> str:
            n, k = int(of[index]), int(hits[index])
            return f"{text} on {_items(k, n, share)}" if n and k / n > share else ""

        return finding

    if rules.reference_below is not None:
        findings.append(rule(missed, graded, rules.reference_share, f"hidden reference below {below:g}"))
    if rules.mid_above is not None:
        above, there = mid > rules.mid_above, ~np.isnan(mid)
        if rules.mid_escape is not None:
            everybody = there.sum(axis=0)
            escaped = above.sum(axis=0) > rules.mid_escape * everybody
            there = there & ~escaped
            if number := int(escaped.sum()):
                notes.append(
                    f"{count(number, 'item')} left out of the mid anchor's rule: more than "
                    f"{100 * rules.mid_escape:g} % of assessors graded it above {rules.mid_above:g} there."
                )
        text = f"mid anchor above {rules.mid_above:g}"
        findings.append(rule((above & there).sum(axis=1), there.sum(axis=1), rules.mid_share, text))
    if rules.ordered is not None:
        complete = ~np.isnan(ref + mid + low)
        wrong = complete & ~((ref >= mid) & (mid >= low))
        text = "not reference ≥ mid anchor ≥ low anchor"
        findings.append(rule(wrong.sum(axis=1), complete.sum(axis=1), rules.ordered, text))
    if rules.least_spread is not None:
        findings.append(_spread(data.assessor, data.score, rules.least_spread))
    if rules.least_items is not None:
        numbers = (~np.isnan(cube)).any(axis=2).sum(axis=1)
        least = rules.least_items
        findings.append(
            lambda i: (
                f"graded {count(int(numbers[i]), 'item')} of at least {least}" if numbers[i] < least else ""
            )
        )

    entries = []
    for index, assessor in enumerate(data.assessors):
        reasons = tuple(text for finding in findings if (text := finding(index)))
        n, k = int(graded[index]), int(missed[index])
        share = k / n if n else math.nan
        told = _reference_reason(n, k, below, rules.reference_share)
        reason = "; ".join(reasons) or told
        entries.append(Screened(assessor, n, k, share, bool(reasons), reason, reasons))
    return Screening(profile, entries, tuple(notes))


def _items(hits: int, of: int, limit: float) -> str:
    return f"{hits} of {count(of, 'item')} ({percent(hits / of, (limit,))})"


def _reference_reason(items: int, missed: int, below: float, limit: float) -> str:
    if items == 0:
        return "has not graded the hidden reference"
    return f"hidden reference below {below:g} on {_items(missed, items, limit)}"


def _spread(assessor: Any, score: Floats, least: float) -> Callable[[int], str]:
    n = np.bincount(assessor)
    mean = np.bincount(assessor, weights=score) / n
    square = np.bincount(assessor, weights=(score - mean[assessor]) ** 2)

    def finding(index: int) -> str:
        if n[index] < 2:
            return ""
        spread = math.sqrt(square[index] / (n[index] - 1))
        text = f"grades hardly differ: standard deviation {spread:.1f}, below {least:g}"
        return text if spread < least else ""

    return finding


def screen_hidden_reference(
    frame: pd.DataFrame, reference: object = "original", threshold: float = 90, share: float = 0.15
) -> list[Screened]:
    """BS.1534-3's first rule (M21): drop who grades the hidden reference below 90 on more than 15 % of items.

    Returns one entry per assessor, in order of appearance. The frame itself is left as it is.
    """
    rules = Thresholds(reference_below=threshold, reference_share=share)
    return screen(frame, Profile("m21", "M21", "", rules), reference=reference).entries


def apply_screening(frame: pd.DataFrame, screened: Sequence[Screened]) -> pd.DataFrame:
    """`frame` without the ratings of excluded assessors."""
    excluded = [entry.assessor for entry in screened if entry.excluded]
    return frame[~frame["assessor"].isin(excluded)]
