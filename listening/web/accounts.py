"""Credentials of researchers: one-time sign-in links and API tokens. Only their SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from listening.models import ApiToken, SigninLink, random_token

#: How long an unused sign-in link works.
SIGNIN_LINK_LIFETIME = timedelta(hours=24)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def find_user(username: str, *, create: bool = False) -> User:
    """The user of this name; with `create`, a missing user is created without a password.

    Raises:
        User.DoesNotExist: there is no such user, and `create` is false.
    """
    if not create:
        return User.objects.get(username=username)
    user, created = User.objects.get_or_create(username=username)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def make_signin_link(user: User) -> str:
    """Create a sign-in link for `user`; return its absolute URL."""
    token = secrets.token_urlsafe(32)
    SigninLink.objects.create(user=user, digest=_digest(token), expires=timezone.now() + SIGNIN_LINK_LIFETIME)
    return f"{settings.SITE_URL}{reverse('signin_link', args=[token])}"


@transaction.atomic
def use_signin_link(token: str) -> User | None:
    """Use up the sign-in `token` and return its user; None if it is unknown, used or expired."""
    digest, now = _digest(token), timezone.now()
    # One conditional update, so that only one of two concurrent requests succeeds.
    if not SigninLink.objects.filter(digest=digest, used=None, expires__gt=now).update(used=now):
        return None
    user = SigninLink.objects.select_related("user").get(digest=digest).user
    return user if user.is_active else None


def make_api_token(user: User) -> str:
    """Create an API token for `user`, which replaces the previous token."""
    token = random_token(32)
    ApiToken.objects.update_or_create(user=user, defaults={"digest": _digest(token)})
    return token


def user_of_token(token: str) -> User | None:
    """The active user with this API token, if any."""
    found = ApiToken.objects.select_related("user").filter(digest=_digest(token)).first()
    return found.user if found and found.user.is_active else None
