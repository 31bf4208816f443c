"""The results page of a study, its figures and its exports."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from evaluation import figures
from listening import selectors
from listening.models import Study
from listening.results import BS1534, KINDS, METRIC_TITLES, NONE, REAL, Results, compute, profiles_of
from listening.services import ALWAYS

#: Short names of profiles in addresses that were handed out before there were more than two.
_OLD_NAMES = {"on": BS1534, "off": NONE}


def _asked(request: HttpRequest, study: Study) -> tuple[str, str]:
    """The kind of sessions and the screening profile of this request. Raises `Http404`."""
    kind = request.GET.get("kind", REAL)
    profile = request.GET.get("screening", BS1534)
    profile = _OLD_NAMES.get(profile, profile)
    if kind not in KINDS or profile not in profiles_of(study):
        raise Http404("There are no such results.")
    return kind, profile


def _compute(request: HttpRequest, study_id: UUID) -> Results:
    study = selectors.study_of(request.user, study_id)
    kind, profile = _asked(request, study)
    return compute(study, kind=kind, profile=profile)


def _grades(results: Results) -> str:
    """Figure: grades per system."""
    rows = [
        figures.GradeRow(
            slug=row.slug,
            title=row.title,
            scores=results.frame.loc[results.frame["system"] == row.slug, "score"].tolist(),
            listener_means=results.frame[results.frame["system"] == row.slug]
            .groupby("assessor", sort=False)["score"]
            .mean()
            .tolist(),
            mean=row.mean,
            half_width=row.ci95,
        )
        for row in results.systems
    ]
    return figures.grades(rows, title=f"{results.study.name}: grades per system")


def _objective(results: Results, metric: str) -> str:
    """Figure: grades against a metric."""
    points = [
        figures.Point(row.slug, row.title, value, row.mean, row.ci95)
        for row in results.systems
        if row.mean is not None and (value := getattr(row.objective, metric)) is not None
    ]
    return figures.scatter(
        points, METRIC_TITLES[metric], title=f"{results.study.name}: grades against {METRIC_TITLES[metric]}"
    )


@login_required
@never_cache
@require_GET
def results(request: HttpRequest, study_id: UUID) -> HttpResponse:
    results = _compute(request, study_id)
    context = {
        "study": results.study,
        "results": results,
        "grades": mark_safe(_grades(results)) if results.listeners else "",  # noqa: S308 -- texts are escaped there
        "scatters": [
            {"metric": agreement, "svg": mark_safe(_objective(results, agreement.metric))}  # noqa: S308
            for agreement in results.agreements
            if agreement.metric != "stoi" and agreement.systems
        ],
        "implied": ALWAYS,
        "profiles": profiles_of(results.study),
        "section": "studies",
    }
    return render(request, "listening/results.html", context)


@login_required
@never_cache
@require_GET
def figure(request: HttpRequest, study_id: UUID, name: str) -> HttpResponse:
    """A figure of the results page as an SVG file of its own."""
    results = _compute(request, study_id)
    if name == "grades":
        svg = _grades(results)
    elif name in METRIC_TITLES:
        svg = _objective(results, name)
    else:
        raise Http404("There is no such figure.")
    response = HttpResponse(figures.saved(svg), content_type="image/svg+xml")
    response["Content-Disposition"] = f'attachment; filename="{name}-{study_id}.svg"'
    return response
