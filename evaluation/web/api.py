"""The API of clips. `listening.web.api` mounts it and sets `request.auth`."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import Field

from codec import registry
from codec.recordings.formats import NAMED
from evaluation.access import Role, find_for, found_role, role_slug, rows_for, viewer, with_roles
from evaluation.clips.choosing import check_systems, with_original
from evaluation.clips.describing import describe_clip
from evaluation.clips.ingest import ClipTooLarge, cancel_renditions, ingest, queue_renditions
from evaluation.clips.kinds import set_speech
from evaluation.clips.removal import remove_clip
from evaluation.contexts import Context
from evaluation.models import Clip, Job
from evaluation.refusals import translate_note
from evaluation.texts import clean_line
from evaluation.web import api_outputs, api_scores
from evaluation.web.lists import ApiPagination
from evaluation.web.multipart import file_field, multipart_body
from evaluation.web.presentation import clip_status, prefetch_results, rendition_rows
from evaluation.web.problems import FileMissing, Problem, announced_bytes
from evaluation.web.requests import Body, check_form
from evaluation.work import jobs

router = Router(by_alias=True, tags=["clips"])
router.add_router("", api_scores.router)
router.add_router("", api_outputs.router)

#: Allowance for the rest of a multipart body: boundaries, headers, the title.
_BODY_SLACK = 100_000

_UPLOAD_BODY = multipart_body(
    file_field(f"{NAMED}, any rate and number of channels"),
    title={"type": "string", "description": "default: the file's name"},
    systems={
        "type": "array",
        "items": {"type": "string"},
        "description": "the only systems that process it, beside the original: see /api/systems; "
        "default: all that suit the recording",
    },
)


ROLE = "yours: viewer, editor or owner"


def described_role(thing: Any) -> str:
    """The role that `evaluation.access.with_roles` has found."""
    return role_slug(found_role(thing))


class ClipId(Schema):
    id: UUID


class ClipSummary(Schema):
    id: UUID
    title: str
    status: str = Field(description="queued, running, done or failed")
    seconds: float
    public: bool
    role: str = Field(description=ROLE)
    owner: str = Field(description="user name")
    created: datetime

    @staticmethod
    def resolve_role(clip: Any) -> str:
        return str(clip["role"]) if isinstance(clip, dict) else described_role(clip)

    @staticmethod
    def resolve_owner(clip: Any) -> str:
        return str(clip["owner"] if isinstance(clip, dict) else clip.owner.get_username())

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
    percent: int | None = Field(description="encoded so far, of a system that takes its time; else null")
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
    rate: int = Field(description="of the working copy at audio_url, Hz")
    channels: int = Field(description="of the working copy: 1 or 2")
    speech: bool = Field(description="speech; false: music or other sound, which other metrics judge")
    source_rate: int
    source_channels: int
    source_format: str
    notes: list[str] = Field(description="conversions of the recording, and remarks about it")
    audio_url: str
    zip_url: str
    renditions: list[RenditionOut]


class SystemsIn(Body):
    systems: list[str] = Field(min_length=1, max_length=len(registry.SYSTEMS), description="see /api/systems")


class QueuedOut(Schema):
    queued: int = Field(description="number of renditions that are queued; those that are there stay")


class CancelledOut(Schema):
    cancelled: int = Field(description="number of renditions that waited and are removed")


class RetryOut(Schema):
    queued: int = Field(description="number of renditions and scores that are queued again")


@router.post(
    "/clips",
    response={201: ClipId, 200: ClipId, 413: Problem, 422: Problem},
    openapi_extra=_UPLOAD_BODY,
    summary="Upload a recording; the systems process it in the background",
)
def create_clip(request: HttpRequest) -> Status[Context]:
    """201 for a new clip; 200 with the existing clip's id if the same bytes were uploaded before."""
    # `request.FILES` reads the body, so a body that is too large is refused before that.
    size = announced_bytes(request)
    if size > settings.UPLOAD_MAX_BYTES + _BODY_SLACK:
        raise ClipTooLarge(size)
    check_form(request)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    listed = request.POST.getlist("systems")
    clip, created = ingest(
        viewer(request),
        file,
        title=request.POST.get("title", ""),
        systems=with_original(check_systems(listed)) if listed else None,
    )
    return Status(201 if created else 200, {"id": clip.pk})


