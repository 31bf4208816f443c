"""Imports of other tools' files in the API: upload, preview, decide, create the study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from evaluation.access import find_for, viewer
from evaluation.contexts import Context
from evaluation.refusals import Refusal, translate_note
from evaluation.web.multipart import file_field, multipart_body
from evaluation.web.problems import FileMissing, Problem, check_length
from evaluation.web.requests import Body, OneOf, UnknownKeys, check_form
from listening.columns.drafts import FoundRecording
from listening.interchange.imports import configuring, drafts
from listening.interchange.imports.content import Note
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.results import CHOICES
from listening.interchange.imports.roles import consequences, roles_of, suggest_for
from listening.interchange.imports.splitting import RULES
from listening.interchange.imports.storing import methods_of, personal_questions, scale_note
from listening.models import ImportDraft

router = Router(by_alias=True, tags=["imports"])

_BODY = multipart_body(
    file_field("results of another tool, or a webMUSHRA configuration"),
    extra=file_field("a table of scores, or a configuration's audio as a zip"),
)


RuleName = Annotated[str, OneOf(("", *RULES))]


class Choices(Body):
    """Choices that a results file may require; the preview's options list their values."""

    rule: RuleName = Field("", description="GoListen: how file names are split into item and system")
    attribute: str = Field("", description="attribute to import, if several were graded")
    kind: str = Field("", description="kind of test to import, if the file has several")
    test: str = Field("", description="id of the test to import, if the file has several; default: all")
    listener: str = Field("", description="a plain table: heading of the column of listeners")
    item: str = Field("", description="a plain table: heading of the column of items")
    system: str = Field("", description="a plain table: heading of the column of systems")
    score: str = Field("", description="a plain table: heading of the column of grades")


class Asked(Choices):
    answer: list[str] = Field(
        [], description="results: `key=value`, an answer to one of the preview's questions; may be repeated"
    )
    group: str = Field("", description="key of a configuration's group; default: the first")


class Decision(Choices):
    name: str = Field(
        "", description="name of the study; default: the file's name, or the configuration's `testname`"
    )
    method: str = Field("", description="one of the preview's methods; default: the first")
    systems: dict[str, str] | None = Field(
        None,
        description=(
            "what a system of the file is, by its name there: original (the hidden reference), anchor35, "
            "anchor70, a system of this site, or its own name; default: the preview's suggestion"
        ),
    )
    keep_personal: bool = Field(False, description="keep personal data (for example e-mail addresses)")
    group: str = Field("", description="key of a configuration's group; default: the first")
    answers: dict[str, str] = Field(
        {}, description="answers to the questions of the preview, by key; default: those of the preview"
    )


#: What only configurations take, and what they take like results.
_OF_CONFIGURATIONS, _OF_BOTH = frozenset({"group"}), frozenset({"name", "answers"})


class MissingOut(Schema):
    line: int
    listener: str
    item: str
    system: str


class RolesOut(Schema):
    """Names in the file of the systems with a role; several if it has another name in each item."""

    reference: list[str]
    low_anchor: list[str]
    mid_anchor: list[str]


class ReadingOut(Schema):
    title: str = Field(description="detected type of the file")
    reason: str
    methods: list[str]
    listeners: int
    items: list[str]
    systems: dict[str, str] = Field(description="suggested slugs by name in the file")
    roles: RolesOut = Field(description="which systems are suggested as reference and anchors")
    consequences: list[str] = Field(description="what follows from these roles for the results")
    answers: int = Field(description="number of grades or choices")
    missing: list[MissingOut] = Field(description="answers that are missing: NA, empty or the like")
    scale: list[float]
    personal: list[str] = Field(description="questions about personal data")
    metrics: list[str] = Field(description="metrics in the table of scores")
    options: dict[str, list[str]] = Field(
        description="what the file leaves open: values of each choice, the one taken first"
    )
    notes: list[str]


class GroupOut(Schema):
    key: str
    method: str
    pages: list[str]
    systems: list[str]


class OptionOut(Schema):
    value: str
    label: str
    consequence: str = Field(description="what the answer leads to; may be empty")


class QuestionOut(Schema):
    """Something that a file leaves open."""

    key: str
    line: int = Field(description="line of the file; 0: none")
    kind: str = Field(
        description="meaning of the file, column of a table, system, role of a page, or text for listeners"
    )
    text: str
    quoted: str = Field(description="the text of the file that it is about; may be empty")
    options: list[OptionOut]
    default: str = Field(description="value of the option that applies without an answer")
    answer: str = Field(description="value of the option that applies now")


