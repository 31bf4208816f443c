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


def invite(
    study: Study, role: Role, by: Any, *, email: str = "", many: bool = False, days: int = sharing.USUAL_DAYS
) -> tuple[Invitation, str]:
    """Make an invitation and, with `email`, send its link there; return it and the link.

    Raises:
        Refusal: as `sharing.invite`; or the link is to be sent, and cannot be, or not for many people.
        TooManyTries: `by` has sent, or the address was sent, too many.
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
    for limit, identity in ((throttling.INVITATIONS, str(by.pk)), (throttling.INVITED, address)):
        if seconds := throttling.take_try(limit, identity):
            raise throttling.TooManyTries(seconds)
    with transaction.atomic():
        made, link = sharing.invite(study, role, days=days)
        letters.send_invitation(address, link, by, study, role, timedelta(days=days))
    return made, link
