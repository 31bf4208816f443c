"""A researcher's home: what waits, what runs, what there is, and the next step of a newcomer."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Any

from django.contrib import messages
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role, jobs_for, rows_for
from evaluation.contexts import Context
from evaluation.http import answer_unchanged
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.web.guards import researcher_action, researcher_page
from evaluation.web.presentation import clips_at_work, count_progress, job_state
from evaluation.web.refusals import redirect_refusals
from evaluation.work.jobs import KINDS
from listening.demos import pages
from listening.kinds import COUNTED
from listening.models import Demo, DemoVersion, Session, Study, StudyJob
from listening.people import sharing
from listening.simulation.sample import NAME, find_contents, make_sample
from listening.study import selectors

#: Rows of each kind at most; the pages of studies, clips and demos have all.
MOST = 5
#: Shown by clip, since there are many of them.
_BY_CLIP = (Rendition, Score)


@researcher_page
def home(request: HttpRequest) -> HttpResponse:
    """What waits and runs; with ``since``, answers 204 if that still describes the clips at work."""
    user: Any = request.user
    busy_clips = _clips_at_work(user)
    since = " ".join([*(f"{clip.pk}:{clip.done}/{clip.total}" for clip in busy_clips), str(busy_clips.more)])
    if unchanged := answer_unchanged(request, since):
        return unchanged
    studies = selectors.find_studies(user)
    demos = pages.demos_of(user)
    sample = selectors.studies_of(user).filter(name=NAME, owner=user).first()
    failed, running = _jobs(user, sample)
    all_studies = studies.exclude(pk=sample.pk) if sample else studies
    shown = list(all_studies[: MOST + 1])
    has_clips = Clip.objects.filter(owner=user).exists()
    has_study = all_studies.filter(owner=user).exists()
    published = DemoVersion.objects.filter(demo__in=demos, status=Job.Status.DONE).exists()
    finished = Session.objects.filter(study__in=all_studies.filter(owner=user).values("pk"), kind__in=COUNTED)
    steps = [
        (has_clips, _("Upload a recording"), "clips"),
        (has_study, _("Build a study from it"), "study_new"),
        (finished.filter(finished__isnull=False).exists(), _("Send listeners the link"), "studies"),
        (published, _("Publish a demo page"), "demos"),
    ]
    context: Context = {
        "section": "home",
        "offers": sharing.offered_to(user),
        "failed": failed,
        "running": running,
        "busy_clips": busy_clips,
        "since": since,
        "news": _news(user),
        "full": _first(_full(studies)),
        "ready": _first(all_studies.filter(status=Study.Status.READY)),
        "drafts": _changed_demos(demos),
        "open": _first(studies.filter(status=Study.Status.OPEN)),
        "studies": shown[:MOST],
        "more_studies": len(shown) > MOST,
        "demos": [(demo, pages.published_version(demo)) for demo in demos[:MOST]],
        "sample": sample,
        "sample_job": _job_of(sample, "simulation_job"),
        "sample_preparing": _job_of(sample, "preparation"),
        "can_sample": sample is None and not shown and bool(find_contents(user)[0]),
        "steps": steps,
        "has_clips": has_clips,
        "next_step": next((name for done, _title, name in steps if not done), ""),
        # Who was invited to others' studies, and has nothing else, is not on the way to a study of their own.
        "newcomer": not (has_study and published) and (has_clips or has_study or not shown),
    }
    context["nothing_waits"] = not any(
        context[name] for name in ("failed", "news", "full", "ready", "drafts")
    )
    context["nothing_runs"] = not any(context[name] for name in ("running", "busy_clips", "open"))
    # Its card says so already.
    context["sample_runs"] = context["sample_job"] or context["sample_preparing"]
    return render(request, "listening/home.html", context)


class _First(list[Any]):
    """The first rows of a list, and how many more there are."""

    more = 0


def _first(rows: QuerySet[Any]) -> _First:
    found = _First(rows[: MOST + 1])
    if len(found) > MOST:
        found.pop()
        found.more = rows.count() - MOST
    return found


def _job_of(study: Study | None, name: str) -> Any:
    """The state of the sample's work, while it is not done."""
    row: Job | None = getattr(study, name, None) if study is not None else None
    return job_state(row) if row is not None and row.status != Job.Status.DONE else None


