"""The processing of each stimulus, for the study's owner."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from codec.registry import SYSTEMS
from evaluation.systems import order, title_of
from listening.study.stimuli import DELAY_LIMIT_MS, warnings_of
from listening.web.access import study_for


@login_required
@require_GET
def stimuli(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Gain and delay of every stimulus relative to the reference, with warnings."""
    study = study_for(request, study_id)
    items = list(study.items.prefetch_related("stimuli__rendition").select_related("clip"))
    found = {stimulus.system for item in items for stimulus in item.stimuli.all()}
    systems = sorted(found, key=order)
    rows = []
    for item in items:
        of_item = {stimulus.system: stimulus for stimulus in item.stimuli.all()}
        rows.append({"item": item, "stimuli": [of_item.get(system) for system in systems]})
    context = {
        "section": "studies",
        "study": study,
        "titles": [title_of(system) for system in systems],
        "rows": rows,
        "warnings": warnings_of(study),
        "levels": [(title_of(slug), SYSTEMS[slug].level_db) for slug in systems if _has_own_level(slug)],
        "limit": DELAY_LIMIT_MS,
        "kilohertz": study.sample_rate / 1000,
        "stereo": study.channels > 1,
    }
    return render(request, "listening/stimuli.html", context)


def _has_own_level(slug: str) -> bool:
    """Whether a codec changes the level of speech so that it can be heard: by half a decibel or more."""
    return slug in SYSTEMS and abs(SYSTEMS[slug].level_db) >= 0.5
