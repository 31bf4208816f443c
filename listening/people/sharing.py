"""A study shared with colleagues: invitations, roles, and the offer of a study to somebody else."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role
from evaluation.models import Clip
from evaluation.refusals import Refusal
from listening.models import Act, Demo, DemoVersion, Invitation, Share, Study, token_digest

#: How long an invitation may be open, days, and how long if nothing is said.
DAYS, USUAL_DAYS = (1, 7, 30, 90), 7
#: Invitations of one study that may be open at a time.
MOST_OPEN = 50
#: The act by which an heir got a study.
HANDED_OVER = "handed_over"
#: What roles are called in addresses, forms and the API.
ROLES = {"viewer": Role.VIEWER, "editor": Role.EDITOR}


class SharingProblem(Refusal):
    """An act of sharing that is refused."""

    status = 409


class InvitationGone(Refusal):
    """An invitation that is used up, revoked, expired, or never was one."""

    status = 410
    title = _("This invitation no longer works")

    def __init__(self) -> None:
        super().__init__(_("It has been used, revoked or has expired. Ask your colleague for a new one."))


def role_named(name: str) -> Role:
    """The role that a form or program names. Raises `Refusal`."""
    if name not in ROLES:
        raise Refusal.of_field("role", _("A colleague is a viewer or an editor."))
    return ROLES[name]


# -- Invitations


def _usable() -> Q:
    """The condition of those that still let somebody in."""
    return (Q(many=True) | Q(uses=0)) & Q(expires__gt=timezone.now())


def open_invitations(study: Study) -> QuerySet[Invitation]:
    """Those that still let somebody in, the newest first."""
    return study.invitations.filter(_usable())


def invite(study: Study, role: Role, *, many: bool = False, days: int = USUAL_DAYS) -> tuple[Invitation, str]:
    """Make an invitation; return it and its address, which is not known afterwards."""
    if days not in DAYS:
        raise Refusal.of_field(
            "days", _("An invitation is open for %(days)s days."), days=", ".join(map(str, DAYS))
        )
    if open_invitations(study).count() >= MOST_OPEN:
        raise SharingProblem(_("There are %(most)s open invitations: revoke one first."), most=MOST_OPEN)
    token = secrets.token_urlsafe(24)
    made = Invitation.objects.create(
        study=study,
        digest=token_digest(token),
        role=role,
        many=many,
        expires=timezone.now() + timedelta(days=days),
    )
    return made, f"{settings.SITE_URL}{reverse('invitation', args=[token])}"


def invitation_of(token: str) -> Invitation:
    """The open invitation with this link, of somebody who may sign in. Raises `InvitationGone`."""
    found = Invitation.objects.filter(_usable(), digest=token_digest(token), study__owner__is_active=True)
    invitation = found.select_related("study__owner").first()
    if invitation is None:
        raise InvitationGone
    return invitation


def accept(token: str, user: Any) -> Study:
    """Let `user` share in the study; who has a higher role keeps it, and uses nothing up.

    Raises:
        InvitationGone: also for the second of two people who use a link for one at the same time.
    """
    invitation = invitation_of(token)
    study = invitation.study
    if study.owner_id == user.pk or study.shares.filter(user=user, role__gte=invitation.role).exists():
        return study
    with transaction.atomic():
        if not Invitation.objects.filter(_usable(), pk=invitation.pk).update(uses=F("uses") + 1):
            raise InvitationGone
        Share.objects.update_or_create(study=study, user=user, defaults={"role": invitation.role})
    return study


def _revoke_links(study: Study, above: int = 0) -> int:
    """Revoke the links by which who has lost a role above `above` could have it back; return their number."""
    return open_invitations(study).filter(many=True, role__gt=above).delete()[0]


# -- People


@transaction.atomic
def change_role(study: Study, user: Any, role: Role) -> int:
    """Give somebody who shares in the study another role. Raises `SharingProblem`.

    Returns:
        number of invitations that are revoked, since they would undo it.
    """
    before = study.shares.select_for_update().filter(user=user).first()
    if before is None:
        raise SharingProblem(_("%(user)s does not share in this study."), user=user)
    study.shares.filter(pk=before.pk).update(role=role)
    return _revoke_links(study, role) if role < before.role else 0


@transaction.atomic
def end_share(study: Study, user: Any, *, leaves: bool = False) -> int:
    """Take somebody's role away. What they made of the study before stays theirs.

    Returns:
        number of invitations that are revoked, since they would undo it; none if `user` `leaves` of their
        own will.
    """
    study.shares.filter(user=user).delete()
    return 0 if leaves else _revoke_links(study)


# -- Giving away


@transaction.atomic
def offer(study: Study, user: Any) -> None:
    """Offer the study to somebody who shares in it; an earlier offer to anybody else ends."""
    Study.objects.select_for_update().get(pk=study.pk)  # one offer at a time
    if not study.shares.filter(user=user).exists():
        raise SharingProblem(_("%(user)s does not share in this study."), user=user)
    withdraw_offer(study)
    study.shares.filter(user=user).update(offered=timezone.now())


def withdraw_offer(study: Study) -> None:
    """End the offer, if there is one."""
    study.shares.exclude(offered=None).update(offered=None)


def offered_to(user: Any) -> QuerySet[Share]:
    """The studies that `user` has been offered and has not answered."""
    return Share.objects.filter(user=user).exclude(offered=None).select_related("study__owner")


def _offered(study: Study, user: Any) -> Share:
    """The share of who is offered the study. Raises `SharingProblem` if it is not offered to `user`."""
    share = study.shares.filter(user=user).exclude(offered=None).first()
    if share is None:
        raise SharingProblem(_("This study is not offered to you, or no longer."))
    return share


@transaction.atomic
def decline_offer(study: Study, user: Any) -> None:
    """Leave the study to its owner. Raises `SharingProblem` if nothing is offered."""
    now = Study.objects.select_for_update().get(pk=study.pk)
    _offered(now, user)
    withdraw_offer(now)


@transaction.atomic
def accept_offer(study: Study, user: Any) -> int:
    """Make `user` the owner, and the owner an editor. Raises `SharingProblem` if nothing is offered.

    Returns:
        number of the former owner's invitations that are revoked: the new one decides whom to invite.
    """
    now = Study.objects.select_for_update().get(pk=study.pk)
    _offered(now, user).delete()
    withdraw_offer(now)
    before = now.owner_id
    give_study(now, user)
    Share.objects.create(study=now, user_id=before, role=Role.EDITOR)
    return open_invitations(now).delete()[0]


@transaction.atomic
def give_study(study: Study, to: Any) -> None:
    """Make `to` the owner of the study, and of those of its clips that its owner uses nowhere else.

    These are in no other study and on no demo page of theirs, published or not.
    """
    before = study.owner_id
    Study.objects.filter(pk=study.pk).update(owner=to)
    on_pages = _clips_on_pages(before)
    for clip in Clip.objects.filter(items__study=study, owner=before).distinct():
        elsewhere = clip.items.exclude(study=study).filter(study__owner=before)
        if clip.pk not in on_pages and not elsewhere.exists():
            give_clip(clip, to)


def heir_of(study: Study) -> Any:
    """Who gets the study if its owner's account is deleted.

    Of those who may sign in, if there are any, the first with the highest role.
    """
    shares = study.shares.select_related("user")
    return shares.order_by("-user__is_active", "-role", "created", "pk")[0].user


@transaction.atomic
def hand_over(study: Study) -> None:
    """Make the heir the owner, without being asked; invitations of the former owner are revoked.

    The study's history says it: no request to a page of the study does.
    """
    now = Study.objects.select_for_update().get(pk=study.pk)
    heir = heir_of(now)
    now.shares.filter(user=heir).delete()
    withdraw_offer(now)
    give_study(now, heir)
    open_invitations(now).delete()
    Act.objects.create(study=now, person=heir, what=HANDED_OVER)


def _clips_on_pages(owner_id: int) -> set[UUID]:
    """Ids of the clips that this person's demo pages name, in drafts and in what was published."""
    drafts = [demo.draft for demo in Demo.objects.filter(owner=owner_id).only("draft")]
    versions = DemoVersion.objects.filter(demo__owner=owner_id).only("content")
    pages = [*drafts, *(version.content for version in versions)]
    return {UUID(recording.clip) for page in pages for recording in page.recordings}


def give_clip(clip: Clip, to: Any) -> bool:
    """Make `to` the owner of a clip; False if they have the same recording, which they then keep."""
    try:
        with transaction.atomic():
            Clip.objects.filter(pk=clip.pk).update(owner=to)
    except IntegrityError:
        return False
    return True


def days_left(moment: datetime) -> int:
    """Whole days until `moment`, rounded up."""
    return max(0, -((timezone.now() - moment) // timedelta(days=1)))
