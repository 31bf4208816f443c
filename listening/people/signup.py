"""New accounts: who may make one, by e-mail, by a user name alone, or by a provider of OpenID Connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Refusal
from evaluation.texts import clean_line
from listening.models import Identity, Throttle
from listening.people import mail

CLOSED, OPEN = "closed", "open"
#: How long the link works that makes an account, seconds.
LINK_SECONDS = 24 * 3600
_SALT = "listening.people.signup"


class SignupProblem(Refusal):
    """An account that cannot be made as it was asked for."""

    status = 422


class SignupClosed(Refusal):
    """An account for somebody who may not make one here."""

    status = 403

    def __init__(self) -> None:
        super().__init__(_("Sign-up is closed on this site. Ask its administrator for an account."))


class LinkGone(Refusal):
    """A link for signing up that is too old, used or forged."""

    status = 410
    title = _("This link no longer works")

    def __init__(self) -> None:
        super().__init__(_("It has been used or is older than a day. Sign up again to get a new one."))


def domains() -> list[str]:
    """The domains whose addresses may sign up; empty if sign-up is closed, or open to all."""
    if settings.SIGNUP in (CLOSED, OPEN, ""):
        return []
    return [name for part in settings.SIGNUP.split(",") if (name := part.strip().removeprefix("@"))]


def is_open() -> bool:
    """Whether anybody can make an account: addresses of some domains only can by e-mail only."""
    return settings.SIGNUP == OPEN or (bool(domains()) and mail.is_ready())


def has_provider() -> bool:
    """Whether the operator has set up a provider of OpenID Connect."""
    return bool(settings.OIDC_ISSUER and settings.OIDC_CLIENT_ID)


def admits(email: str) -> bool:
    """Whether who has this address may make an account."""
    return settings.SIGNUP == OPEN or email.rpartition("@")[2].casefold() in domains()


def check_email(text: str) -> str:
    """The address in one line. Raises `SignupProblem`."""
    email = clean_line(text).casefold()
    try:
        validate_email(email)
    except ValidationError:
        raise SignupProblem.of_field("email", _("This is not an e-mail address.")) from None
    return email


def make_link_token(email: str) -> str:
    """What proves that its bearer gets the mail of an address."""
    return signing.dumps({"email": email}, salt=_SALT)


def email_of(token: str) -> str:
    """The address that the token proves, if it has no account yet. Raises `LinkGone`."""
    try:
        email = str(signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)["email"])
    except signing.BadSignature:
        raise LinkGone from None
    if has_account(email):
        raise LinkGone
    return email


def users_of(email: str) -> list[User]:
    """Active people with this address, which the site has not asked to be unique before."""
    return list(User.objects.filter(email__iexact=email, is_active=True)) if email else []


def has_account(email: str) -> bool:
    """Whether anybody has this address, also somebody whose account an administrator has deactivated."""
    return bool(email) and User.objects.filter(email__iexact=email).exists()


def hold_address(email: str) -> None:
    """Let nobody else have this address before the transaction ends: whoever gives it asks first.

    Sites have accounts that share an address, so that the database cannot ask for it to be unique.
    """
    key = salted_hmac(_SALT, email.casefold(), algorithm="sha256").hexdigest()
    until = timezone.now() + timedelta(seconds=LINK_SECONDS)
    row = Throttle.objects.filter(key=key)
    if row.update(expires=until):
        return
    try:
        with transaction.atomic():
            Throttle.objects.create(key=key, count=1, expires=until)
    except IntegrityError:  # somebody else was first, and has finished
        row.update(expires=until)


def suggest_name(text: str) -> str:
    """A free user name like `text`, such as what stands before the @ of an address."""
    stem = re.sub(r"[^\w.+-]", "", text)[:140] or "researcher"
    alike = User.objects.filter(username__istartswith=stem)
    taken = {name.casefold() for name in alike.values_list("username", flat=True)}
    numbers = (f"{stem}{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (stem, *numbers) if name.casefold() not in taken)


@dataclass(frozen=True)
class NewAccount:
    """What somebody asked for; `password` is None for one who signs in by e-mail or a provider."""

    name: str
    email: str = ""
    password: str | None = None


@transaction.atomic
def make_account(wanted: NewAccount) -> User:
    """Make an account.

    Raises:
        SignupProblem: the name is taken or not possible, or the password is empty or weak.
        LinkGone: the address has an account, perhaps since a moment ago.
    """
    if wanted.email:
        hold_address(wanted.email)
        if has_account(wanted.email):
            raise LinkGone
    name = wanted.name.strip()
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        raise SignupProblem.of_field(
            "name", _("A user name has letters, digits and @ . + - _ only.")
        ) from None
    if len(name) > 150:
        raise SignupProblem.of_field("name", _("The user name is longer than 150 characters."))
    if User.objects.filter(username__iexact=name).exists():
        raise SignupProblem.of_field("name", _("Somebody here has this user name already."))
    user = User(username=name, email=wanted.email)
    if wanted.password is None:
        user.set_unusable_password()
    else:
        set_password(user, wanted.password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise SignupProblem.of_field("name", _("Somebody here has this user name already.")) from None
    return user


def set_password(user: User, password: str) -> None:
    """Set a password without storing the row. Raises `SignupProblem` if it is empty or weak."""
    if not password:
        raise SignupProblem.of_field("password", _("Choose a password."))
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise SignupProblem.of_field("password", " ".join(error.messages)) from None
    user.set_password(password)


@transaction.atomic
def user_of_identity(issuer: str, claims: Mapping[str, object]) -> User:
    """The user whom a provider says this is; found by their verified address or made, the first time.

    Args:
        issuer: the provider, which the operator trusts.
        claims: of the ID token and the provider's user information: `sub`, and what it has of `email`,
            `email_verified`, `preferred_username` and `name`.

    Raises:
        SignupClosed: they have no account here, and may not make one; or theirs is deactivated.
    """
    subject = str(claims["sub"])
    known = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    if known is not None:
        if not known.user.is_active:
            raise SignupClosed
        return known.user
    email = str(claims.get("email") or "").casefold()
    verified = email if claims.get("email_verified") is True else ""
    users = users_of(verified)
    if len(users) == 1:
        user = users[0]
    elif has_account(verified):  # deactivated, or several: who it is cannot be told
        raise SignupClosed
    elif settings.OIDC_SIGNUP or (verified and admits(verified)) or settings.SIGNUP == OPEN:
        wanted = str(claims.get("preferred_username") or email.partition("@")[0] or claims.get("name") or "")
        user = make_account(NewAccount(suggest_name(wanted), verified))
    else:
        raise SignupClosed
    Identity.objects.create(user=user, issuer=issuer, subject=subject)
    return user
