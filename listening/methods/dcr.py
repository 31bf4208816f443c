"""Degradation category rating: the reference and then a system."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from listening.methods.base import OPEN_REFERENCE, Method
from listening.methods.options import PlaysOptions


class DegradationCategoryRating(Method[PlaysOptions]):
    """A trial for each stimulus, the original among them; the open reference is heard first."""

    title = "Degradation category rating (DCR)"
    source = "ITU-T P.800 Annex D and P.808"
    place = 40
    presents = "The reference and then one system in each trial; one trial per item repeats the reference."
    invitation = _(
        "You are invited to a listening test: you will hear short recordings and say how much they differ "
        "from a reference."
    )
    task = _(
        "You hear the reference first, then a processed version of it. Listen to both to the end. Then grade "
        "how degraded the second is, compared with the first."
    )
    points = (_("Sometimes the second is the reference again. Grade what you hear."),)
    question = _("How degraded is the second recording, compared with the first?")
    Options = PlaysOptions

    open_reference = True
    signals = ((OPEN_REFERENCE, _("First")), ("", _("Second")))

    lowest = 1.0
    highest = 5.0
    step = 1.0
    words = (
        (5, _("Degradation is inaudible")),
        (4, _("Degradation is audible but not annoying")),
        (3, _("Degradation is slightly annoying")),
        (2, _("Degradation is annoying")),
        (1, _("Degradation is very annoying")),
    )

    analysis = "opinion"
    mean_name = "DMOS"
    axis_words = ((1.2, "very annoying"), (4.85, "inaudible"))

    webmushra = ("likert_single_stimulus", "likert_multi_stimulus")

    def seconds_per_trial(self, seconds: float) -> float:
        """Both signals half a second apart, heard once, a third of the pairs twice."""
        return 5 + 1.3 * (2 * seconds + 0.5)