class RecordingOut(Schema):
    path: str = Field(description="as the configuration has it")
    file: str = Field(description="its name in the zip")
    rate: int = Field(description="Hz")
    channels: int = Field(description="1 or 2; more are mixed down")
    seconds: float
    error: str = Field(description="why it cannot be used; may be empty")


class ImportOut(Schema):
    id: UUID
    name: str
    kind: str = Field(description="results or configuration")
    status: str = Field(description="status of a configuration's import: queued, running, done, failed")
    error: str = Field(description="why the file cannot be imported, with line and column")
    study: UUID | None = Field(description="the study created from it")
    results: ReadingOut | None
    options: dict[str, list[str]] = Field(
        default_factory=dict, description="choices that may let a file be read that could not be"
    )
    groups: list[GroupOut] = Field(description="groups of a configuration, one of which becomes a study")
    group: str = Field("", description="key of the group that the rest is about")
    questions: list[QuestionOut] = Field([], description="what the file leaves open")
    problems: list[str] = Field([], description="why a configuration's import would fail, with lines")
    recordings: list[RecordingOut] = Field([], description="a configuration's recordings in the zip")
    sample_rate: int | None = Field(None, description="of the study of a configuration, Hz")
    channels: int | None = Field(None, description="of the study of a configuration: 1 or 2")
    report: list[Context] = Field(
        description="report on a configuration: imported, changed, skipped, by line"
    )


class DoneOut(Schema):
    study: UUID | None = Field(description="null while a configuration is being imported: repeat the request")
    roles: RolesOut | None = Field(None, description="results: which systems are reference and anchors")
    consequences: list[str] = Field(
        default_factory=list, description="results: what follows from these roles for the results"
    )
    notes: list[str] = Field(default_factory=list, description="results: what was left out or assumed")


def _draft(request: HttpRequest, draft_id: UUID) -> ImportDraft:
    return find_for(request, ImportDraft.objects.all(), pk=draft_id)


def _describe(draft: ImportDraft, choices: dict[str, str], group: str = "") -> Context:
    shown: Context = {
        "id": draft.pk,
        "name": draft.name,
        "kind": draft.kind,
        "status": draft.status,
        "error": translate_note(draft.error),
        "study": draft.study_id,
        "results": None,
        "groups": [],
        "report": [line.to_json() for line in draft.choices.report],
    }
    if draft.study_id or draft.waiting:
        return shown
    try:
        if draft.kind == ImportDraft.Kind.CONFIGURATION:
            shown |= _describe_plan(draft, configuring.plan_of(draft, group or draft.choices.group))
        else:
            shown |= _describe_results(draft, choices)
    except Refusal as problem:  # the draft stays, so report the problem in the response
        shown |= {"error": str(problem), "options": getattr(problem, "options", {})}
        shown["report"] = _lines(getattr(problem, "notes", []))
    return shown


def _describe_plan(draft: ImportDraft, plan: Plan) -> Context:
    return {
        "groups": [
            {
                "key": group.key,
                "method": group.method,
                "pages": [page.id for page in group.pages],
                "systems": list(group.systems),
            }
            for group in plan.groups
        ],
        "group": plan.group.key if plan.group else "",
        "questions": [asdict(doubt) for doubt in plan.doubts],
        "problems": [str(problem) for problem in plan.problems],
        "recordings": [_describe_recording(found) for found in draft.choices.recordings or []],
        "sample_rate": plan.rate if plan.group else None,
        "channels": plan.channels if plan.group else None,
        "report": _lines(plan.notes),
    }


def _describe_recording(found: FoundRecording) -> RecordingOut:
    return RecordingOut(
        path=found.path,
        file=found.file,
        rate=found.rate,
        channels=found.channels,
        seconds=round(found.seconds, 3),
        error=found.error,
    )


def _lines(notes: Iterable[Note]) -> list[Context]:
    ordered = sorted(notes, key=lambda note: note.line)
    return [{"kind": note.kind, "line": note.line, "text": note.text} for note in ordered]


