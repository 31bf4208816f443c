"""The processing of each stimulus, for the study's owner."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evaluation.systems import order, title_of
from listening.study import selectors
from listening.study.stimuli import DELAY_LIMIT_MS, warnings_of


@login_required
@require_GET
def stimuli(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Gain and delay of every stimulus relative to the reference, with warnings."""
    study = selectors.study_of(request.user, study_id)
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
        "limit": DELAY_LIMIT_MS,
        "kilohertz": study.sample_rate / 1000,
    }
    return render(request, "listening/stimuli.html", context)
