"""Database queries on studies for pages, exports and the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404
from django.urls import reverse

from evaluation.access import Role, find, rows_for, usable_clips, with_roles
from evaluation.contexts import Context
from evaluation.models import Clip, Rendition
from evaluation.texts import clean_line
from evaluation.web.presentation import prefetch_results
from listening.kinds import COUNTED, HIDDEN
from listening.models import Item, Session, Stimulus, Study, Trial
from listening.study.removal import check_exists
from listening.study.versions import apply_version


def studies_of(user: Any) -> QuerySet[Study]:
    """The user's studies and those shared with them, newest first, each with the user's `role`.

    With counts of items and of real sessions: grading has begun, not begun yet, finished.
    """
    return _counted(with_roles(rows_for(user, Study), user))


def _counted(studies: QuerySet[Study]) -> QuerySet[Study]:
    sessions = Session.objects.filter(kind__in=COUNTED)
    counted = studies.select_related("owner").annotate(
        item_count=_count_of_study(Item.objects.filter(training=False)),
        started_count=_count_of_study(sessions.filter(Session.GRADING)),
        waiting_count=_count_of_study(sessions.filter(Session.NOT_GRADING_YET)),
        finished_count=_count_of_study(sessions.filter(finished__isnull=False)),
    )
    return counted.prefetch_related("preparation")  # for `Study.error`


def _count_of_study(rows: QuerySet[Any]) -> Coalesce:
    """How many of `rows` a study has. A subquery: a page of a long list counts for its own rows only."""
    counted = rows.filter(study=OuterRef("pk")).order_by().values("study").annotate(count=Count("pk"))
    return Coalesce(Subquery(counted.values("count")), 0)


def find_studies(user: Any, search: str = "", *, archived: bool = False) -> QuerySet[Study]:
    """Those of `studies_of` with `search` in their names, without or only those that were archived."""
    return studies_of(user).filter(name__icontains=clean_line(search), archived__isnull=not archived)


def study_of(user: Any, study_id: UUID, least: Role = Role.VIEWER, *, counted: bool = False) -> Study:
    """The study with this id and the user's `role`, if they have that role on it.

    Only if it is to be `counted`, with the counts of `studies_of`, which take longer than the rest.

    Raises:
        Http404: there is none, or it is not shared with them.
        Forbidden: their role is lower.
    """
    studies = Study.objects.select_related("owner")
    return find(user, _counted(studies) if counted else studies, least, pk=study_id)


def listener_url(study: Study) -> str:
    """The absolute URL of the link for listeners."""
    return f"{settings.SITE_URL}{reverse('join', args=[study.token])}"


def listed_studies() -> QuerySet[Study]:
    """Open studies that their owners show on the front page."""
    return Study.objects.filter(status=Study.Status.OPEN, listed=True, pilot=False)


def front_clip() -> Clip | None:
    """The public clip with the fewest unfinished renditions; the oldest of several.

    The oldest, so that visitors see the same clip while others are added.
    """
    rest = Count("renditions", filter=~Q(renditions__status=Rendition.Status.DONE))
    done = Count("renditions", filter=Q(renditions__status=Rendition.Status.DONE))
    public = prefetch_results(Clip.objects.filter(public=True))
    clips = public.annotate(done=done, rest=rest).filter(done__gt=0)
    return clips.order_by("rest", "created", "id").first()


def clips_for_study(user: Any) -> QuerySet[Clip]:
    """Clips that the user can put in a study, with a finished rendition."""
    done = Rendition.objects.filter(clip=OuterRef("pk"), status=Rendition.Status.DONE)
    return usable_clips(user).filter(Exists(done))


def unready_clips(user: Any) -> QuerySet[Clip]:
    """Clips that the user will be able to put in a study: no rendition is finished yet."""
    renditions = Rendition.objects.filter(clip=OuterRef("pk"))
    under_way = renditions.filter(status__in=Rendition.UNFINISHED)
    done = renditions.filter(status=Rendition.Status.DONE)
    return usable_clips(user).filter(Exists(under_way), ~Exists(done))


def systems_of_clips(clips: Iterable[Clip]) -> dict[UUID, set[str]]:
    """The systems that have processed each of `clips`."""
    found: dict[UUID, set[str]] = {}
    done = Rendition.objects.filter(clip__in=list(clips), status=Rendition.Status.DONE)
    for clip, system in done.values_list("clip", "system"):
        found.setdefault(clip, set()).add(system)
    return found


def clips_by_id(user: Any, ids: Iterable[UUID], study: Study | None = None) -> dict[UUID, Clip]:
    """Clips that the user can put in a study, or that `study` has, by id.

    Raises:
        Http404: the user may not use one of them.
    """
    wanted = set(ids)
    clips = Clip.objects.filter(pk__in=wanted)
    offered = Q(pk__in=usable_clips(user).values("pk"))
    if study is not None:
        offered |= Q(pk__in=study.items.exclude(clip=None).values("clip"))
    found = {clip.pk: clip for clip in clips.filter(offered)}
    if missing := wanted - set(found):
        raise Http404(f"There is no clip {min(missing)}.")
    return found


def heard_sounds(trial: Trial) -> list[str]:
    """Names, in the page, of the sounds that the listener has heard in this trial."""
    events = trial.events.filter(kind__in=["play", "switch"])
    return sorted({sound for event in events if isinstance(sound := event.detail.get("sound"), str)})


#: What the language of an answer depends on, beside the trial.
_OF_LANGUAGE = (
    "session__version",
    "session__language",
    "session__study__language",
    "session__study__other_languages",
    "session__study__version",
)


def session_of(token: str) -> Session:
    """The session whose link this is. Raises `Http404`, or `SessionGone` if it was deleted."""
    try:
        return apply_version(Session.objects.select_related("study", "assessor").get(token=token))
    except Session.DoesNotExist:
        check_exists(token)
        raise Http404("There is no such session.") from None


def trial_for_answer(token: str, position: int) -> Trial:
    """The trial with only the fields that checking an answer needs; saving reads it again under a lock.

    Raises `Http404`, or `SessionGone` if its session was deleted.
    """
    return _trial(token, position, "pk", "session__token", *_OF_LANGUAGE)


def _trial(token: str, position: int, *fields: str) -> Trial:
    """The trial of a session with only these fields. Raises as `trial_for_answer` does."""
    try:
        trials = Trial.objects.select_related("session__study").only(*fields)
        return trials.get(session__token=token, position=position)
    except Trial.DoesNotExist:
        check_exists(token)
        raise Http404("There is no such trial.") from None


def trial_stored(token: str, position: int) -> Trial:
    """The same with what `listening.session.stored` looks at; every page that is open asks for it again.

    Raises `Http404`, or `SessionGone` if its session was deleted.
    """
    fields = ("order", "comment", "finished", "session__token", "session__study__method")
    return _trial(token, position, *fields, *_OF_LANGUAGE)


def trial_for_sound(token: str, position: int) -> Trial:
    """The trial with only the fields that serving its sounds needs, which is the most frequent request.

    Raises `Http404`, or `SessionGone` if its session was deleted.
    """
    return _trial(token, position, "reference_key", "order", "item_id", "session__study__status")


def stimuli_count(study: Study) -> dict[str, int]:
    """The number of the study's stimuli that are rendered: ``done`` of ``total``."""
    stimuli = Stimulus.objects.filter(item__study=study)
    return {"done": stimuli.exclude(audio="").count(), "total": stimuli.count()}