def _describe_results(draft: ImportDraft, choices: dict[str, str]) -> Context:
    reading, scores = drafts.read_draft(draft, choices)
    reading.check_answers(key for key in choices if key not in CHOICES)
    methods, suggested = methods_of(reading), suggest_for(reading)
    notes = [note for note in (scale_note(reading, methods[0]),) if note]
    results = {
        "title": reading.title,
        "reason": reading.reason,
        "methods": methods,
        "listeners": len(reading.assessors),
        "items": list(reading.items),
        "systems": suggested,
        "roles": roles_of(suggested),
        "consequences": consequences(suggested, methods[0]),
        "missing": [
            {"line": row.line, "listener": row.assessor, "item": row.item, "system": row.system}
            for row in reading.blanks
        ],
        "options": reading.options,
        "answers": len(reading.grades) + len(reading.verdicts),
        "scale": list(reading.scale or ()),
        "personal": personal_questions(reading),
        "metrics": list(scores.metrics) if scores else [],
        "notes": [*notes, *reading.notes, *(scores.notes if scores else [])],
    }
    return {"results": results, "questions": [asdict(doubt) for doubt in reading.doubts]}


@router.post(
    "/imports",
    response={201: ImportOut, 413: Problem, 422: Problem},
    openapi_extra=_BODY,
    summary="Upload another tool's results or configuration",
)
def send_import(request: HttpRequest) -> Status[Context]:
    """Nothing is imported until ``POST /imports/{id}``: review the preview first."""
    check_length(request, 2 * settings.UPLOAD_MAX_BYTES)
    check_form(request)
    file = request.FILES.get("file")
    if file is None:
        raise FileMissing
    draft = drafts.keep(viewer(request), file, request.FILES.get("extra"))
    return Status(201, _describe(draft, {}))


@router.get("/imports/{uuid:draft_id}", response=ImportOut, summary="Preview of an uploaded file")
def get_import(request: HttpRequest, draft_id: UUID, asked: Query[Asked]) -> Context:
    draft = _draft(request, draft_id)
    _check_keys(draft, asked)
    pairs = [one.rpartition("=") for one in asked.answer]
    answers = {key: value for key, _mark, value in pairs if key not in CHOICES}
    if len(answers) < len(pairs) or "" in answers:
        raise UnknownKeys.of(["answer"], {"answer=key:…=value", *CHOICES})
    return _describe(draft, {**asked.dict(include=set(CHOICES)), **answers}, asked.group)


@router.post(
    "/imports/{uuid:draft_id}",
    response={201: DoneOut, 202: DoneOut, 422: Problem},
    summary="Create a study from an uploaded file",
)
def finish_import(request: HttpRequest, draft_id: UUID, wanted: Decision) -> Status[Context]:
    """Results are imported at once (201), a configuration in the background (202).

    A configuration with problems is refused (422), and nothing is made.
    """
    draft = _draft(request, draft_id)
    _check_keys(draft, wanted)
    if draft.kind == ImportDraft.Kind.CONFIGURATION:
        if draft.study_id is None and not draft.waiting:
            configuring.plan_of(draft, wanted.group, wanted.answers).check()
            drafts.start_configuration(draft, wanted.name, wanted.group, wanted.answers)
        return Status(202, {"study": draft.study_id})
    answers = {key: value for key, value in wanted.answers.items() if key not in CHOICES}
    choices = {**wanted.dict(include=set(CHOICES)), **answers}
    reading = drafts.read_draft(draft, choices)[0]
    reading.check_answers(wanted.answers)
    method = wanted.method or methods_of(reading)[0]
    name = wanted.name or draft.name.rsplit(".", 1)[0]
    study = drafts.import_results(draft, name, method, wanted.systems or {}, choices, wanted.keep_personal)
    imported = study.imported
    return Status(
        201,
        {
            "study": study.pk,
            "roles": roles_of(imported.systems),
            "consequences": imported.consequences,
            "notes": imported.notes,
        },
    )


def _check_keys(draft: ImportDraft, wanted: Choices) -> None:
    """Refuse what only files of the other kind take."""
    configuration = draft.kind == ImportDraft.Kind.CONFIGURATION
    fields = type(wanted).model_fields
    of_both = _OF_BOTH & set(fields)
    known = of_both | _OF_CONFIGURATIONS if configuration else set(fields) - _OF_CONFIGURATIONS
    usual = {name: field.default for name, field in fields.items()}
    if unknown := {key for key in wanted.model_fields_set - known if getattr(wanted, key) != usual[key]}:
        raise UnknownKeys.of(sorted(unknown), known)


@router.delete("/imports/{uuid:draft_id}", response={204: None}, summary="Discard an uploaded file")
def discard_import(request: HttpRequest, draft_id: UUID) -> Status[None]:
    drafts.discard(_draft(request, draft_id))
    return Status(204, None)
