"""Inviting a colleague to a study: by a link that its owner hands on, or by e-mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role
from evaluation.refusals import Refusal
from listening.models import Invitation, Study
from listening.people import letters, mail, sharing, signup
from listening.web import throttling
from listening.web.throttling import TooManyTries


class TooManyInvitations(TooManyTries):
    """Invitations by e-mail, of which one person has sent as many as they may."""

    title = _("Too many invitations")
    text = _(
        "You have sent %(times)s invitations by e-mail within a day, which is the limit. Make a link without "
        "an address and send it yourself, or try again in %(minutes)s min."
    )


class InvitedTooOften(TooManyInvitations):
    """More than an address is sent within an hour."""

    text = _(
        "This address was sent %(times)s invitations within an hour, which is the limit. Try again in "
        "%(minutes)s min."
    )


class SiteInvitedTooMany(TooManyInvitations):
    """More than the site sends within an hour, for all researchers together."""

    text = _(
        "This site has sent %(times)s invitations by e-mail within an hour, which is its limit for all "
        "researchers together. Make a link without an address and send it yourself, or try again in "
        "%(minutes)s min."
    )


def invite(
    study: Study, role: Role, by: Any, *, email: str = "", many: bool = False, days: int = sharing.USUAL_DAYS
) -> tuple[Invitation, str]:
    """Make an invitation and, with `email`, send its link there; return it and the link.

    Raises:
        Refusal: as `sharing.invite`; or the link is to be sent, and cannot be, or not for many people.
        TooManyInvitations: `by` has sent, the address was sent, or the site has sent, too many.
    """
    if not email.strip():
        return sharing.invite(study, role, many=many, days=days)
    if not mail.is_ready():
        raise Refusal.of_field(
            "email", _("This site sends no e-mail: leave the address empty, and send the link yourself.")
        )
    if many:
        raise Refusal.of_field("many", _("An invitation by e-mail is for one person."))
    address = signup.check_email(email)
    limits = (
        (throttling.INVITATIONS, str(by.pk), TooManyInvitations),
        (throttling.INVITED, address, InvitedTooOften),
        (throttling.invitations_of_site(), "", SiteInvitedTooMany),
    )
    # What one of them refuses is not sent, and counts towards none of the others.
    for ask in (throttling.wait_for, throttling.take_try):
        for limit, identity, refusal in limits:
            if seconds := ask(limit, identity):
                raise refusal(seconds, times=limit.times)
    with transaction.atomic():
        made, link = sharing.invite(study, role, days=days)
        letters.send_invitation(address, link, by, study, role, timedelta(days=days))
    return made, link
