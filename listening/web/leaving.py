"""Deleting an account: what goes, what stays, and doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role, rows_for
from evaluation.clips.removal import remove_clip
from evaluation.models import Clip, OutputBatch, Rendition, UploadedSystem
from evaluation.outputs.batches import remove_batch, remove_system
from evaluation.refusals import Refusal
from listening.demos.publishing import delete_demo
from listening.interchange.imports.drafts import discard
from listening.models import Demo, ImportDraft, Study
from listening.people import mail
from listening.people.administration import check_not_last
from listening.people.merging import merge_clip
from listening.people.sharing import give_clip, hand_over
from listening.study.studies import delete_study


class CannotLeave(Refusal):
    """An account that others still depend on."""

    status = 409


@dataclass(frozen=True)
class Belongings:
    """What a person has here.

    Attributes:
        shared: their studies in which others share; they must be given away, or the others removed, first. An
            administrator who deletes the account of somebody else may have them handed over (`heir_of`).
        studies: number of their other studies, which are deleted with their sessions and grades.
        sessions: number of listeners' sessions in those.
        clips: number of their clips that no study of others uses; these are deleted.
        lent: number of their clips that others' studies use; they go to those studies' owners, unless these
            have the same recording, which then takes its place.
        demos: number of their demo pages, which disappear for everybody.
        systems: number of their own systems.
        elsewhere: number of other people's studies in which they share; these stay as they are.
    """

    shared: list[Study]
    studies: int
    sessions: int
    clips: int
    lent: int
    demos: int
    systems: int
    elsewhere: int


def _lent(user: User) -> list[Clip]:
    return list(
        Clip.objects.filter(owner=user, items__study__in=Study.objects.exclude(owner=user)).distinct()
    )


def _shared(user: User) -> list[Study]:
    return list(Study.objects.filter(owner=user, shares__isnull=False).distinct())


def find_belongings(user: User) -> Belongings:
    shared = _shared(user)
    own = Study.objects.filter(owner=user).exclude(pk__in=[study.pk for study in shared])
    lent = len(_lent(user))
    kept = Study.objects.exclude(pk__in=own.values("pk"))
    return Belongings(
        shared=shared,
        studies=own.count(),
        sessions=own.aggregate(n=Count("sessions"))["n"],
        clips=Clip.objects.filter(owner=user).exclude(items__study__in=kept).count(),
        lent=lent,
        demos=Demo.objects.filter(owner=user).count(),
        systems=UploadedSystem.objects.filter(owner=user).count(),
        elsewhere=rows_for(user, Study, Role.VIEWER).exclude(owner=user).count(),
    )


@transaction.atomic
def delete_account(user: User, *, hands_over: bool = False) -> None:
    """Delete an account with everything that is its owner's alone.

    Args:
        user: the account.
        hands_over: studies in which others share go to one of them; else they are refused.

    Raises:
        CannotLeave: others share in one of the studies.
        CannotAdminister: they are the last administrator of the site.
    """
    if hands_over:
        for study in _shared(user):
            hand_over(study)
    shared = _shared(user)
    if shared:
        names = ", ".join(f"“{study.name}”" for study in shared)
        raise CannotLeave(
            _("Others share in %(studies)s: give these studies away, or remove the others, first."),
            studies=names,
        )
    check_not_last(user)
    for study in Study.objects.filter(owner=user):
        delete_study(study)
    for demo in Demo.objects.filter(owner=user):
        delete_demo(demo)
    for draft in ImportDraft.objects.filter(owner=user):
        discard(draft)
    for batch in OutputBatch.objects.filter(owner=user):
        remove_batch(batch)
    for clip in _lent(user):
        _give(clip)
    for clip in Clip.objects.filter(owner=user):
        remove_clip(clip)
    for system in UploadedSystem.objects.filter(owner=user):
        used = Rendition.objects.filter(system=system.slug).select_related("clip__owner").first()
        if used is None:
            remove_system(system)
        else:  # of a clip that was given away
            _give_system(system, used.clip.owner)
    mail.forget_person(user)
    user.delete()


def _give(clip: Clip) -> None:
    """Give a clip to somebody whose study uses it; who has the same recording uses that instead."""
    users: list[Any] = list(
        User.objects.filter(studies__items__clip=clip).exclude(pk=clip.owner_id).distinct()
    )
    if not any(give_clip(clip, user) for user in users):
        for user in users:  # each of them has the same recording
            merge_clip(clip, user)


def _give_system(system: UploadedSystem, user: User) -> None:
    title, number = system.title, 2
    while UploadedSystem.objects.filter(owner=user, title=title).exists():
        title, number = f"{system.title[:90]} ({number})", number + 1
    UploadedSystem.objects.filter(pk=system.pk).update(owner=user, title=title)