def _jobs(user: Any, sample: Study | None) -> tuple[list[Context], list[Context]]:
    """The user's failed work, and that under way; renditions and scores of a clip as one row.

    What is under way for the `sample` is left out: its own card shows it.
    """
    failed: list[Context] = []
    running: list[Context] = []
    for model in KINDS:
        if model in _BY_CLIP or not model.OWNER:
            continue
        rows = jobs_for(user, model, Role.EDITOR)
        own = Q(pk=sample.pk) if sample and issubclass(model, StudyJob) else Q(pk__in=())
        for chosen, found in (
            (rows.filter(status=Job.Status.FAILED), failed),
            (rows.filter(status__in=Job.UNFINISHED).exclude(own), running),
        ):
            for row in chosen[:MOST]:
                found.append({"title": str(row), "job": job_state(row), "address": row.get_absolute_url()})
    unmade = Rendition.objects.filter(status=Job.Status.FAILED, unavailable=False)
    unmeasured = Score.objects.filter(status=Job.Status.FAILED)
    broken = Q(pk__in=unmade.values("clip")) | Q(pk__in=unmeasured.values("rendition__clip"))
    first = list(rows_for(user, Clip, Role.EDITOR).filter(broken)[:MOST])  # counted later, for these alone
    clips = Clip.objects.filter(pk__in=[clip.pk for clip in first]).annotate(
        unmade=Count("renditions", filter=Q(renditions__in=unmade), distinct=True),
        unmeasured=Count("renditions__scores", filter=Q(renditions__scores__in=unmeasured), distinct=True),
    )
    failed += [{"clip": clip} for clip in clips.order_by("-created", "id")]
    return failed, running


def _clips_at_work(user: Any) -> _First:
    """Clips that systems are processing or that are being measured, with how many systems are done."""
    found = _first(clips_at_work(rows_for(user, Clip, Role.EDITOR)))
    order = [clip.pk for clip in found]
    found[:] = sorted(
        count_progress(Clip.objects.filter(pk__in=order)), key=lambda clip: order.index(clip.pk)
    )
    return found


def _news(user: Any) -> list[Context]:
    """Studies with sessions that were finished since yesterday, the latest first."""
    since = timezone.now() - timedelta(days=1)
    rows = Session.objects.filter(study__in=rows_for(user, Study), study__archived=None, kind__in=COUNTED)
    news = rows.filter(finished__gt=since).values("study").annotate(count=Count("pk"), last=Max("finished"))
    latest = list(news.order_by("-last")[:MOST])
    studies = Study.objects.in_bulk([row["study"] for row in latest])
    return [{"study": studies[row["study"]], "count": row["count"]} for row in latest]


def _full(studies: QuerySet[Study]) -> QuerySet[Study]:
    """Those of which as many have finished as were wanted, and which are still open."""
    wanted = studies.filter(status=Study.Status.OPEN, max_sessions__gt=0)
    return wanted.filter(finished_count__gte=F("max_sessions"))  # type: ignore[misc]  # an annotation


def _changed_demos(demos: QuerySet[Demo]) -> list[Demo]:
    """The first pages whose drafts are not what visitors see."""
    versions = DemoVersion.objects.filter(demo=OuterRef("pk"), status=Job.Status.DONE).order_by("-number")
    published = demos.annotate(published=Subquery(versions.values("created")[:1]))
    # A draft that was not stored since then is the same. Of the others many may be, too.
    maybe = published.filter(Q(published=None) | Q(updated__gt=F("published")))
    return list(islice((demo for demo in maybe.iterator(chunk_size=20) if _is_changed(demo)), MOST))


def _is_changed(demo: Demo) -> bool:
    version = pages.published_version(demo)
    return version is None or version.content != demo.draft


@researcher_action
def sample(request: HttpRequest) -> HttpResponse:
    """Make the sample study, or show the one that there is."""
    user: Any = request.user
    with redirect_refusals(request, "home"):
        if make_sample(user) is not None:
            messages.success(request, _("The sample study is being made. Its grades are simulated."))
    return redirect("home")
