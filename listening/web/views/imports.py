"""Importing tests: upload a file, preview it, decide, create the study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from evaluation import systems
from evaluation.access import find_for, rows_for
from evaluation.contexts import Context
from evaluation.refusals import Refusal
from evaluation.web.guards import researcher_action, researcher_form
from evaluation.web.lists import page_of
from evaluation.web.presentation import job_state
from evaluation.web.refusals import show_refusals_on
from listening.columns.drafts import ReportLine
from listening.interchange.archive.read import is_archive, read_archive
from listening.interchange.imports import FORMATS, MAX_BYTES, ImportProblem, Reading, configuring
from listening.interchange.imports import drafts as services
from listening.interchange.imports.content import Note
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.results import CHOICES
from listening.interchange.imports.roles import consequences, suggest_for
from listening.interchange.imports.scores import Scores
from listening.interchange.imports.splitting import RULES
from listening.interchange.imports.storing import methods_of, personal_questions, scale_note
from listening.methods import METHODS
from listening.models import ImportDraft

#: What a choice asks, for people.
_QUESTIONS = {
    "rule": "Split names into item and system",
    "attribute": "Attribute",
    "kind": "Type of page",
    "test": "Test",
    "listener": "Column of listeners",
    "item": "Column of items",
    "system": "Column of systems",
    "score": "Column of grades",
}
#: What an empty choice means.
_NOTHING = {"test": "all of them as one", "attribute": "choose one"}
#: What answers to doubts about a configuration are called in its form, before their keys.
_ANSWER = "answer-"
#: Kinds of doubts, in the order of the page.
_DOUBTS = ("meaning", "system", "role", "text")


@researcher_form
def start(request: HttpRequest) -> HttpResponse:
    """The start page of imports. POST uploads a file, with an optional second file."""
    if request.method != "POST":
        return _start_page(request)
    with show_refusals_on(lambda refusal: _start_page(request, refusal)):
        return _take(request)


def _take(request: HttpRequest) -> HttpResponse:
    """Import an archive, or store another file as a draft."""
    file = request.FILES.get("file")
    if file is None:
        raise ImportProblem(_("No file arrived. Choose one."))
    if not is_archive(file):
        return redirect("import_draft", services.keep(request.user, file, request.FILES.get("extra")).pk)
    imported = read_archive(file, request.user)
    text = _("“%(study)s” has been imported, with everything in its archive.")
    messages.success(request, text % {"study": imported.study.name})
    for note in imported.notes:
        messages.info(request, note)
    return redirect("study", imported.study.pk)


def _start_page(request: HttpRequest, refusal: Refusal | None = None) -> HttpResponse:
    own = rows_for(request.user, ImportDraft)
    context = {
        "error": refusal or "",
        "formats": FORMATS,
        "drafts": page_of(request, own.filter(study=None), "waiting"),
        "reports": page_of(request, own.filter(study__isnull=False).select_related("study")),
        "max_megabytes": MAX_BYTES / 1e6,
        "section": "studies",
    }
    return render(request, "listening/import.html", context, status=refusal.status if refusal else 200)


@researcher_form
def draft(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The preview of a file. POST imports it."""
    if not ImportDraft.objects.filter(pk=draft_id).exists():
        return _show_gone(request)
    found = _draft(request, draft_id)
    if found.kind == ImportDraft.Kind.CONFIGURATION:
        return _configuration(request, found)
    return _results(request, found)


def _configuration(request: HttpRequest, found: ImportDraft) -> HttpResponse:
    """The preview of a configuration, the progress of its import, and the final report."""
    context: Context = {"draft": found, "section": "studies", "job": job_state(found)}
    if found.study_id:
        context |= {"report": _by_kind(found.choices.report)}
        return render(request, "listening/import_report.html", context)
    if request.method == "POST" and "preview" not in request.POST and not found.waiting:
        with show_refusals_on(lambda refusal: _configuration_page(request, found, context, refusal)):
            answers = _answers(request.POST)
            group, name = request.POST.get("group", ""), request.POST.get("name", "")
            _check_seen(request, configuring.plan_of(found, group, answers, strict=False))
            configuring.plan_of(found, group, answers).check()
            services.start_configuration(found, name, group, answers)
        return redirect("import_draft", found.pk)
    if request.method == "POST" and not found.waiting:
        services.keep_answers(
            found, _answers(request.POST), request.POST.get("name", ""), request.POST.get("group", "")
        )
        return redirect("import_draft", found.pk)
    if found.waiting:
        return render(request, "listening/import_progress.html", context)
    return _configuration_page(request, found, context)


