"""An author's demo pages: the list, the editor with its preview, publishing."""

from __future__ import annotations

from itertools import islice
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext as _

from evaluation.access import Role, rows_for, usable_clips
from evaluation.contexts import Context
from evaluation.metrics import DEFAULT, METRICS
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.refusals import Refusal
from evaluation.systems import order, titles_of
from evaluation.web.guards import researcher_action, researcher_form, researcher_page
from evaluation.web.lists import ROWS, page_of, searched
from evaluation.web.presentation import job_state
from evaluation.web.refusals import answers_json, redirect_refusals
from listening.columns.demos import DemoContent
from listening.delivery import files
from listening.demos import pages
from listening.demos.drafts import new_demo, open_studies_with, parse_content, save_draft
from listening.demos.facts import RATE, find_problems, gather_facts, problem_of_study, why_no_grades
from listening.demos.publishing import SOUND_TYPE, cut_sound, delete_demo, flac_of, publish
from listening.models import Demo, MadeFile, Study
from listening.web.access import study_for
from listening.web.forms.demo import read_content, write_authors
from listening.web.security import allow_sources

#: Larger exports are kept on disk while they are sent.
_IN_MEMORY = 8_000_000


@researcher_page
def demos(request: HttpRequest) -> HttpResponse:
    page = page_of(request, pages.demos_of(request.user))
    rows = [{"demo": demo, "version": pages.published_version(demo)} for demo in page]
    return render(request, "listening/demos/list.html", {"rows": rows, "page": page, "section": "demos"})


@researcher_action
def create(request: HttpRequest) -> HttpResponse:
    """Make a page of the clip or the study that was sent, or an empty one, and go on to edit it."""
    clip, study = None, None
    if wanted := request.POST.get("clip"):
        clip = _clip(request, wanted)
        if clip is None:
            raise Http404("There is no such clip.")
    if wanted := request.POST.get("study"):
        study = study_for(request, _uuid(wanted))
    return redirect("demo_edit", new_demo(request.user, clip, study).pk)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404("That is no id.") from None


def _clip(request: HttpRequest, text: str) -> Clip | None:
    return usable_clips(request.user).filter(pk=_uuid(text)).first()


