"""BS.1116: small impairments, compared with the known and the hidden reference."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _

from listening.methods.base import (
    HELP_POINT,
    OPEN_REFERENCE,
    REFERENCE,
    Ear,
    GradeProblem,
    Material,
    Method,
    Signal,
    clip_points,
)
from listening.methods.options import MethodOptions

#: The grade of the reference.
IMPERCEPTIBLE = 5.0


class TripleStimulus(Method[MethodOptions]):
    title = "Triple stimulus with hidden reference"
    source = "ITU-R BS.1116-3"
    place = 20
    presents = (
        "One system of an item in each trial: A is the known reference, B and C are the system and "
        "the hidden reference in random order."
    )
    invitation = _(
        "You are invited to a listening test: you will hear short recordings and say how much they differ "
        "from a reference."
    )
    has_right_answers = True
    task = _(
        "A is the reference. One of B and C is the reference again, hidden; the other has been processed. "
        "Decide which one is the reference and grade it 5.0. Grade the impairment of the other one, compared "
        "with A."
    )
    points = (
        _("The scale is continuous: use the values between the words, too."),
        _("Differences may be very small. Listen as often as you like, and repeat short parts."),
        HELP_POINT,
    )
    question = _("One of B and C is the reference itself. How impaired is the other one, compared with A?")

    max_signals = 2
    open_reference = True
    signals = ((OPEN_REFERENCE, "A"), ("B", "B"), ("C", "C"))

    lowest = 1.0
    highest = 5.0
    step = 0.1
    words = (
        (5, _("Imperceptible")),
        (4, _("Perceptible, but not annoying")),
        (3, _("Slightly annoying")),
        (2, _("Annoying")),
        (1, _("Very annoying")),
    )
    hides_reference = True

    analysis = "impairment"

    template = "listening/methods/impairment.html"
    webmushra = ("bs1116",)

    def present(self, material: Material, options: MethodOptions) -> list[list[Signal]]:
        """A trial for each system: the system and the hidden reference as B and C."""
        trials = []
        for slug in material.tested_systems:
            pair = [REFERENCE, slug]
            material.draw.shuffle(pair)
            trials.append([Signal(pair[0], "B"), Signal(pair[1], "C")])
        return trials

    def trials_per_item(self, options: MethodOptions, systems: Sequence[str]) -> int:
        return self._count_tested(systems)

    def seconds_per_trial(self, seconds: float) -> float:
        """Three signals, each heard about three times."""
        return 20 + 9 * seconds

    def check_grades(self, grades: Collection[float]) -> None:
        if IMPERCEPTIBLE not in grades:
            raise GradeProblem(gettext_lazy("One of B and C is the reference itself: grade that one 5.0."))

    def simulate_grades(self, ear: Ear, signals: Sequence[Signal]) -> dict[int, float]:
        """The signal that seems better is taken for the reference."""
        seems = [ear.hear(signal.system) for signal in signals]
        if ear.careless:
            seems = [ear.draw.uniform(0, 100) for _ in signals]
        best = seems.index(max(seems))
        return {
            place: IMPERCEPTIBLE if place == best else min(4.9, self._nearest_grade(clip_points(points)))
            for place, points in enumerate(seems)
        }
