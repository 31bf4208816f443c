"""Other tools' files in the API: send one, see what is in it, decide, and have the study."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from evaluation.contexts import Context
from evaluation.refusals import Refusal
from evaluation.web.problems import FileMissing, Problem, check_length
from listening.interchange.imports import configuring, drafts
from listening.interchange.imports.configuration import Configuration
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.storing import methods_of, personal_questions, scale_note
from listening.models import ImportDraft

router = Router(tags=["imports"])

_FILE = {"type": "string", "format": "binary"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            **_FILE,
                            "description": "results of another tool, or a webMUSHRA configuration",
                        },
                        "extra": {
                            **_FILE,
                            "description": "a table of scores, or a configuration's audio as a zip",
                        },
                    },
                }
            }
        },
    }
}


class Choices(Schema):
    """What a file of results may leave open."""

    model_config = ConfigDict(extra="forbid")

    rule: str = Field("", description="GoListen: how items and systems are parted")
    attribute: str = Field("", description="of several that were graded")
    kind: str = Field("", description="of several that are in the file")


class Decision(Choices):
    name: str = Field("", description="of the study; default: the file's")
    method: str = Field("", description="one of the preview's methods; default: the first")
    systems: dict[str, str] | None = Field(
        None, description="slugs here by the file's names; default: as the preview suggests"
    )
    keep_personal: bool = Field(False, description="keep answers that may tell who somebody is")
    group: str = Field("", description="of a configuration, by its key; default: the first")


class ReadingOut(Schema):
    title: str = Field(description="what the file is")
    reason: str
    methods: list[str]
    listeners: int
    items: list[str]
    systems: dict[str, str] = Field(description="by the file's names, the slugs that are suggested")
    answers: int = Field(description="grades or choices")
    scale: list[float]
    personal: list[str] = Field(description="questions that ask who somebody is")
    metrics: list[str] = Field(description="of the table of scores")
    notes: list[str]


class GroupOut(Schema):
    key: str
    method: str
    pages: list[str]
    systems: list[str]


class ImportOut(Schema):
    id: UUID
    name: str
    kind: str = Field(description="results or configuration")
    status: str = Field(
        description="of a configuration that is being imported: queued, running, done, failed"
    )
    error: str = Field(description="why nothing can come of it, with line and column")
    study: UUID | None = Field(description="that came of it")
    results: ReadingOut | None
    groups: list[GroupOut] = Field(description="of a configuration: one of them becomes a study")
    report: list[Context] = Field(description="of a configuration: taken, changed, left out, by line")


class DoneOut(Schema):
    study: UUID | None = Field(description="null while a configuration is being imported: look again")


def _draft(request: HttpRequest, draft_id: UUID) -> ImportDraft:
    return get_object_or_404(ImportDraft, pk=draft_id, owner=request.auth)  # type: ignore[attr-defined]


def _described(draft: ImportDraft, choices: dict[str, str]) -> Context:
    shown: Context = {
        "id": draft.pk,
        "name": draft.name,
        "kind": draft.kind,
        "status": draft.status,
        "error": draft.error,
        "study": draft.study_id,
        "results": None,
        "groups": [],
        "report": [line.to_json() for line in draft.choices.report],
    }
    if draft.study_id or draft.status in (ImportDraft.Status.QUEUED, ImportDraft.Status.RUNNING):
        return shown
    try:
        if draft.kind == ImportDraft.Kind.CONFIGURATION:
            shown |= _configuration(configuring.configuration_of(draft))
        else:
            shown["results"] = _results(draft, choices)
    except Refusal as problem:  # of a file that is kept: the answer says what can be done with it
        shown["error"] = str(problem)
    return shown


def _configuration(found: Configuration) -> Context:
    groups = [
        {
            "key": group.key,
            "method": group.method,
            "pages": [page.id for page in group.pages],
            "systems": list(group.systems),
        }
        for group in found.groups
    ]
    notes = sorted(found.notes, key=lambda note: note.line)
    report = [{"kind": note.kind, "line": note.line, "text": note.text} for note in notes]
    return {"groups": groups, "report": report}


def _results(draft: ImportDraft, choices: dict[str, str]) -> Context:
    reading, scores = drafts.read_draft(draft, choices)
    methods = methods_of(reading)
    notes = [note for note in (scale_note(reading, methods[0]),) if note]
    return {
        "title": reading.title,
        "reason": reading.reason,
        "methods": methods,
        "listeners": len(reading.assessors),
        "items": list(reading.items),
        "systems": suggest(reading.systems),
        "answers": len(reading.grades) + len(reading.verdicts),
        "scale": list(reading.scale or ()),
        "personal": personal_questions(reading),
        "metrics": list(scores.metrics) if scores else [],
        "notes": [*notes, *reading.notes, *(scores.notes if scores else [])],
    }


@router.post(
    "/imports",
    response={201: ImportOut, 413: Problem, 422: Problem},
    openapi_extra=_BODY,
    summary="Send another tool's results or configuration",
)
def send_import(request: HttpRequest) -> Status[Context]:
    """Nothing is made before ``POST /imports/{id}``: look at what was read first."""
    check_length(request, 2 * settings.UPLOAD_MAX_BYTES)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    draft = drafts.keep(request.auth, file, request.FILES.get("extra"))  # type: ignore[attr-defined]
    return Status(201, _described(draft, {}))


@router.get("/imports/{uuid:draft_id}", response=ImportOut, summary="What is in a file that was sent")
def get_import(
    request: HttpRequest, draft_id: UUID, rule: str = "", attribute: str = "", kind: str = ""
) -> Context:
    return _described(_draft(request, draft_id), {"rule": rule, "attribute": attribute, "kind": kind})


@router.post(
    "/imports/{uuid:draft_id}",
    response={201: DoneOut, 202: DoneOut, 422: Problem},
    summary="Make a study of a file that was sent",
)
def finish_import(request: HttpRequest, draft_id: UUID, wanted: Decision) -> Status[Context]:
    """Of results at once (201); of a configuration in the background (202)."""
    draft = _draft(request, draft_id)
    if draft.kind == ImportDraft.Kind.CONFIGURATION:
        if draft.study_id is None:
            drafts.start_configuration(draft, wanted.name or draft.name.rsplit(".", 1)[0], wanted.group)
        return Status(202, {"study": draft.study_id})
    choices = {"rule": wanted.rule, "attribute": wanted.attribute, "kind": wanted.kind}
    method = wanted.method or methods_of(drafts.read_draft(draft, choices)[0])[0]
    name = wanted.name or draft.name.rsplit(".", 1)[0]
    study = drafts.import_results(draft, name, method, wanted.systems or {}, choices, wanted.keep_personal)
    return Status(201, {"study": study.pk})


@router.delete("/imports/{uuid:draft_id}", response={204: None}, summary="Forget a file that was sent")
def discard_import(request: HttpRequest, draft_id: UUID) -> Status[None]:
    drafts.discard(_draft(request, draft_id))
    return Status(204, None)
