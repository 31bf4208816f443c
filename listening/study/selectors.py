"""Database queries on studies for pages, exports and the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.http import Http404
from django.urls import reverse

from evaluation.clips.access import visible_clips
from evaluation.contexts import Context
from evaluation.models import Clip, Rendition
from evaluation.web.presentation import prefetch_results
from listening.kinds import COUNTED
from listening.models import Session, Stimulus, Study, Trial
from listening.study.removal import check_there
from listening.study.versions import apply_version


def studies_of(user: Any) -> QuerySet[Study]:
    """The user's studies, newest first, with counts of items and of real sessions, started and finished."""
    counts = Q(sessions__kind__in=COUNTED)
    counted = Study.objects.filter(owner=user).annotate(
        item_count=Count("items", filter=Q(items__training=False), distinct=True),
        started_count=Count("sessions", filter=counts & Q(sessions__instructed__isnull=False), distinct=True),
        finished_count=Count("sessions", filter=counts & Q(sessions__finished__isnull=False), distinct=True),
    )
    counted = counted.prefetch_related("preparation")  # for `Study.error`
    return counted.order_by("-created", "id")  # Django drops a model's own order where it counts


def study_of(user: Any, study_id: UUID) -> Study:
    """The user's study with this id, as in `studies_of`. Raises `Http404` for any other."""
    try:
        return studies_of(user).get(pk=study_id)
    except Study.DoesNotExist:
        raise Http404("There is no such study.") from None


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
    """Clips that the user can put in a study: own and public clips with a finished rendition."""
    done = Rendition.objects.filter(clip=OuterRef("pk"), status=Rendition.Status.DONE)
    return visible_clips(user).filter(Exists(done))


def clips_by_id(user: Any, ids: Iterable[UUID]) -> dict[UUID, Clip]:
    """Own and public clips by id. Raises `Http404` if the user may not see one of them."""
    wanted = set(ids)
    found = {clip.pk: clip for clip in visible_clips(user).filter(pk__in=wanted)}
    if missing := wanted - set(found):
        raise Http404(f"There is no clip {min(missing)}.")
    return found


def heard_sounds(trial: Trial) -> list[str]:
    """Names, in the page, of the sounds that the listener has heard in this trial."""
    events = trial.events.filter(kind__in=["play", "switch"])
    return sorted({sound for event in events if isinstance(sound := event.detail.get("sound"), str)})


def session_of(token: str) -> Session:
    """The session whose link this is. Raises `Http404`, or `SessionGone` if it was deleted."""
    try:
        return apply_version(Session.objects.select_related("study", "assessor").get(token=token))
    except Session.DoesNotExist:
        check_there(token)
        raise Http404("There is no such session.") from None


def trial_for_answer(token: str, position: int) -> Trial:
    """The trial with only the fields that checking an answer needs; saving reads it again under a lock.

    Raises `Http404`, or `SessionGone` if its session was deleted.
    """
    trials = Trial.objects.select_related("session__study").only(
        *("pk", "session__token", "session__version"),
        *("session__study__language", "session__study__version"),
    )
    try:
        return trials.get(session__token=token, position=position)
    except Trial.DoesNotExist:
        check_there(token)
        raise Http404("There is no such trial.") from None


def trial_stored(token: str, position: int) -> Trial:
    """The same with what `listening.session.stored` looks at; every page that is open asks for it again.

    Raises `Http404`, or `SessionGone` if its session was deleted.
    """
    trials = Trial.objects.select_related("session__study").only(
        *("order", "comment", "finished", "session__token", "session__version"),
        *("session__study__method", "session__study__language", "session__study__version"),
    )
    try:
        return trials.get(session__token=token, position=position)
    except Trial.DoesNotExist:
        check_there(token)
        raise Http404("There is no such trial.") from None


def trial_for_sound(token: str, position: int) -> Trial:
    """The trial with only the fields that serving its sounds needs, which is the most frequent request.

    Raises `Http404`.
    """
    trials = Trial.objects.select_related("session__study").only(
        "reference_key", "order", "item_id", "session__study__status"
    )
    try:
        return trials.get(session__token=token, position=position)
    except Trial.DoesNotExist:
        raise Http404("There is no such trial.") from None


def stimuli_count(study: Study) -> dict[str, int]:
    """The number of the study's stimuli that are rendered: ``done`` of ``total``."""
    stimuli = Stimulus.objects.filter(item__study=study)
    return {"done": stimuli.exclude(audio="").count(), "total": stimuli.count()}


def session_rows(study: Study) -> list[Context]:
    """The progress of each session that has passed the instructions, newest first, without simulated ones."""
    sessions = (
        study.sessions.exclude(instructed=None)
        .exclude(kind=Session.Kind.SIMULATED)
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
        for session in sessions
    ]
