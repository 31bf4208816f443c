"""Mails about what happened: a study's first listener, all listeners finished, work that failed.

A task looks every minute at what happened lately, instead of hooks where it happens: nothing that saves a
grade waits for it, and what happened while it was away is told when it comes back. The key of a mail keeps it
from being queued twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db.models import Count, Max, Min, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from evaluation.access import Role, thing_for, thing_of
from evaluation.models import Clip, Job, Rendition
from evaluation.refusals import translate_note
from evaluation.work.jobs import KINDS
from listening.kinds import COUNTED
from listening.models import Mail, Profile, Share, Study
from listening.people import letters, mail

#: What happened longer ago is not told: mail may have been set up only now.
LATELY = timedelta(days=1)
_SALT = "listening.people.notices"


def tell_all() -> None:
    """Queue mails about everything that happened lately and was not told."""
    if not mail.is_ready():
        return
    mail.try_again()
    since = timezone.now() - LATELY
    _tell_of_first(since)
    _tell_of_full(since)
    for kind in KINDS:
        if kind.OWNER:
            _tell_of_failures(kind, since)


def _reachable_users() -> QuerySet[User]:
    """Who has an address and did not ask to be told nothing."""
    silent = Profile.objects.filter(notify=False).values("user")
    return User.objects.filter(is_active=True).exclude(email="").exclude(pk__in=silent)


def _editors_shares() -> QuerySet[Share]:
    """The shares of those who are told about a study as its owner is."""
    return Share.objects.filter(role__gte=Role.EDITOR)


def _readers(thing: Any) -> list[User]:
    """Who is told about a thing: its owner, and the editors of a study, unless they asked not to be."""
    who = Q(pk=thing.owner_id)
    if isinstance(thing, Study):
        who |= Q(shares__in=_editors_shares().filter(study=thing))
    return list(_reachable_users().filter(who).distinct())


def _tell(kind: str, thing: Any, key: str, path: str, **values: Any) -> None:
    for user in _readers(thing):
        letters.send_news(
            kind,
            user,
            f"{kind}:{thing.pk}:{key}:{user.pk}",
            f"{settings.SITE_URL}{path}",
            f"{settings.SITE_URL}{reverse('unsubscribe', args=[token_of(user)])}",
            name=str(thing),
            **values,
        )


def _tell_of_first(since: datetime) -> None:
    counted = Q(sessions__kind__in=COUNTED)
    began = Study.objects.annotate(first=Min("sessions__instructed", filter=counted))
    for study in began.filter(first__gt=since):
        _tell("first", study, "", reverse("study", args=[study.pk]))


def _tell_of_full(since: datetime) -> None:
    finished = Q(sessions__kind__in=COUNTED, sessions__finished__isnull=False)
    studies = Study.objects.exclude(max_sessions=None).annotate(
        done=Count("sessions", filter=finished), last=Max("sessions__finished", filter=finished)
    )
    for study in studies.filter(last__gt=since):
        if study.done >= (study.max_sessions or 0):
            where = reverse("study", args=[study.pk])
            _tell("full", study, str(study.max_sessions), where, count=study.max_sessions)


def _tell_of_failures(kind: type[Job], since: datetime) -> None:
    """One mail for each thing and day, however much of its work has failed."""
    path, model = thing_of(kind)
    of = path or "pk"
    people = _reachable_users()
    told = Q(**{f"{kind.OWNER}__in": people})
    if model is Study:
        told |= Q(**{f"{path}__shares__in": _editors_shares().filter(user__in=people)})
    rows = kind._default_manager.filter(status=Job.Status.FAILED, finished__gt=since)
    if kind is Rendition:
        rows = rows.filter(unavailable=False)  # type: ignore[misc]  # of renditions
    things = (
        rows.filter(told).order_by().values_list(of).annotate(first=Min("finished"), last=Max("finished"))
    )
    before = _told_of_failures(since)
    new = [
        (thing, day, moment)
        for thing, first, last in things
        for day, moment in {f"{last:%Y-%m-%d}": last, f"{first:%Y-%m-%d}": first}.items()
        if (str(thing), day) not in before
    ]
    rows = rows.select_related(path) if path else rows
    for thing_id, day, moment in sorted(new, key=lambda each: each[2])[:200]:
        row = rows.filter(**{of: thing_id}, finished=moment).first()
        if row is None:  # it has been started again since
            continue
        thing = thing_for(row)
        where = reverse("clip", args=[thing.pk]) if model is Clip else row.get_absolute_url()
        _tell("failed", thing, day, where, error=translate_note(row.error))


def _told_of_failures(since: datetime) -> set[tuple[str, str]]:
    """Things, by id, and days of whose failures somebody has been told."""
    keys = Mail.objects.filter(key__startswith="failed:", created__gt=since).values_list("key", flat=True)
    return {(thing, day) for key in keys if key for _, thing, day, _ in [key.split(":")]}


def token_of(user: User) -> str:
    """What proves that a link came in a mail to `user`; it ends mails and does nothing else."""
    return signing.dumps(user.pk, salt=_SALT)


def user_of(token: str) -> User | None:
    """The user to whom a mail with this token was sent."""
    try:
        return User.objects.filter(pk=signing.loads(token, salt=_SALT)).first()
    except signing.BadSignature:
        return None