@router.get("/clips", response=list[ClipSummary], summary="Your clips, and those shared with you")
@paginate(ApiPagination)
def list_clips(request: HttpRequest, search: str = "", public: bool | None = None) -> QuerySet[Clip]:
    """`search` selects by title; `public` selects clips that everybody may, or may not, hear."""
    user = viewer(request)
    shown = with_roles(rows_for(user, Clip, listed=True).filter(title__icontains=clean_line(search)), user)
    clips = prefetch_results(shown.select_related("owner"))
    return clips if public is None else clips.filter(public=public)


@router.get("/clips/{uuid:clip_id}", response=ClipOut, summary="A clip and its renditions by every system")
def get_clip(request: HttpRequest, clip_id: UUID) -> Context:
    clip = _clip(request, clip_id)
    rows = rendition_rows(clip)
    for row in rows:
        row["audio_url"] = row["audio_url"] and request.build_absolute_uri(row["audio_url"])
        row["bitstream_url"] = row["bitstream_url"] and request.build_absolute_uri(row["bitstream_url"])
    return {
        **_summary(clip),
        "original_name": clip.original_name,
        "rate": clip.rate,
        "channels": clip.channels,
        "speech": clip.speech,
        "source_rate": clip.source_rate,
        "source_channels": clip.source_channels,
        "source_format": clip.source_format,
        "notes": list(map(translate_note, clip.notes)),
        "audio_url": request.build_absolute_uri(reverse("clip_audio", args=[clip.pk])),
        "zip_url": request.build_absolute_uri(reverse("clip_zip", args=[clip.pk])),
        "renditions": rows,
    }


class ClipChange(Body):
    title: str | None = Field(None, min_length=1, max_length=200)
    credit: str | None = Field(None, max_length=2000, description="source and licence, shown on the page")
    public: bool | None = Field(None, description="whether everybody may hear it")
    speech: bool | None = Field(None, description="false: music or other sound; its metrics change")


@router.patch("/clips/{uuid:clip_id}", response=ClipSummary, summary="Rename, credit or publish a clip")
def change_clip(request: HttpRequest, clip_id: UUID, change: ClipChange) -> Clip:
    clip = _clip(request, clip_id, None if change.public is None else Role.OWNER)
    values = change.dict(exclude_none=True)
    speech = values.pop("speech", clip.speech)
    describe_clip(clip, **values)
    set_speech(clip, speech)
    return clip


@router.delete("/clips/{uuid:clip_id}", response={204: None, 409: Problem}, summary="Delete a clip for good")
def delete_clip(request: HttpRequest, clip_id: UUID) -> Status[Any]:
    """Deletes everything that was made from it, too. 409 while a study uses it."""
    remove_clip(_clip(request, clip_id, Role.OWNER))
    return Status(204, None)


@router.post("/clips/{uuid:clip_id}/retry", response=RetryOut, summary="Retry failed renditions and scores")
def retry_clip(request: HttpRequest, clip_id: UUID) -> dict[str, int]:
    rows: list[Job] = []
    for rendition in _clip(request, clip_id).renditions.all():
        rows += [rendition, *rendition.scores.all()]
    return {"queued": sum(jobs.retry(row) for row in rows)}


@router.post(
    "/clips/{uuid:clip_id}/renditions",
    response={200: QueuedOut, 422: Problem},
    summary="Put a clip through more systems, such as those for music",
)
def add_renditions(request: HttpRequest, clip_id: UUID, wanted: SystemsIn) -> dict[str, int]:
    chosen = check_systems(wanted.systems)
    return {"queued": queue_renditions(_clip(request, clip_id), chosen)}


@router.delete(
    "/clips/{uuid:clip_id}/renditions",
    response=CancelledOut,
    summary="Cancel the renditions of a clip that wait in the queue",
)
def cancel_waiting(request: HttpRequest, clip_id: UUID) -> dict[str, int]:
    """What is being made is finished, and the original stays. POST to this address asks for them again."""
    return {"cancelled": cancel_renditions(_clip(request, clip_id))}


def _clip(request: HttpRequest, clip_id: UUID, least: Role | None = None) -> Clip:
    return find_for(request, prefetch_results(Clip.objects.select_related("owner")), least, pk=clip_id)


def _summary(clip: Clip) -> Context:
    return {
        "id": clip.pk,
        "title": clip.title,
        "status": clip_status(clip),
        "seconds": clip.seconds,
        "public": clip.public,
        "role": described_role(clip),
        "owner": clip.owner.get_username(),
        "created": clip.created,
    }
