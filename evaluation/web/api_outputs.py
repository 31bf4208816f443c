"""The API of researchers' own systems: make them, send outputs, and confirm them after the checks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import Field, JsonValue

from evaluation import systems
from evaluation.access import find_for, viewer
from evaluation.columns.base import JsonObject
from evaluation.columns.renditions import Checks
from evaluation.contexts import Context
from evaluation.models import OutputBatch, Rendition, UploadedSystem
from evaluation.outputs import batches as outputs
from evaluation.refusals import translate_note
from evaluation.web.lists import MOST_BEFORE
from evaluation.web.multipart import file_field, files_field, multipart_body
from evaluation.web.problems import Problem, check_length
from evaluation.web.requests import Body, check_form

router = Router(by_alias=True, tags=["own systems"])

_BODY = multipart_body(
    files_field("recordings, or zips of them, named like the clips"),
    mapping=file_field("CSV with the columns clip, file and, optionally, system"),
    make_systems={"type": "string", "description": "yes: make a system for each folder"},
)


class SystemOut(Schema):
    slug: str
    title: str
    kind: str = Field(description="registry: runs here; uploaded: your own, run elsewhere")
    family: str
    kbps: float | None = Field(
        description="nominal or stated bit rate, kbit/s; renditions have the measured one"
    )
    note: str


class SystemIn(Body):
    title: str
    note: str = Field("", description="for reports: version, exact command")
    kbps: float | None = Field(None, description="as you state it, kbit/s")


class SystemChange(Body):
    title: str | None = None
    note: str | None = None
    kbps: float | None = None


class OwnSystemOut(Schema):
    slug: str
    title: str
    note: str
    kbps: float | None
    outputs: list[UUID] = Field(
        description="ids of the clips for which it has an output, by title: all, or `limit` after `offset`"
    )
    output_count: int = Field(description="number of clips for which it has an output")


class FileOut(Schema):
    id: int
    name: str = Field(description="as it was sent, with its folders")
    clip: UUID | None
    system: str | None
    reason: str = Field(description="how clip and system were found")
    checks: Context = Field(
        description="comparison with the clip: length, rate, delay_seconds, level; shifts: removable delay"
    )
    problem: str = Field(description="why it cannot be stored; empty if it can")
    taken: bool
    shifted: bool


class BatchOut(Schema):
    id: UUID
    step: str = Field(description="check, then, after your confirmation, store")
    status: str = Field(description="of the step: queued, running, done or failed")
    error: str
    notes: list[str]
    created: datetime
    files: list[FileOut]


class Confirmation(Body):
    take: list[int] | None = Field(None, description="ids of files; default: all without a problem")
    shift: list[int] = Field(default_factory=list, description="ids of those whose delay is removed")


class Confirmed(Schema):
    taken: int


def _own_system(request: HttpRequest, slug: str) -> UploadedSystem:
    return find_for(request, UploadedSystem.objects.all(), slug=slug)


def _batch(request: HttpRequest, batch_id: UUID) -> OutputBatch:
    return find_for(request, OutputBatch.objects.all(), pk=batch_id)


def _system(system: UploadedSystem, rows: slice = slice(None)) -> Context:
    made = Rendition.objects.filter(system=system.slug).order_by("clip__title", "clip")
    return {
        "slug": system.slug,
        "title": system.title,
        "note": system.note,
        "kbps": system.kbps,
        "outputs": list(made.values_list("clip_id", flat=True)[rows]),
        "output_count": made.count(),
    }


def _describe_checks(checks: Checks) -> JsonObject:
    """The checks as stored, with remarks in the language of the request."""
    said: dict[str, JsonValue] = {
        name: [translate_note(note) for note in getattr(checks, name)] for name in ("warnings", "notes")
    }
    stored = checks.to_json()
    return {**stored, **{name: notes for name, notes in said.items() if name in stored}}


def _describe_batch(batch: OutputBatch) -> Context:
    rows = batch.files.select_related("system").order_by("name", "pk")
    return {
        "id": batch.pk,
        "step": batch.step,
        "status": batch.status,
        "error": translate_note(batch.error),
        "notes": list(map(translate_note, batch.notes)),
        "created": batch.created,
        "files": [
            {
                "id": row.pk,
                "name": row.name,
                "clip": row.clip_id,
                "system": row.system.slug if row.system else None,
                "reason": translate_note(row.reason),
                "checks": _describe_checks(row.checks),
                "problem": translate_note(row.problem),
                "taken": row.taken,
                "shifted": row.shift,
            }
            for row in rows
        ],
    }


@router.get("/systems", response=list[SystemOut], summary="Every system that you can use, in table order")
def list_systems(request: HttpRequest) -> list[systems.Described]:
    return systems.systems_for(viewer(request))


@router.post("/systems", response={201: OwnSystemOut, 422: Problem}, summary="Make a system of your own")
def create_system(request: HttpRequest, new: SystemIn) -> Status[Context]:
    made = outputs.save_system(viewer(request), new.title, new.note, new.kbps)
    return Status(201, _system(made))


@router.get(
    "/systems/{slug}",
    response=OwnSystemOut,
    summary="A system of your own and the clips for which it has outputs",
)
def get_system(
    request: HttpRequest,
    slug: str,
    limit: Annotated[int | None, Query(ge=1, le=MOST_BEFORE)] = None,
    offset: Annotated[int, Query(ge=0, le=MOST_BEFORE)] = 0,
) -> Context:
    end = None if limit is None else offset + limit
    return _system(_own_system(request, slug), slice(offset, end))


@router.patch(
    "/systems/{slug}",
    response={200: OwnSystemOut, 422: Problem},
    summary="Change a system's title, note or bit rate",
)
def change_system(request: HttpRequest, slug: str, change: SystemChange) -> Status[Context]:
    system = _own_system(request, slug)
    saved = outputs.save_system(
        viewer(request),
        system.title if change.title is None else change.title,
        system.note if change.note is None else change.note,
        change.kbps if "kbps" in change.model_fields_set else system.kbps,
        system=system,
    )
    return Status(200, _system(saved))


@router.delete(
    "/systems/{slug}", response={204: None, 409: Problem}, summary="Delete a system with all its outputs"
)
def delete_system(request: HttpRequest, slug: str) -> Status[Any]:
    """Refused while a study uses one of them."""
    outputs.remove_system(_own_system(request, slug))
    return Status(204, None)


@router.post(
    "/systems/{slug}/outputs",
    response={202: BatchOut, 413: Problem, 422: Problem},
    openapi_extra=_BODY,
    summary="Send outputs of your system, to be checked against their clips",
)
def send_outputs(request: HttpRequest, slug: str) -> Status[Context]:
    """Outputs are stored only after ``/outputs/{id}/confirm``: look at the checks first."""
    system = _own_system(request, slug)
    check_length(request, outputs.MAX_BATCH_BYTES)
    check_form(request)
    batch = outputs.receive(
        system,
        request.FILES.getlist("file"),
        request.FILES.get("mapping"),
        make_systems=request.POST.get("make_systems", "") == "yes",
    )
    return Status(202, _describe_batch(batch))


@router.delete(
    "/systems/{slug}/outputs/{uuid:clip_id}",
    response={204: None, 409: Problem},
    summary="Delete your system's output for a clip",
)
def delete_output(request: HttpRequest, slug: str, clip_id: UUID) -> Status[Any]:
    rendition = get_object_or_404(Rendition, system=_own_system(request, slug).slug, clip=clip_id)
    outputs.remove_output(rendition)
    return Status(204, None)


@router.get(
    "/outputs/{uuid:batch_id}",
    response=BatchOut,
    summary="A batch of sent files and the results of their checks",
)
def get_outputs(request: HttpRequest, batch_id: UUID) -> Context:
    return _describe_batch(_batch(request, batch_id))


@router.post(
    "/outputs/{uuid:batch_id}/confirm",
    response={202: Confirmed, 422: Problem},
    summary="Store checked files as outputs",
)
def confirm_outputs(request: HttpRequest, batch_id: UUID, wanted: Confirmation) -> Status[Context]:
    """They replace existing outputs. Storing continues in the background."""
    batch = _batch(request, batch_id)
    take = wanted.take
    if take is None:
        take = list(batch.files.filter(problem="").exclude(checks={}).values_list("pk", flat=True))
    return Status(202, {"taken": outputs.confirm(batch, take, wanted.shift)})


@router.delete(
    "/outputs/{uuid:batch_id}", response={204: None}, summary="Delete a batch of files that was not confirmed"
)
def discard_outputs(request: HttpRequest, batch_id: UUID) -> Status[None]:
    outputs.remove_batch(_batch(request, batch_id))
    return Status(204, None)
