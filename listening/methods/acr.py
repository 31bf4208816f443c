"""Absolute category rating: one recording at a time, without a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from listening.methods.base import REFERENCE, Material, Method, Signal
from listening.methods.options import Control, MethodOptions, PlaysOptions


class HiddenReferenceOptions(MethodOptions):
    """Options of methods without an open reference."""

    hidden_reference: Annotated[
        bool,
        Control(
            "Grade the original, too",
            "It is hidden among the systems and shows what the best grade in this test means.",
        ),
    ] = Field(default=True, description="whether the original is graded, too (hidden reference)")


class AcrOptions(PlaysOptions, HiddenReferenceOptions):
    """The options of both base classes, the hidden reference first."""


class AbsoluteCategoryRating(Method[AcrOptions]):
    title = "Absolute category rating (ACR)"
    source = "ITU-T P.800 and P.808"
    place = 30
    presents = "One recording in each trial, without a reference; the original is one of them, hidden."
    task = _("Listen to the recording to its end. Then grade its quality.")
    points = (
        _("There is no reference: compare with what you expect of speech in daily life."),
        _("Use the words of the scale. The best recording need not be “Excellent”, nor the worst “Bad”."),
    )
    question = _("How good is the quality of this speech?")
    Options = AcrOptions

    lowest = 1.0
    highest = 5.0
    step = 1.0
    words = ((5, _("Excellent")), (4, _("Good")), (3, _("Fair")), (2, _("Poor")), (1, _("Bad")))

    analysis = "opinion"
    mean_name = "MOS"
    axis_words = ((1, "Bad"), (2, "Poor"), (3, "Fair"), (4, "Good"), (4.85, "Excellent"))

    webmushra = ("likert_single_stimulus", "likert_multi_stimulus")
    also_holds = ("mushra",)

    def present(self, material: Material, options: AcrOptions) -> list[list[Signal]]:
        """A trial for each stimulus; the original only as the hidden reference."""
        return [[Signal(slug)] for slug in material.systems if slug != REFERENCE or options.hidden_reference]

    def trials_per_item(self, options: AcrOptions, systems: Sequence[str]) -> int:
        return self._count_tested(systems) + options.hidden_reference