def sessions_shown(study: Study, code: str = "") -> QuerySet[Session]:
    """Sessions in which grading has begun, newest first: of listeners whose codes have `code` in them.

    Simulated ones and previews are left out.
    """
    shown = study.sessions.filter(Session.GRADING).exclude(kind__in=[Session.Kind.SIMULATED, *HIDDEN])
    return (shown.filter(assessor__code__icontains=code) if code else shown).order_by("-number")


def session_rows(sessions: Iterable[Session]) -> list[Context]:
    """The progress of each of `sessions`, newest first."""
    counted = (
        Session.objects.filter(pk__in=[session.pk for session in sessions])
        .select_related("assessor")
        .annotate(
            trial_count=Count("trials", distinct=True),
            finished_count=Count("trials", filter=Q(trials__finished__isnull=False), distinct=True),
            rating_count=Count("trials__ratings", distinct=True),
            last_rating=Max("trials__ratings__updated"),
        )
        .order_by("-number")
    )
    return [
        {
            "id": session.pk,
            "number": session.number,
            "kind": session.kind,
            "version": session.version,
            "language": session.language,
            "assessor": session.assessor.code,
            "screened_out": session.screened_out,
            "completion_code": session.completion_code,
            "started": session.instructed,
            "finished": session.finished,
            "last": session.last_rating,
            "trials": session.trial_count,
            "done": session.finished_count,
            "ratings": session.rating_count,
        }
        for session in counted
    ]
