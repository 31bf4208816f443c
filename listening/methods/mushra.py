"""MUSHRA: many signals side by side, with a hidden reference and anchors."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from listening.methods.base import REFERENCE, Material, Method, Signal
from listening.methods.options import MethodOptions


class Mushra(Method[MethodOptions]):
    """Hidden reference and both mandatory anchors (M1, M3), 12 signals at most (M6), 0 to 100 (M10)."""

    title = "MUSHRA"
    source = "ITU-R BS.1534-3"
    place = 10
    presents = (
        "Systems of an item side by side with the hidden reference and both anchors, "
        "graded against the open reference."
    )
    question = _("How good is the basic audio quality of each version, compared with the reference?")

    always = (REFERENCE, "anchor35", "anchor70")
    max_signals = 12
    max_systems = 9
    side_by_side = True
    stays_with_item = True
    open_reference = True
    signals = ()

    lowest = 0.0
    highest = 100.0
    step = 1.0
    words = ((80, _("Excellent")), (60, _("Good")), (40, _("Fair")), (20, _("Poor")), (0, _("Bad")))

    analysis = "bs1534"
    has_checklist = True

    template = "listening/methods/mushra.html"
    webmushra = ("mushra",)
    also_holds = ("likert_single_stimulus", "likert_multi_stimulus")

    def present(self, material: Material, options: MethodOptions) -> list[list[Signal]]:
        """One trial with all signals in random order."""
        systems = list(material.systems)
        material.draw.shuffle(systems)
        return [[Signal(slug) for slug in systems]]

    def trials_per_item(self, options: MethodOptions, systems: Sequence[str]) -> int:
        return 1

    def seconds_per_item(self, options: MethodOptions, systems: Sequence[str], seconds: float) -> float:
        """Half a minute to get started, and each signal heard about three times."""
        signals = len({*self.always, *systems})
        return 30 + 3 * signals * seconds