@researcher_form
def edit(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    """The editor; POST stores the draft, and obeys its buttons."""
    demo = pages.demo_of(request.user, demo_id)
    if request.method == "POST":
        with redirect_refusals(request, "demo_edit", demo.pk):
            _save(request, demo)
            if "publish" in request.POST:
                _publish(request, demo)
        place = "#recordings" if _moves(request, "recording", "clip") else ""
        place = "#systems" if _moves(request, "system") else place
        return redirect(reverse("demo_edit", args=[demo.pk]) + place)
    response = render(request, "listening/demos/edit.html", _editor_context(request, demo))
    allow_sources(response, frame_src=["'self'"])
    return response


def _moves(request: HttpRequest, *names: str) -> bool:
    return any(request.POST.get(f"{verb}_{name}") for verb in ("add", "raise", "remove") for name in names)


def _save(request: HttpRequest, demo: Demo) -> DemoContent:
    content = parse_content(read_content(request.POST, lambda text: _clip(request, text)))
    save_draft(demo, content)
    return content


def _publish(request: HttpRequest, demo: Demo) -> None:
    wanted = request.POST.get("visibility", demo.visibility)
    last = demo.versions.first()
    with transaction.atomic():
        version = publish(demo)  # first: a page that is refused stays as hidden as it was
        if wanted in Demo.Visibility.values:
            demo.visibility = wanted
            demo.save(update_fields=["visibility"])
    if last is not None and version.pk == last.pk and version.status == Job.Status.DONE:
        messages.info(
            request, _("Nothing has changed since version %(number)s.") % {"number": version.number}
        )


@researcher_action
@answers_json
def save(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    """Store the draft while it is being written; answers what is missing before it can be published."""
    demo = pages.demo_of(request.user, demo_id)
    content = _save(request, demo)
    return JsonResponse({"problems": _problem_rows(find_problems(content, demo.owner))})


@researcher_page
def preview(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    """The page as the draft has it, for the editor's frame."""
    demo = pages.demo_of(request.user, demo_id)

    def address_of(position: int, system: str) -> str:
        return reverse("demo_draft_sound", args=[demo.pk, position, system])

    facts = gather_facts(demo.draft, demo.owner)
    context = pages.page_context(demo.draft, facts, address_of)
    context["level_note"] = _(
        "In this preview every sound is as loud as its system made it; publishing matches them in loudness."
    )
    context["why_no_grades"] = "" if facts.grades else why_no_grades(demo.draft, demo.owner)
    response = render(request, "listening/demos/preview.html", context)
    allow_sources(response, frame_ancestors=["'self'"])
    return response


@researcher_page
def draft_sound(request: HttpRequest, demo_id: UUID, position: int, system: str) -> HttpResponse:
    """A sound of the draft: cut, but as loud as its system made it."""
    demo = pages.demo_of(request.user, demo_id)
    shown = [row for row in demo.draft.recordings if _clip(request, row.clip) is not None]
    if position >= len(shown):
        raise Http404("There is no such sound.")
    clip = get_object_or_404(usable_clips(request.user), pk=shown[position].clip)
    made = clip.renditions.filter(system=system, status=Rendition.Status.DONE)
    if system != "original" and not made.exists():
        raise Http404("There is no such sound.")
    audio = cut_sound(clip, shown[position], system)
    response = HttpResponse(flac_of(audio, clip.rate), content_type=SOUND_TYPE)
    response["Cache-Control"] = "private, max-age=600"
    return response


@researcher_page
def export(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    """Have a worker pack the published page as a zip."""
    demo = pages.demo_of(request.user, demo_id)
    if pages.published_version(demo) is None:
        raise Http404("Nothing is published yet.")
    return redirect(files.ask_for(request.user, MadeFile.Kind.DEMO, demo))  # type: ignore[arg-type]


@researcher_action
def change_visibility(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    demo = pages.demo_of(request.user, demo_id)
    wanted = request.POST.get("visibility", "")
    if wanted not in Demo.Visibility.values:
        raise Refusal(_("A page is private, unlisted or public."))
    demo.visibility = wanted
    demo.save(update_fields=["visibility"])
    return redirect("demo_edit", demo.pk)


@researcher_action
def delete(request: HttpRequest, demo_id: UUID) -> HttpResponse:
    demo = pages.demo_of(request.user, demo_id)
    title = str(demo)
    delete_demo(demo)
    messages.success(request, _("“%(title)s” has been deleted, with all its versions.") % {"title": title})
    return redirect("demos")


def _problem_rows(problems: dict[str, str]) -> list[Context]:
    """Problems with the elements of the editor that they are about."""
    return [{"at": path.replace(".", "-"), "message": message} for path, message in problems.items()]


def _editor_context(request: HttpRequest, demo: Demo) -> Context:
    content = demo.draft
    clips = {
        str(clip.pk): clip
        for clip in usable_clips(request.user).filter(pk__in=[row.clip for row in content.recordings])
    }
    last = demo.versions.first()
    version = pages.published_version(demo)
    problems = find_problems(content, demo.owner)
    return {
        "section": "demos",
        "demo": demo,
        "content": content,
        "authors": write_authors(content),
        "sections": [*content.sections, {"heading": "", "text": "", "above": False}],
        "recordings": [
            {
                "row": row,
                "clip": clips.get(row.clip),
                "licence_problem": problems.get(f"recordings.{n}.licence"),
            }
            for n, row in enumerate(content.recordings)
        ],
        "clips": usable_clips(request.user).exclude(pk__in=clips)[:ROWS],
        "systems": _system_rows(content, clips),
        "most": ROWS,
        "measures": _measure_rows(content, clips),
        "studies": _studies_on_offer(request, content),
        "problems": _problem_rows(problems),
        "open_studies": open_studies_with(content),
        "can_voice": settings.OWN_VOICE,
        "version": version,
        "changed": version is None or version.content != content,
        "job": job_state(last) if last is not None and last.status != Job.Status.DONE else None,
        "visibilities": [
            ("private", _("Private"), _("only you")),
            ("unlisted", _("Unlisted"), _("whoever has the link")),
            ("public", _("Public"), _("in the gallery")),
        ],
        "address": request.build_absolute_uri(reverse("demo", args=[demo.token])),
        "script_address": request.build_absolute_uri(static("js/demo/element.js")),
        "embed_address": request.build_absolute_uri(reverse("demo_embed", args=[demo.token])),
    }


def _system_rows(content: DemoContent, clips: dict[str, Clip]) -> list[Context]:
    """Systems in the page's order, then others that have processed one of its recordings."""
    made = Rendition.objects.filter(clip__in=clips.values(), status=Job.Status.DONE)
    others = {"original", *made.values_list("system", flat=True)} - set(content.systems)
    slugs = [*content.systems, *sorted(others, key=order)]
    titles = titles_of(slugs)
    return [{"slug": slug, "title": titles[slug], "chosen": slug in content.systems} for slug in slugs]


def _measure_rows(content: DemoContent, clips: dict[str, Clip]) -> list[Context]:
    """The measured rate, and every metric by which one of the recordings has a score."""
    # By their ids: with a join, a database may read the scores of all clips.
    renditions = list(Rendition.objects.filter(clip__in=clips.values()).values_list("pk", flat=True))
    scores = Score.objects.filter(rendition__in=renditions, status=Job.Status.DONE)
    found = set(scores.values_list("metric", flat=True)) | set(content.measures) | set(DEFAULT)
    rows: list[Context] = [
        {"slug": RATE, "title": _("Measured bit rate"), "chosen": RATE in content.measures}
    ]
    rows += [
        {"slug": slug, "title": metric.title, "chosen": slug in content.measures}
        for slug, metric in METRICS.items()
        if slug in found
    ]
    return rows


def _studies_on_offer(request: HttpRequest, content: DemoContent, search: str = "") -> list[Study]:
    """Studies whose grades the page can show, the newest first, and the one that it shows."""
    own = rows_for(request.user, Study, Role.EDITOR)  # whose grades they may publish
    closed = own.filter(status=Study.Status.CLOSED, name__icontains=search)
    fitting = (study for study in closed.iterator(chunk_size=ROWS) if not problem_of_study(study))
    rows = list(islice(fitting, ROWS))
    if content.study and all(str(study.pk) != content.study for study in rows):
        rows += own.filter(pk=content.study)
    return rows


@researcher_page
def options(request: HttpRequest, demo_id: UUID, what: str) -> HttpResponse:
    """The options of one of the editor's long lists, ``clips`` or ``studies``, that a search finds."""
    content = pages.demo_of(request.user, demo_id).draft
    context: Context = {"what": what, "content": content, "search": searched(request)}
    if what == "clips":
        there = [row.clip for row in content.recordings]
        clips = usable_clips(request.user).filter(title__icontains=searched(request)).exclude(pk__in=there)
        context["clips"] = clips[:ROWS]
    else:
        context["studies"] = _studies_on_offer(request, content, str(context["search"]))
    return render(request, "listening/demos/_options.html", context)
