"""Paired preference: which of two is better?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from listening.methods.base import HELP_POINT, Ear, Material, Signal
from listening.methods.options import Control
from listening.methods.pairs import PairMethod, PairOptions, Pairs


class PreferenceOptions(PairOptions):
    pairs: Pairs = "systems"
    no_preference: Annotated[
        bool,
        Control(
            "Allow “No preference”",
            "Without it listeners have to choose, which detects small preferences better.",
        ),
    ] = Field(default=False, description="whether listeners may answer “No preference”")


class PairedPreference(PairMethod[PreferenceOptions]):
    title = "Paired preference (AB)"
    source = "Bradley and Terry (1952)"
    place = 70
    presents = "Two systems of an item as A and B in each trial, each pair once."
    places = "Half of the pairs of a session are turned round, and each pair is in every other session."
    invitation = _(
        "You are invited to a listening test: you will hear short recordings in two versions and say which "
        "one you prefer."
    )
    task = _(
        "A and B are two versions of a recording. Listen to both, as often as you like, and say which one "
        "you prefer."
    )
    points = (
        _("There is no right answer: it is your preference that counts."),
        HELP_POINT,
    )
    question = _("Which do you prefer?")
    Options = PreferenceOptions

    answers = {"A": _("I prefer A"), "B": _("I prefer B")}

    analysis = "preference"

    def present(self, material: Material, options: PreferenceOptions) -> list[list[Signal]]:
        """One trial for each pair."""
        trials = []
        for index, pair in enumerate(self.list_heard_pairs(material, options)):
            first, second = pair[::-1] if material.is_turned(index) else pair
            trials.append([Signal(first, "A"), Signal(second, "B")])
        return trials

    def offers_no_preference(self, options: PreferenceOptions) -> bool:
        return options.no_preference

    def choose(self, ear: Ear, systems: Mapping[str, str], options: PreferenceOptions) -> str:
        """Choose the system that seems better now; neither if they are close and that is an answer."""
        lead = ear.hear(systems["A"]) - ear.hear(systems["B"])
        if options.no_preference and abs(lead) < ear.spread / 2:
            return ""
        return "A" if lead > 0 else "B"