def _configuration_page(
    request: HttpRequest, found: ImportDraft, context: Context, refusal: Refusal | None = None
) -> HttpResponse:
    """What an import by the given answers would make, with everything that the researcher may decide."""
    sent = request.POST if request.method == "POST" else request.GET
    group = sent.get("group", found.choices.group)
    answers = {**found.choices.answers, **_answers(sent)}
    try:
        plan = configuring.plan_of(found, group, answers, strict=False)
    except Refusal as problem:  # of a file that is kept: the page shows what can be done with it
        notes = getattr(problem, "notes", [])
        context |= {"error": str(refusal or problem), "report": _by_kind(notes) if notes else []}
        return render(
            request,
            "listening/import_configuration.html",
            context,
            status=refusal.status if refusal else 200,
        )
    chosen = plan.group.key if plan.group else ""
    context |= {
        "error": str(refusal or ""),
        "plan": plan,
        "groups": [
            {
                "key": each.key,
                "method": METHODS[each.method].title,
                "pages": each.pages,
                "systems": each.systems,
                "recordings": len(plan.configuration.paths(each)),
                "missing": [(path, why, line) for path, (why, line) in plan.missing[each.key].items()],
                "chosen": each.key == chosen,
            }
            for each in plan.groups
        ],
        "chosen": chosen,
        "doubts": {kind: [doubt for doubt in plan.doubts if doubt.kind == kind] for kind in _DOUBTS},
        "name": sent.get("name") or found.choices.name or plan.configuration.name,
        "report": _by_kind(plan.notes),
    }
    return render(
        request, "listening/import_configuration.html", context, status=refusal.status if refusal else 200
    )


def _check_seen(request: HttpRequest, plan: Plan) -> None:
    """Refuse answers of the form if they lead to other questions than it showed."""
    shown = set(request.POST.getlist("asked"))
    if shown and shown != {doubt.key for doubt in plan.doubts}:
        raise ImportProblem(
            _("What you chose changes what the file leaves open. Look at it again, then create the study.")
        )


def _answers(sent: QueryDict) -> dict[str, str]:
    """Answers to what a configuration leaves open, by key."""
    return {name.removeprefix(_ANSWER): sent.get(name, "") for name in sent if name.startswith(_ANSWER)}


def _by_kind(notes: Iterable[Note | ReportLine]) -> list[tuple[str, list[tuple[list[int], str]], int]]:
    """For each kind of notes its title, its texts with all their lines, and how many notes there are."""
    found = []
    ordered = sorted(notes, key=lambda note: note.line)
    for kind, title in (("left_out", "Left out"), ("changed", "Changed"), ("taken", "Taken")):
        texts: dict[str, list[int]] = {}
        count = 0
        for note in ordered:
            if note.kind == kind:
                count += 1
                lines = texts.setdefault(note.text, [])
                if note.line and note.line not in lines:
                    lines.append(note.line)
        found.append((title, [(lines, text) for text, lines in texts.items()], count))
    return found


def _results(request: HttpRequest, found: ImportDraft) -> HttpResponse:
    if request.method != "POST":
        kept = found.choices.answers
        named = {name: request.GET.get(name, kept.get(name, "")) for name in CHOICES}
        return _results_page(request, found, {**kept, **_answers(request.GET), **named})
    choices = {**_answers(request.POST), **{name: request.POST.get(name, "") for name in CHOICES}}
    if "preview" in request.POST:
        with show_refusals_on(lambda refusal: _results_page(request, found, choices, refusal)):
            try:
                services.read_draft(found, choices)
            except ImportProblem as problem:
                if not problem.options:  # else the preview asks again
                    raise
            services.keep_answers(found, choices)
        return redirect("import_draft", found.pk)
    mapping = dict(zip(request.POST.getlist("from"), request.POST.getlist("to"), strict=False))
    with show_refusals_on(lambda refusal: _results_page(request, found, choices, refusal)):
        study = services.import_results(
            found, request.POST.get("name", ""), request.POST.get("method", ""), mapping, choices,
            "keep_personal" in request.POST,
        )  # fmt: skip
    messages.success(request, _("“%(study)s” has been imported.") % {"study": study.name})
    return redirect("results", study.pk)


