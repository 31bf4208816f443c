"""Credentials of researchers: one-time sign-in links and API tokens. Only their SHA-256 is stored."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from evaluation.http import is_safe
from evaluation.refusals import Refusal
from evaluation.texts import clean_line
from listening.models import ApiToken, SigninLink, random_token, token_digest
from listening.people import administration
from listening.people.signup import NewAccount

#: How long an unused sign-in link works.
SIGNIN_LINK_LIFETIME = timedelta(hours=24)
#: How long one works that was asked for by e-mail.
MAILED_LINK = timedelta(minutes=30)
#: Tokens of one account, and the longest time that one may be limited to.
MOST_TOKENS, MOST_DAYS = 50, 3650


class TokenProblem(Refusal):
    """An API token that cannot be made."""

    status = 422


class AccountDeactivated(Refusal):
    """A sign-in link that works, of an account that does not."""

    status = 403

    def __init__(self) -> None:
        super().__init__(_("This account is deactivated. Ask the administrator of this site."))


class TokenMayNotWrite(Refusal):
    """A request that changes something, by a token that may only read."""

    status = 403

    def __init__(self) -> None:
        super().__init__(_("This token may only read. Make one that may write."))


def find_user(username: str, *, create: bool = False) -> User:
    """The user of this name; with `create`, a missing user is created without a password.

    Raises:
        User.DoesNotExist: there is no such user, and `create` is false.
        SignupProblem: the name of a new user is not possible.
    """
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        if not create:
            raise
    return administration.make_account(NewAccount(username))


def make_signin_link(user: User, lifetime: timedelta = SIGNIN_LINK_LIFETIME) -> str:
    """Create a sign-in link for `user`; return its absolute URL."""
    token = secrets.token_urlsafe(32)
    SigninLink.objects.filter(expires__lt=timezone.now() - SIGNIN_LINK_LIFETIME).delete()
    SigninLink.objects.create(user=user, digest=token_digest(token), expires=timezone.now() + lifetime)
    return f"{settings.SITE_URL}{reverse('signin_link', args=[token])}"


def has_signin_link(user: User, lifetime: timedelta) -> bool:
    """Whether the user has an unused link that works, and was made for at most `lifetime`."""
    now = timezone.now()
    return user.signin_links.filter(used=None, expires__gt=now, expires__lte=now + lifetime).exists()


def user_of_signin_link(token: str) -> User | None:
    """The user whom the sign-in `token` would sign in now, if any; it can still be used.

    Raises:
        AccountDeactivated: the link works, but its user may not sign in.
    """
    links = SigninLink.objects.select_related("user")
    link = links.filter(digest=token_digest(token), used=None, expires__gt=timezone.now()).first()
    return _check_active(link.user) if link else None


def _check_active(user: User) -> User:
    if not user.is_active:
        raise AccountDeactivated
    return user


@transaction.atomic
def use_signin_link(token: str) -> User | None:
    """Use up the sign-in `token` and return its user; None if it is unknown, used or expired.

    Raises:
        AccountDeactivated: the link works, and is not used up, but its user may not sign in.
    """
    digest, now = token_digest(token), timezone.now()
    # One conditional update, so that only one of two concurrent requests succeeds.
    if not SigninLink.objects.filter(digest=digest, used=None, expires__gt=now).update(used=now):
        return None
    return _check_active(SigninLink.objects.select_related("user").get(digest=digest).user)


def make_api_token(
    user: User, name: str = "", scope: str = ApiToken.Scope.WRITE, days: int | None = None
) -> str:
    """Create an API token for `user` beside those that there are; it is not known afterwards.

    Args:
        user: the token's owner, who can do with it what they can do.
        name: what it is for.
        scope: of `ApiToken.Scope`.
        days: how long it works; None: until it is revoked.

    Raises:
        TokenProblem: the name is too long, there are too many, or scope or days are not possible.
    """
    name = clean_line(name) or gettext("API token")
    if len(name) > 100:
        raise TokenProblem.of_field("name", _("The name is longer than 100 characters."))
    if scope not in ApiToken.Scope.values:
        raise TokenProblem.of_field("scope", _("A token may read, or read and write."))
    if days is not None and not 0 < days <= MOST_DAYS:
        raise TokenProblem.of_field("days", _("A token works for 1 to %(most)s days."), most=MOST_DAYS)
    if tokens_of(user).count() >= MOST_TOKENS:
        raise TokenProblem(_("You have %(most)s tokens: revoke one first."), most=MOST_TOKENS)
    token = random_token(32)
    expires = None if days is None else timezone.now() + timedelta(days=days)
    ApiToken.objects.create(user=user, digest=token_digest(token), name=name, scope=scope, expires=expires)
    return token


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens that work."""
    return ApiToken.objects.filter(_works(), user=user)


def _works() -> Q:
    return Q(expires=None) | Q(expires__gt=timezone.now())


def find_token(token: str) -> ApiToken | None:
    """The API token with this text, if it works and its user is active; its use is noted, to the minute."""
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(_works(), digest=token_digest(token)).first()
    if found is None or not found.user.is_active:
        return None
    if found.used is None or found.used < now - timedelta(minutes=1):
        ApiToken.objects.filter(pk=found.pk).update(used=now)  # rarely: to read must not wait for a writer
    return found


def check_scope(token: ApiToken, method: str | None) -> None:
    """Raises `TokenMayNotWrite` if the token must not be used for a request by this method."""
    if token.scope != ApiToken.Scope.WRITE and not is_safe(method):
        raise TokenMayNotWrite
