"""Limits on repeated attempts, counted in the database so that all web processes share the counts.

Counts are stored under an HMAC of the address or user name: no address is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import TryLater
from listening.models import Throttle


class TooManyTries(TryLater):
    """More attempts than a `Limit` allows; the next one is possible after `seconds`."""

    title = _("Too many attempts")
    text = _("Too many attempts came from here. Please try again in %(minutes)s min.")

    def __init__(self, seconds: int, **values: object) -> None:
        super().__init__(self.text, seconds=seconds, **values)


class TooManyAtOnce(TooManyTries):
    """More attempts by everybody together than a `Limit` allows."""

    title = _("Too many at once")
    text = _("Too many people are doing this at the moment. Please try again in %(minutes)s min.")


@dataclass(frozen=True)
class Limit:
    """At most `times` attempts within `seconds` from the first; `scope` names the limit."""

    scope: str
    times: int
    seconds: int


#: Wrong passwords for one name from one address.
SIGNIN_NAME_HERE = Limit("signin name here", 5, 15 * 60)
#: Wrong passwords and invalid sign-in links from one address.
SIGNIN_ADDRESS = Limit("signin address", 30, 15 * 60)
#: Wrong passwords for one name from all addresses. A one-time link still works.
SIGNIN_NAME = Limit("signin name", 100, 60 * 60)
#: Mails that strangers have the site send: asked for from one address, and sent to one. Above the second, a
#: mail is sent only if no link in an earlier one works any more: nobody locks others out by asking for mails.
MAIL_ADDRESS = Limit("mail address", 20, 60 * 60)
MAIL = Limit("mail", 4, 60 * 60)
#: Invitations that one researcher has the site mail, and that go to one address. They do not count as
#: `MAIL`: who has been invited can still ask for a link to sign up.
INVITATIONS = Limit("invitations", 50, 24 * 60 * 60)
INVITED = Limit("invited", 4, 60 * 60)


def invitations_of_site() -> Limit:
    """Invitations that the site mails for all researchers together."""
    return Limit("invitations of the site", settings.INVITATIONS_PER_HOUR, 60 * 60)


#: Sessions started from one address: enough for a lecture hall behind a single address.
JOIN = Limit("join", 300, 10 * 60)
#: Invalid API tokens from one address: those that begin alike, and all. Valid ones always work.
API_TOKEN = Limit("api token", 60, 10 * 60)
API_TOKEN_ADDRESS = Limit("api token address", 300, 10 * 60)
#: Recordings of visitors' own voices from one address, and from all.
VOICE_ADDRESS = Limit("voice address", 10, 60 * 60)
VOICE = Limit("voice", 300, 60 * 60)


def check_limits(tries: Mapping[Limit, str]) -> None:
    """Raise `TooManyTries` if a limit is reached; `tries` has the identity to check for each limit."""
    if seconds := max(wait_for(limit, identity) for limit, identity in tries.items()):
        raise TooManyTries(seconds)


def check_total(limit: Limit) -> None:
    """Raise `TooManyAtOnce` if everybody together has reached a limit, which counts under no identity."""
    if seconds := wait_for(limit, ""):
        raise TooManyAtOnce(seconds)


def wait_for(limit: Limit, identity: str) -> int:
    """Seconds until `identity` may try again; 0 if it may now."""
    if not settings.THROTTLING:
        return 0
    now = timezone.now()
    row = Throttle.objects.filter(key=_key(limit, identity), expires__gt=now, count__gte=limit.times).first()
    return math.ceil((row.expires - now).total_seconds()) if row else 0


@transaction.atomic
def count_try(limit: Limit, identity: str) -> None:
    """Count an attempt by `identity`."""
    if not settings.THROTTLING:
        return
    key, now = _key(limit, identity), timezone.now()
    counted = Throttle.objects.filter(key=key, expires__gt=now)
    if counted.update(count=F("count") + 1):
        return
    Throttle.objects.filter(expires__lte=now).delete()
    try:
        with transaction.atomic():
            Throttle.objects.create(key=key, count=1, expires=now + timedelta(seconds=limit.seconds))
    except IntegrityError:  # two concurrent first attempts
        counted.update(count=F("count") + 1)


def take_try(limit: Limit, identity: str) -> int:
    """Count an attempt; return for how many seconds it comes too early, 0 if it is within the limit.

    Unlike `check_limits` with `count_try` after it, this lets no two attempts at the same time pass as one.
    """
    if not settings.THROTTLING:
        return 0
    count_try(limit, identity)
    now = timezone.now()
    row = Throttle.objects.filter(key=_key(limit, identity), expires__gt=now, count__gt=limit.times).first()
    return math.ceil((row.expires - now).total_seconds()) if row else 0


def forget_tries(limit: Limit, identity: str) -> None:
    """Reset the count after a successful attempt."""
    Throttle.objects.filter(key=_key(limit, identity)).delete()


def _key(limit: Limit, identity: str) -> str:
    return salted_hmac(
        "listening.web.throttling", f"{limit.scope}/{identity}", algorithm="sha256"
    ).hexdigest()
