"""How often something may be tried, counted in the database so that all web processes count together.

What is counted is kept under an HMAC of where or who it comes from: no address is stored.
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

from evaluation.refusals import Refusal
from listening.models import Throttle


class TooManyTries(Refusal):
    """Something was tried more often than its `Limit` allows; `seconds` until it may be tried again."""

    status = 429
    title = _("Too many tries")

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(
            _("This was tried too often from here. Please wait %(minutes)s min and try again."),
            minutes=max(1, math.ceil(seconds / 60)),
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


@dataclass(frozen=True)
class Limit:
    """So many `times` within `seconds` from the first; `scope` keeps limits apart."""

    scope: str
    times: int
    seconds: int


#: Wrong passwords for one name from one address.
SIGNIN_NAME_HERE = Limit("signin name here", 5, 15 * 60)
#: Wrong passwords, and sign-in links that are none, from one address.
SIGNIN_ADDRESS = Limit("signin address", 30, 15 * 60)
#: Wrong passwords for one name from anywhere. A one-time link still signs in.
SIGNIN_NAME = Limit("signin name", 100, 60 * 60)
#: Sessions begun from one address: a lecture hall behind one address must get in.
JOIN = Limit("join", 300, 10 * 60)
#: API tokens that are none from one address.
API_TOKEN = Limit("api token", 60, 10 * 60)


def check(tries: Mapping[Limit, str]) -> None:
    """Raise `TooManyTries` unless each of `tries`, an identity by its limit, may be made now."""
    if seconds := max(_wait_for(limit, identity) for limit, identity in tries.items()):
        raise TooManyTries(seconds)


def _wait_for(limit: Limit, identity: str) -> int:
    """Seconds until `identity` may try again; 0 if it may now."""
    if not settings.THROTTLING:
        return 0
    now = timezone.now()
    row = Throttle.objects.filter(key=_key(limit, identity), expires__gt=now, count__gte=limit.times).first()
    return math.ceil((row.expires - now).total_seconds()) if row else 0


@transaction.atomic
def count(limit: Limit, identity: str) -> None:
    """Count a try of `identity`."""
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
    except IntegrityError:  # two first tries at once
        counted.update(count=F("count") + 1)


def forget(limit: Limit, identity: str) -> None:
    """It was the right person: start from none."""
    Throttle.objects.filter(key=_key(limit, identity)).delete()


def _key(limit: Limit, identity: str) -> str:
    return salted_hmac(
        "listening.web.throttling", f"{limit.scope}/{identity}", algorithm="sha256"
    ).hexdigest()
