"""The API of metrics: list them, measure clips by more of them, upload scores from elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import File, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from evaluation.access import Role, find_for, rows_for, viewer
from evaluation.contexts import Context
from evaluation.metrics import METRICS
from evaluation.models import Clip
from evaluation.web.problems import Problem
from evaluation.web.requests import Body
from evaluation.work.scores import check_size, request_scores, store_scores

router = Router(by_alias=True, tags=["metrics"])


class MetricOut(Schema):
    slug: str
    title: str
    unit: str
    low: float
    high: float
    higher_is_better: bool
    note: str
    default: bool = Field(description="whether every output is measured by it")
    version: str = Field(description="packages that compute it; empty if it cannot be computed")
    missing: str = Field(description="why it cannot be computed on this server; empty if it can")


class MeasureIn(Body):
    metrics: list[str] = Field(min_length=1, max_length=20, description="slugs")


class MeasureOut(Schema):
    queued: int = Field(description="number of queued scores; existing scores stay")


class StoredOut(Schema):
    metric: str
    created: int
    replaced: int


@router.get("/metrics", response=list[MetricOut], summary="Every objective metric, in table order")
def list_metrics(request: HttpRequest) -> list[Any]:
    return list(METRICS.values())


@router.post(
    "/clips/{uuid:clip_id}/metrics",
    response={202: MeasureOut, 422: Problem},
    summary="Measure a clip's outputs by more metrics",
)
def measure_clip(request: HttpRequest, clip_id: UUID, wanted: MeasureIn) -> Status[Context]:
    """Queues missing scores and failed ones."""
    clip = find_for(request, Clip.objects.all(), pk=clip_id)
    return Status(202, {"queued": request_scores(clip.renditions.all(), wanted.metrics)})


@router.post(
    "/scores", response={200: StoredOut, 422: Problem}, summary="Upload a table of scores from elsewhere"
)
def upload_scores(request: HttpRequest, file: File[UploadedFile], metric: str = "polqa") -> Status[Context]:
    """CSV with the columns ``clip`` (id, title or file name), ``system`` and ``value``; of clips you may edit

    The table is stored completely or not at all; a refusal names the line. Meant for POLQA, which is
    licensed.
    """
    check_size(file.size)
    clips = rows_for(viewer(request), Clip, Role.EDITOR)
    stored = store_scores(file.read(), clips, metric=metric, source=file.name or "")
    return Status(200, {"metric": stored.metric, "created": stored.created, "replaced": stored.replaced})
