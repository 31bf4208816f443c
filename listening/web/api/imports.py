"""Imports of other tools' files in the API: upload, preview, decide, create the study."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from evaluation.contexts import Context
from evaluation.refusals import Refusal
from evaluation.web.multipart import file_field, multipart_body
from evaluation.web.problems import FileMissing, Problem, check_length
from listening.interchange.imports import configuring, drafts
from listening.interchange.imports.configuration import Configuration
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.storing import methods_of, personal_questions, scale_note
from listening.models import ImportDraft

router = Router(tags=["imports"])

_BODY = multipart_body(
    file_field("results of another tool, or a webMUSHRA configuration"),
    extra=file_field("a table of scores, or a configuration's audio as a zip"),
)


class Choices(Schema):
    """Choices that a results file may require."""

    model_config = ConfigDict(extra="forbid")

    rule: str = Field("", description="GoListen: how file names are split into item and system")
    attribute: str = Field("", description="attribute to import, if several were graded")
    kind: str = Field("", description="kind of test to import, if the file has several")


class Decision(Choices):
    name: str = Field("", description="name of the study; default: the file's name")
    method: str = Field("", description="one of the preview's methods; default: the first")
    systems: dict[str, str] | None = Field(
        None, description="slugs by name in the file; default: the preview's suggestion"
    )
    keep_personal: bool = Field(False, description="keep personal data (for example e-mail addresses)")
    group: str = Field("", description="key of a configuration's group; default: the first")


class ReadingOut(Schema):
    title: str = Field(description="detected type of the file")
    reason: str
    methods: list[str]
    listeners: int
    items: list[str]
    systems: dict[str, str] = Field(description="suggested slugs by name in the file")
    answers: int = Field(description="number of grades or choices")
    scale: list[float]
    personal: list[str] = Field(description="questions about personal data")
    metrics: list[str] = Field(description="metrics in the table of scores")
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
    status: str = Field(description="status of a configuration's import: queued, running, done, failed")
    error: str = Field(description="why the file cannot be imported, with line and column")
    study: UUID | None = Field(description="the study created from it")
    results: ReadingOut | None
    groups: list[GroupOut] = Field(description="groups of a configuration, one of which becomes a study")
    report: list[Context] = Field(
        description="report on a configuration: imported, changed, skipped, by line"
    )


class DoneOut(Schema):
    study: UUID | None = Field(description="null while a configuration is being imported: repeat the request")


def _draft(request: HttpRequest, draft_id: UUID) -> ImportDraft:
    return get_object_or_404(ImportDraft, pk=draft_id, owner=request.auth)  # type: ignore[attr-defined]


def _describe(draft: ImportDraft, choices: dict[str, str]) -> Context:
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
            shown |= _describe_configuration(configuring.configuration_of(draft))
        else:
            shown["results"] = _describe_results(draft, choices)
    except Refusal as problem:  # the draft stays, so report the problem in the response
        shown["error"] = str(problem)
    return shown


def _describe_configuration(found: Configuration) -> Context:
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


def _describe_results(draft: ImportDraft, choices: dict[str, str]) -> Context:
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
    summary="Upload another tool's results or configuration",
)
def send_import(request: HttpRequest) -> Status[Context]:
    """Nothing is imported until ``POST /imports/{id}``: review the preview first."""
    check_length(request, 2 * settings.UPLOAD_MAX_BYTES)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    draft = drafts.keep(request.auth, file, request.FILES.get("extra"))  # type: ignore[attr-defined]
    return Status(201, _describe(draft, {}))


@router.get("/imports/{uuid:draft_id}", response=ImportOut, summary="Preview of an uploaded file")
def get_import(
    request: HttpRequest, draft_id: UUID, rule: str = "", attribute: str = "", kind: str = ""
) -> Context:
    return _describe(_draft(request, draft_id), {"rule": rule, "attribute": attribute, "kind": kind})


@router.post(
    "/imports/{uuid:draft_id}",
    response={201: DoneOut, 202: DoneOut, 422: Problem},
    summary="Create a study from an uploaded file",
)
def finish_import(request: HttpRequest, draft_id: UUID, wanted: Decision) -> Status[Context]:
    """Results are imported at once (201), a configuration in the background (202)."""
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


@router.delete("/imports/{uuid:draft_id}", response={204: None}, summary="Discard an uploaded file")
def discard_import(request: HttpRequest, draft_id: UUID) -> Status[None]:
    drafts.discard(_draft(request, draft_id))
    return Status(204, None)
