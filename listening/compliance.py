"""What a study keeps of Recommendation ITU-R BS.1534-3, and what is left to its researcher."""

from __future__ import annotations

from listening.methods import METHODS, MUSHRA
from listening.models import Stimulus, Study


def method_title(study: Study) -> str:
    """What the study may be called. Without hidden reference and both anchors it is no MUSHRA test (M1)."""
    if study.method == MUSHRA.slug and not has_reference_and_anchors(study):
        return "Multiple stimuli, not MUSHRA"
    return METHODS[study.method].title if study.method in METHODS else study.method


def has_reference_and_anchors(study: Study) -> bool:
    """Whether every item has a hidden reference and both mandatory anchors among its stimuli (M1, M3)."""
    items = study.items.count()
    counts = {slug: Stimulus.objects.filter(item__study=study, system=slug).count() for slug in MUSHRA.always}
    return all(count == items for count in counts.values())
