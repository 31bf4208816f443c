"""Importing tests: upload a file, preview it, decide, create the study."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _

from evaluation import systems
from evaluation.contexts import Context
from evaluation.outputs.matching import is_audio
from evaluation.refusals import Refusal
from evaluation.web.guards import researcher_action, researcher_form
from evaluation.web.presentation import job_state
from evaluation.web.refusals import show_refusals_on
from listening.columns.drafts import ReportLine
from listening.interchange.archive.read import is_archive, read_archive
from listening.interchange.imports import FORMATS, MAX_BYTES, ImportProblem, Reading, configuring
from listening.interchange.imports import drafts as services
from listening.interchange.imports.configuration import Note
from listening.interchange.imports.golisten import RULES
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.scores import Scores
from listening.interchange.imports.storing import methods_of, personal_questions, scale_note
from listening.methods import METHODS
from listening.models import ImportDraft

#: Choices that a format requires, as query parameters of the preview.
_CHOICES = ("rule", "attribute", "kind")


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
    context = {
        "error": refusal or "",
        "formats": FORMATS,
        "drafts": ImportDraft.objects.filter(owner_id=request.user.pk, study=None)[:10],
        "reports": ImportDraft.objects.filter(owner_id=request.user.pk, study__isnull=False)[:50],
        "max_megabytes": MAX_BYTES / 1e6,
        "section": "studies",
    }
    return render(request, "listening/import.html", context, status=refusal.status if refusal else 200)


@researcher_form
def draft(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """The preview of a file. POST imports it."""
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
    if request.method == "POST":
        services.start_configuration(found, request.POST.get("name", ""), request.POST.get("group", ""))
        return redirect("import_draft", found.pk)
    if found.waiting:
        return render(request, "listening/import_progress.html", context)
    try:
        configuration = configuring.configuration_of(found)
        with configuring.recordings_of(found) as inside:
            names = [member.name for member in inside if is_audio(member.name)]
    except Refusal as problem:  # of a file that is kept: the page shows what can be done with it
        context["error"] = str(problem)
        return render(request, "listening/import_configuration.html", context)
    groups = []
    for group in configuration.groups:
        paths = configuration.paths(group)
        _found, missing = configuring.locate(list(paths), names)
        groups.append(
            {
                "key": group.key,
                "method": METHODS[group.method].title,
                "pages": group.pages,
                "systems": group.systems,
                "recordings": len(paths),
                "missing": [(path, why, paths[path]) for path, why in missing.items()],
            }
        )
    context |= {
        "configuration": configuration,
        "groups": groups,
        "chosen": found.choices.group or groups[0]["key"],
        "name": found.choices.name or configuration.name,
        "report": _by_kind(configuration.notes),
    }
    return render(request, "listening/import_configuration.html", context)


def _by_kind(notes: Iterable[Note | ReportLine]) -> list[tuple[str, list[Note | ReportLine]]]:
    titles = (("taken", "Taken"), ("changed", "Changed"), ("left_out", "Left out"))
    ordered = sorted(notes, key=lambda note: note.line)
    return [(title, [note for note in ordered if note.kind == kind]) for kind, title in titles]


def _results(request: HttpRequest, found: ImportDraft) -> HttpResponse:
    sent = request.POST if request.method == "POST" else request.GET
    choices = {name: sent.get(name, "") for name in _CHOICES}
    if request.method != "POST":
        return _results_page(request, found, choices)
    mapping = dict(zip(request.POST.getlist("from"), request.POST.getlist("to"), strict=False))
    with show_refusals_on(lambda refusal: _results_page(request, found, choices, refusal)):
        study = services.import_results(
            found, request.POST.get("name", ""), request.POST.get("method", ""), mapping, choices,
            "keep_personal" in request.POST,
        )  # fmt: skip
    messages.success(request, _("“%(study)s” is imported.") % {"study": study.name})
    return redirect("results", study.pk)


def _results_page(
    request: HttpRequest, found: ImportDraft, choices: dict[str, str], refusal: Refusal | None = None
) -> HttpResponse:
    """The preview of a results file, and the reason if it cannot be imported."""
    context: Context = {"draft": found, "error": refusal or "", "section": "studies", "choices": choices}
    try:
        context |= _preview(request, found, *services.read_draft(found, choices))
    except Refusal as problem:  # of a file that is kept: the page shows what can be done with it
        context["error"] = refusal or problem
    return render(
        request, "listening/import_results.html", context, status=refusal.status if refusal else 200
    )


def _preview(request: HttpRequest, found: ImportDraft, reading: Reading, scores: Scores | None) -> Context:
    suggested = suggest(reading.systems)
    sent = dict(zip(request.POST.getlist("from"), request.POST.getlist("to"), strict=False))
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
            {"name": name, "slug": sent.get(name, suggested[name]), "suggested": suggested[name] != name}
            for name in reading.systems
        ],
        "known": known,
        "has_reference": "original" in suggested.values(),
        "personal": personal_questions(reading),
        "keep_personal": "keep_personal" in request.POST,
        "questions": sorted({name for given in reading.answers.values() for name in given}),
        "scale_note": scale_note(reading, method),
        "rules": RULES if reading.format == "golisten" else {},
        "answers": len(reading.grades) + len(reading.verdicts),
    }


@researcher_action
def discard(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    services.discard(_draft(request, draft_id))
    return redirect("import")


def _draft(request: HttpRequest, draft_id: UUID) -> ImportDraft:
    return get_object_or_404(ImportDraft, pk=draft_id, owner_id=request.user.pk)
