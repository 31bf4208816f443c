"""What e-mails say, in the language of who gets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from evaluation.access import Role
from listening.models import Profile, Study
from listening.people import mail
from listening.people.signup import LINK_SECONDS


def language_of(user: User | None) -> str:
    """The language of a person's mails."""
    profile = Profile.objects.filter(user=user).first() if user is not None else None
    return profile.language if profile else settings.LANGUAGE_CODE


def send_signin_link(user: User, url: str, lifetime: timedelta) -> None:
    """Send a link that signs `user` in."""
    with translation.override(language_of(user)):
        values = {"user": user.get_username(), "url": url, "minutes": int(lifetime.total_seconds() // 60)}
        body = _(
            "This link signs you in to Earshot as %(user)s:\n\n%(url)s\n\nIt works once, within %(minutes)s "
            "minutes. If you did not ask for it, ignore this mail: nobody can sign in without it."
        )
        mail.post(user.email, _("Sign in to Earshot"), body % values, lifetime=lifetime)


def send_signup_link(email: str, url: str) -> None:
    """Send the link by which the owner of an address makes an account."""
    body = _(
        "Open this link to make your account on Earshot:\n\n%(url)s\n\nIt works once, within a day. If you "
        "did not ask for it, ignore this mail: no account is made."
    )
    lifetime = timedelta(seconds=LINK_SECONDS)
    mail.post(email, _("Your account on Earshot"), body % {"url": url}, lifetime=lifetime)


def send_account_link(user: User, url: str, lifetime: timedelta, by: str) -> None:
    """Send a link that the administrator `by` made, so that `user` can sign in and choose a password."""
    with translation.override(language_of(user)):
        values = {
            "user": user.get_username(),
            "by": by,
            "url": url,
            "hours": int(lifetime.total_seconds() // 3600),
        }
        body = _(
            "%(by)s, an administrator of Earshot, sends you this link. It signs you in as %(user)s:"
            "\n\n%(url)s\n\nIt works once, within %(hours)s hours. On the page of your account you can then "
            "choose a password."
        )
        mail.post(user.email, _("Your account on Earshot"), body % values, lifetime=lifetime)


def send_invitation(email: str, url: str, by: User, study: Study, role: Role, lifetime: timedelta) -> None:
    """Send somebody, who may have no account yet, the invitation to share in a study."""
    reader = User.objects.filter(email__iexact=email, is_active=True).first() or by
    with translation.override(language_of(reader)):
        values = {"by": by.get_username(), "study": study.name, "url": url, "days": lifetime.days}
        subject = _("%(by)s invites you to the study “%(study)s”")
        if role == Role.EDITOR:
            body = ngettext(
                "%(by)s invites you to edit the study “%(study)s” on Earshot, with its clips and results:"
                "\n\n%(url)s\n\nThe link works for one person, within %(days)s day. You sign in first.",
                "%(by)s invites you to edit the study “%(study)s” on Earshot, with its clips and results:"
                "\n\n%(url)s\n\nThe link works for one person, within %(days)s days. You sign in first.",
                lifetime.days,
            )
        else:
            body = ngettext(
                "%(by)s invites you to view the study “%(study)s” on Earshot, with its clips and results:"
                "\n\n%(url)s\n\nThe link works for one person, within %(days)s day. You sign in first.",
                "%(by)s invites you to view the study “%(study)s” on Earshot, with its clips and results:"
                "\n\n%(url)s\n\nThe link works for one person, within %(days)s days. You sign in first.",
                lifetime.days,
            )
        mail.post(email, subject % values, body % values, lifetime=lifetime)


#: Subjects and bodies of mails about what happened, by kind.
_NEWS = {
    "first": (
        gettext_lazy("“%(name)s”: the first listener has begun"),
        gettext_lazy("The first listener has begun “%(name)s”."),
    ),
    "full": (
        gettext_lazy("“%(name)s”: the last listener has finished"),
        ngettext_lazy(
            "The listener that you wanted has finished “%(name)s”. You can close it.",
            "The listeners that you wanted have finished “%(name)s”. You can close it.",
            "count",
        ),
    ),
    "failed": (
        gettext_lazy("“%(name)s”: work has failed"),
        gettext_lazy("Work on “%(name)s” has failed: %(error)s"),
    ),
}


def send_news(kind: str, user: User, key: str, url: str, unsubscribe: str, **values: Any) -> bool:
    """Tell a person what happened, once: False if they were told (`key`) already."""
    with translation.override(language_of(user)):
        subject, body = (text % values for text in _NEWS[kind])
        more = _("You get this because you own or edit it. One click ends such mails: %(url)s") % {
            "url": unsubscribe
        }
        text = f"{body}\n\n{url}\n\n-- \n{more}\n"
        return mail.post(user.email, subject, text, key=key, unsubscribe=unsubscribe)