def _results_page(
    request: HttpRequest, found: ImportDraft, choices: dict[str, str], refusal: Refusal | None = None
) -> HttpResponse:
    """The preview of a results file, and the reason if it cannot be imported."""
    named = {name: choices[name] for name in CHOICES}
    context: Context = {"draft": found, "error": refusal or "", "section": "studies", "choices": named}
    try:
        reading, scores = services.read_draft(found, choices)
        context |= _preview(request, found, reading, scores)
        named |= {f"{_ANSWER}{doubt.key}": doubt.answer for doubt in reading.doubts}
    except Refusal as problem:  # of a file that is kept: the page shows what can be done with it
        context["error"] = refusal or problem
        context["questions_open"] = _questions(getattr(problem, "options", {}))
    return render(
        request, "listening/import_results.html", context, status=refusal.status if refusal else 200
    )


def _questions(options: Mapping[str, list[str]]) -> list[Context]:
    """The choices that a file leaves open, for the form: name, question, and values with their words."""
    return [
        {
            "name": name,
            "question": _QUESTIONS[name],
            "values": [
                (value, RULES[value] if name == "rule" else value or _NOTHING.get(name, "none"))
                for value in values
            ],
        }
        for name, values in options.items()
    ]


def _preview(request: HttpRequest, found: ImportDraft, reading: Reading, scores: Scores | None) -> Context:
    suggested = suggest_for(reading)
    sent = dict(zip(request.POST.getlist("from"), request.POST.getlist("to"), strict=False))
    mapping = {name: sent.get(name, suggested[name]) for name in reading.systems}
    method = request.POST.get("method") or methods_of(reading)[0]
    known = [
        (each.slug, "Hidden reference" if each.slug == "original" else each.title)
        for each in systems.systems_for(request.user)
    ]
    return {
        "reading": reading,
        "scores": scores,
        "name": request.POST.get("name") or found.name.rsplit(".", 1)[0],
        "methods": [(slug, METHODS[slug].title, slug == method) for slug in methods_of(reading)],
        "mapping": [
            {
                "name": name,
                "slug": mapping[name],
                "suggested": suggested[name] != name,
                "why": _why(reading, name),
            }
            for name in reading.systems
        ],
        "known": known,
        "consequences": consequences(mapping, method),
        "blanks": reading.blanks,
        "personal": personal_questions(reading),
        "keep_personal": "keep_personal" in request.POST,
        "questions": sorted({name for given in reading.answers.values() for name in given}),
        "scale_note": scale_note(reading, method),
        "questions_open": _questions(reading.options),
        "doubts": [doubt for doubt in reading.doubts if doubt.kind != "column"],
        "columns": [doubt for doubt in reading.doubts if doubt.kind == "column"],
        "answers": len(reading.grades) + len(reading.verdicts),
    }


def _why(reading: Reading, name: str) -> str:
    """Where the suggestion for a system comes from."""
    if name not in reading.roles:
        return "suggested by its name"
    answered = any(doubt.key.startswith("role:") and doubt.answer == f"is:{name}" for doubt in reading.doubts)
    return "by the answer to the question above" if answered else "said by the file's format"


@researcher_action
def discard(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    if ImportDraft.objects.filter(pk=draft_id).exists():
        services.discard(_draft(request, draft_id))
    return redirect("import")


def _draft(request: HttpRequest, draft_id: UUID) -> ImportDraft:
    return find_for(request, ImportDraft.objects.all(), pk=draft_id)


def _show_gone(request: HttpRequest) -> HttpResponse:
    """Answer whoever comes back to a draft, or sends it twice, after it was imported or discarded."""
    messages.info(request, _("This file is no longer here: it has been imported or discarded."))
    if "HX-Request" in request.headers:  # from the page of progress, which has not the start page's styles
        return HttpResponse(headers={"HX-Redirect": reverse("import")})
    return redirect("import")
