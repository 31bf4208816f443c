"""Comparison category rating: the reference and a system, in either order."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from listening.methods.base import REFERENCE, Ear, Material, Method, Signal
from listening.methods.options import PlaysOptions

#: The difference in points that counts as "much better".
MUCH = 50.0


class ComparisonCategoryRating(Method[PlaysOptions]):
    title = "Comparison category rating (CCR)"
    source = "ITU-T P.800 Annex E and P.808"
    place = 50
    presents = (
        "The reference and one system in each trial, in an order that alternates from session to "
        "session; in one trial of each item both are the reference."
    )
    invitation = _(
        "You are invited to a listening test: you will hear short recordings in two versions and say which "
        "one sounds better, and by how much."
    )
    task = _(
        "You hear two versions of a recording, one after the other. Listen to both to the end. Then grade "
        "the second, compared with the first."
    )
    points = (_("Either of them may be the better one, and sometimes both are the same."),)
    question = _("How is the quality of the second recording, compared with the first?")
    Options = PlaysOptions

    max_signals = 2
    signals = (("first", _("First")), ("second", _("Second")))

    lowest = -3.0
    highest = 3.0
    step = 1.0
    words = (
        (3, _("Much better")),
        (2, _("Better")),
        (1, _("Slightly better")),
        (0, _("About the same")),
        (-1, _("Slightly worse")),
        (-2, _("Worse")),
        (-3, _("Much worse")),
    )
    compares = True

    analysis = "opinion"
    mean_name = "CMOS"
    axis_words = ((-2.7, "Much worse"), (0, "The same"), (2.6, "Much better"))

    def present(self, material: Material, options: PlaysOptions) -> list[list[Signal]]:
        """A trial for each stimulus, with the original before or after it."""
        trials = []
        for index, slug in enumerate(material.systems):
            pair = [slug, REFERENCE] if material.is_turned(index) else [REFERENCE, slug]
            trials.append([Signal(pair[0], "first"), Signal(pair[1], "second")])
        return trials

    def seconds_per_trial(self, seconds: float) -> float:
        """Both signals half a second apart, heard once, a third of the pairs twice."""
        return 5 + 1.3 * (2 * seconds + 0.5)

    def takes_grade(self, role: str) -> bool:
        """Only the second signal is graded, whichever system it is."""
        return role != "first"

    def simulate_grades(self, ear: Ear, signals: Sequence[Signal]) -> dict[int, float]:
        """How the second compares with the first."""
        places = {signal.role: place for place, signal in enumerate(signals)}
        first, second = (signals[places[role]].system for role in ("first", "second"))
        points = ear.draw.gauss(ear.use * (ear.quality(second) - ear.quality(first)), ear.spread)
        if ear.careless:
            points = ear.draw.uniform(-MUCH, MUCH)
        return {places["second"]: max(-3, min(3, round(3 * points / MUCH)))}
