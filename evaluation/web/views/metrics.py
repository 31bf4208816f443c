"""Optional metrics on a clip's page: requested by who may edit it, shown as they finish."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from evaluation.access import find_for, found_role
from evaluation.contexts import Context
from evaluation.metrics import METRICS, OPTIONAL, offered
from evaluation.models import Clip, Job
from evaluation.refusals import translate_note
from evaluation.web.presentation import (
    DONE,
    FAILED,
    RenditionRow,
    job_state,
    other_metrics,
    prefetch_results,
    rendition_rows,
)
from evaluation.web.refusals import redirect_refusals
from evaluation.work.scores import request_scores


@login_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric: what it is, the recordings it is made for, its version here, and the command."""
    rows = [
        {"metric": metric, "made_for": [translate_note(note) for note in metric.domain.describe()]}
        for metric in METRICS.values()
    ]
    return render(request, "evaluation/metrics.html", {"rows": rows, "section": "clips"})


@require_http_methods(["GET", "POST"])
def clip_metrics(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Only the table of optional metrics; POST queues those in the field ``metric`` for finished systems."""
    clip = find_for(request, prefetch_results(Clip.objects.all()), pk=pk)
    if request.method == "POST":
        with redirect_refusals(request, "clip", pk):
            queued = request_scores(clip.renditions.all(), request.POST.getlist("metric"))
        if not queued:
            messages.info(request, _("There is nothing new to measure."))
            return redirect("clip", pk)
        return redirect(reverse("clip", args=[pk], fragment="other-metrics"))
    response = render(request, "evaluation/_metrics.html", metrics_context(clip))
    response["Cache-Control"] = "no-store"
    return response


def metrics_context(clip: Clip, rows: Sequence[RenditionRow] | None = None) -> Context:
    """The context of ``_metrics.html``; `rows` are the clip's `rendition_rows` or `table_rows`."""
    rows = rendition_rows(clip) if rows is None else rows
    shown = other_metrics(rows)
    failed = {
        (rendition.system, score.metric): job_state(score, found_role(clip))
        for rendition in clip.renditions.all()
        for score in rendition.scores.all()
        if score.status == FAILED
    }

    def cell(row: RenditionRow, metric: str) -> Context | None:
        score = row["others"].get(metric)
        return {**score, "job": failed.get((row["system"], metric))} if score else None

    table: list[Context] = [
        {"title": row["title"], "cells": [cell(row, metric.slug) for metric in shown]}
        for row in rows
        if row["others"]
    ]
    statuses = {
        score["status"]
        for row in rows
        for metric in shown
        if (score := row["others"].get(metric.slug)) is not None
    }
    made = [row for row in rows if row["audio_url"] is not None]
    left = [slug for slug in OPTIONAL if not all(_is_settled(row, slug) for row in made)]
    offers = offered(left, speech=clip.speech)
    return {
        "clip": clip,
        "other_metrics": shown,
        "other_rows": table,
        "offers": [metric for metric in offers if not metric.missing],
        "lacking": [metric for metric in offers if metric.missing],
        "measuring": not statuses.isdisjoint(Job.UNFINISHED),
    }


def _is_settled(row: RenditionRow, metric: str) -> bool:
    """Whether the metric is measured already, or queued."""
    score = row["others"].get(metric)
    return score is not None and score["status"] in (DONE, *Job.UNFINISHED)
