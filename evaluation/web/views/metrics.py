"""Optional metrics on a clip's page: requested by its owner, shown as they finish."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from evaluation.clips.access import viewer, visible_clips
from evaluation.contexts import Context
from evaluation.metrics import METRICS, OPTIONAL
from evaluation.models import Clip
from evaluation.web.presentation import (
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    RenditionRow,
    job_state,
    other_metrics,
    prefetch_results,
    rendition_rows,
)
from evaluation.web.refusals import redirect_refusals
from evaluation.work.scores import request_scores


@require_http_methods(["GET", "HEAD", "POST"])
def clip_metrics(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Only the table of optional metrics; POST queues those in the field ``metric`` for finished systems."""
    clip = get_object_or_404(prefetch_results(visible_clips(viewer(request))), pk=pk)
    if request.method == "POST":
        get_object_or_404(Clip, pk=pk, owner=viewer(request))
        with redirect_refusals(request, "clip", pk):
            queued = request_scores(clip.renditions.all(), request.POST.getlist("metric"))
        if not queued:
            messages.info(request, _("There is nothing new to measure."))
        return redirect("clip", pk)
    response = render(request, "evaluation/_metrics.html", metrics_context(request, clip))
    response["Cache-Control"] = "no-store"
    return response


def metrics_context(request: HttpRequest, clip: Clip, rows: Sequence[RenditionRow] | None = None) -> Context:
    """The context of ``_metrics.html``; `rows` are the clip's `rendition_rows` or `table_rows`."""
    rows = rendition_rows(clip) if rows is None else rows
    shown = other_metrics(rows)
    failed = {
        (rendition.system, score.metric): job_state(score)
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
    offers = [METRICS[slug] for slug in OPTIONAL if not all(_is_settled(row, slug) for row in made)]
    return {
        "clip": clip,
        "own": clip.owner_id == request.user.pk,
        "other_metrics": shown,
        "other_rows": table,
        "offers": offers,
        "measuring": bool(statuses & {QUEUED, RUNNING}),
    }


def _is_settled(row: RenditionRow, metric: str) -> bool:
    """Whether the metric is measured already, or queued."""
    score = row["others"].get(metric)
    return score is not None and score["status"] in (DONE, QUEUED, RUNNING)
