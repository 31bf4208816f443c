"""The API of clips. `listening.web.api` mounts it and sets `request.auth`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router, Schema, Status
from ninja.pagination import LimitOffsetPagination, paginate
from pydantic import Field

from evaluation.clips.access import visible_clips
from evaluation.clips.ingest import ClipTooLarge, ingest
from evaluation.clips.removal import remove_clip
from evaluation.contexts import Context
from evaluation.models import Clip, Job
from evaluation.web import api_outputs, api_scores
from evaluation.web.multipart import file_field, multipart_body
from evaluation.web.presentation import clip_status, prefetch_results, rendition_rows
from evaluation.web.problems import FileMissing, Problem, announced_bytes
from evaluation.work import jobs

router = Router(tags=["clips"])
router.add_router("", api_scores.router)
router.add_router("", api_outputs.router)

#: Allowance for the rest of a multipart body: boundaries, headers, the title.
_BODY_SLACK = 100_000

_UPLOAD_BODY = multipart_body(
    file_field("WAV, FLAC, Ogg or MP3, any rate and number of channels"),
    title={"type": "string", "description": "default: the file's name"},
)


class ClipId(Schema):
    id: UUID


class ClipSummary(Schema):
    id: UUID
    title: str
    status: str = Field(description="queued, running, done or failed")
    seconds: float
    public: bool
    created: datetime

    @staticmethod
    def resolve_status(clip: Any) -> str:
        """Works for a row and for the dictionary that describes one clip in full."""
        return clip["status"] if isinstance(clip, dict) else clip_status(clip)


class OtherScore(Schema):
    value: float | None
    status: str = Field(description="queued, running, done or failed")
    version: str = Field(description="packages that computed it; 'uploaded' for scores from elsewhere")
    note: str
    error: str


class RenditionOut(Schema):
    system: str
    status: str = Field(description="queued, running, done or failed; done means measured, too")
    unavailable: bool = Field(description="failed because the system does not work on this server")
    error: str
    note: str
    kbps: float | None = Field(description="measured: bits that a receiver needs, kbit/s")
    pesq_nb: float | None = Field(description="ITU-T P.862.1, MOS-LQO")
    pesq_wb: float | None = Field(description="ITU-T P.862.2, MOS-LQO")
    pesq_word: str
    stoi: float | None
    encode_rtf: float | None = Field(description="encoder seconds per second of audio")
    decode_rtf: float | None = Field(description="decoder seconds per second of audio")
    audio_url: str | None
    bitstream_url: str | None
    others: dict[str, OtherScore] = Field(description="by optional metrics, see /api/metrics")


class ClipOut(ClipSummary):
    original_name: str
    source_rate: int
    source_channels: int
    source_format: str
    notes: list[str] = Field(description="conversions of the recording, and remarks about it")
    audio_url: str
    zip_url: str
    renditions: list[RenditionOut]


class RetryOut(Schema):
    queued: int = Field(description="number of renditions and scores that are queued again")


@router.post(
    "/clips",
    response={201: ClipId, 200: ClipId, 413: Problem, 422: Problem},
    openapi_extra=_UPLOAD_BODY,
    summary="Upload a recording; every system processes it in the background",
)
def create_clip(request: HttpRequest) -> Status[Context]:
    """201 for a new clip; 200 with the existing clip's id if the same bytes were uploaded before."""
    # `request.FILES` reads the body, so a body that is too large is refused before that.
    size = announced_bytes(request)
    if size > settings.UPLOAD_MAX_BYTES + _BODY_SLACK:
        raise ClipTooLarge(size)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    clip, created = ingest(request.auth, file, title=request.POST.get("title", ""))  # type: ignore[attr-defined]
    return Status(201 if created else 200, {"id": clip.pk})


@router.get("/clips", response=list[ClipSummary], summary="Your clips, newest first")
@paginate(LimitOffsetPagination)
def list_clips(request: HttpRequest, search: str = "", public: bool | None = None) -> QuerySet[Clip]:
    """`search` selects by title; `public` selects clips that everybody may, or may not, hear."""
    clips = prefetch_results(Clip.objects.filter(owner=request.auth, title__icontains=search))  # type: ignore[attr-defined]
    return clips if public is None else clips.filter(public=public)


@router.get("/clips/{uuid:clip_id}", response=ClipOut, summary="A clip and its renditions by every system")
def get_clip(request: HttpRequest, clip_id: UUID) -> Context:
    user = request.auth  # type: ignore[attr-defined]
    clip = get_object_or_404(prefetch_results(visible_clips(user)), pk=clip_id)
    rows = rendition_rows(clip)
    for row in rows:
        row["audio_url"] = row["audio_url"] and request.build_absolute_uri(row["audio_url"])
        row["bitstream_url"] = row["bitstream_url"] and request.build_absolute_uri(row["bitstream_url"])
    return {
        **_summary(clip),
        "original_name": clip.original_name,
        "source_rate": clip.source_rate,
        "source_channels": clip.source_channels,
        "source_format": clip.source_format,
        "notes": clip.notes,
        "audio_url": request.build_absolute_uri(reverse("clip_audio", args=[clip.pk])),
        "zip_url": request.build_absolute_uri(reverse("clip_zip", args=[clip.pk])),
        "renditions": rows,
    }


class ClipChange(Schema):
    title: str | None = Field(None, min_length=1, max_length=200)
    credit: str | None = Field(None, max_length=2000, description="source and licence, shown on the page")
    public: bool | None = Field(None, description="whether everybody may hear it")


@router.patch("/clips/{uuid:clip_id}", response=ClipSummary, summary="Rename, credit or publish a clip")
def change_clip(request: HttpRequest, clip_id: UUID, change: ClipChange) -> Clip:
    clip = _own_clip(request, clip_id)
    for name, value in change.dict(exclude_none=True).items():
        setattr(clip, name, value)
    clip.save(update_fields=list(change.dict(exclude_none=True)))
    return clip


@router.delete("/clips/{uuid:clip_id}", response={204: None, 409: Problem}, summary="Delete a clip for good")
def delete_clip(request: HttpRequest, clip_id: UUID) -> Status[Any]:
    """Deletes everything that was made from it, too. 409 while a study uses it."""
    remove_clip(_own_clip(request, clip_id))
    return Status(204, None)


@router.post("/clips/{uuid:clip_id}/retry", response=RetryOut, summary="Retry failed renditions and scores")
def retry_clip(request: HttpRequest, clip_id: UUID) -> dict[str, int]:
    rows: list[Job] = []
    for rendition in _own_clip(request, clip_id).renditions.all():
        rows += [rendition, *rendition.scores.all()]
    return {"queued": sum(jobs.retry(row) for row in rows)}


def _own_clip(request: HttpRequest, clip_id: UUID) -> Clip:
    owner = request.auth  # type: ignore[attr-defined]
    return get_object_or_404(prefetch_results(Clip.objects.filter(owner=owner)), pk=clip_id)


def _summary(clip: Clip) -> Context:
    return {
        "id": clip.pk,
        "title": clip.title,
        "status": clip_status(clip),
        "seconds": clip.seconds,
        "public": clip.public,
        "created": clip.created,
    }
