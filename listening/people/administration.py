"""Accounts as administrators manage them: pages and commands use this, which note what was done."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Refusal, Text
from listening.models import AccountAct
from listening.people import signup

What = AccountAct.What

#: What was done, to `user` by `by`.
SENTENCES: dict[What, Text] = {
    What.MADE: _("%(by)s made the account of %(user)s."),
    What.PROMOTED: _("%(by)s made %(user)s an administrator."),
    What.DEMOTED: _("%(by)s took administration away from %(user)s."),
    What.ACTIVATED: _("%(by)s activated the account of %(user)s."),
    What.DEACTIVATED: _("%(by)s deactivated the account of %(user)s."),
    What.ADDRESSED: _("%(by)s changed the e-mail address of %(user)s."),
    What.LINKED: _("%(by)s made a sign-in link for %(user)s."),
    What.RESET: _("%(by)s removed the password of %(user)s."),
    What.DELETED: _("%(by)s deleted an account."),
}


class CannotAdminister(Refusal):
    """A change of an account that would leave the site without what it needs."""

    status = 409


def note(what: What, user: User | None, by: User | None = None) -> None:
    """Add to the list of acts; `by` is None for a command on the server, `user` for a deleted account."""
    AccountAct.objects.create(what=what, account=user, by=by, by_command=by is None)


def words_of(act: AccountAct) -> Text:
    """What was done and by whom: a sentence."""
    by = _("A command on the server") if act.by_command else name_of(act.by, begins=True)
    return Message(SENTENCES[What(act.what)], by=by, user=name_of(act.account))


def name_of(user: User | None, *, begins: bool = False) -> Text:
    """What a list of acts calls somebody, who may be gone; `begins` where a sentence begins with it."""
    if user is not None:
        return user.get_username()
    return _("Somebody whose account is gone") if begins else _("somebody whose account is gone")


def list_accounts(search: str = "") -> QuerySet[User]:
    """All accounts, or those with `search` in their name or address, by name."""
    found = User.objects.filter(Q(username__icontains=search) | Q(email__icontains=search))
    return found.order_by("username")


def count_studies(users: list[User]) -> dict[int, int]:
    """How many studies each of these users owns, by the user's id."""
    rows = User.objects.filter(pk__in=[user.pk for user in users]).annotate(n=Count("studies"))
    return dict(rows.values_list("pk", "n"))


def check_not_last(user: User) -> None:
    """Refuse what would leave the site without an administrator; in a transaction that changes the user.

    Raises:
        CannotAdminister: nobody else who may sign in is an administrator.
    """
    administrators = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
    if list(administrators.values_list("pk", flat=True)) == [user.pk]:
        raise CannotAdminister(
            _("%(user)s is the only administrator of this site: make somebody else one first."),
            user=user.get_username(),
        )


def _take_address(email: str) -> None:
    """Keep the address for who is given it in this transaction. Raises `SignupProblem` if somebody has it."""
    signup.hold_address(email)
    if signup.has_account(email):
        raise signup.SignupProblem.of_field("email", _("Somebody here has this address already."))


@transaction.atomic
def make_account(wanted: signup.NewAccount, by: User | None = None, *, administrator: bool = False) -> User:
    """Make an account, whether sign-up is open or not. Raises what `signup.make_account` raises."""
    if not wanted.name.strip() and wanted.email:
        name = signup.suggest_name(wanted.email.partition("@")[0])
        wanted = signup.NewAccount(name, wanted.email, wanted.password)
    if wanted.email:
        _take_address(wanted.email)
    user = signup.make_account(wanted)
    note(What.MADE, user, by)
    set_administrator(user, administrator, by)
    return user


@transaction.atomic
def set_administrator(user: User, wanted: bool, by: User | None = None) -> None:
    """Make somebody an administrator, or no longer one. Raises `CannotAdminister`."""
    if user.is_superuser == wanted:
        return
    if not wanted:
        check_not_last(user)
    user.is_superuser = user.is_staff = wanted
    user.save(update_fields=["is_superuser", "is_staff"])
    note(What.PROMOTED if wanted else What.DEMOTED, user, by)


@transaction.atomic
def set_active(user: User, wanted: bool, by: User | None = None) -> None:
    """Let somebody sign in, or not: then neither their sessions nor their tokens and links work.

    Raises:
        CannotAdminister: nobody else is an administrator.
    """
    if user.is_active == wanted:
        return
    if not wanted:
        check_not_last(user)
    user.is_active = wanted
    user.save(update_fields=["is_active"])
    note(What.ACTIVATED if wanted else What.DEACTIVATED, user, by)


def _revoke_links(user: User) -> None:
    """End sign-in links from before, which somebody else may have got."""
    user.signin_links.filter(used=None).delete()


@transaction.atomic
def set_email(user: User, text: str, by: User | None = None) -> None:
    """Give an account another address, or none; sign-in links from before end.

    Raises:
        SignupProblem: somebody else has the address, or it is none.
    """
    email = signup.check_email(text) if text.strip() else ""
    if email == user.email.casefold():
        return
    if email:
        _take_address(email)
    user.email = email
    user.save(update_fields=["email"])
    _revoke_links(user)
    note(What.ADDRESSED, user, by)


@transaction.atomic
def remove_password(user: User, by: User | None = None) -> None:
    """Have somebody choose a new password when a link has signed them in; signs them out everywhere.

    Sign-in links from before end with it.
    """
    if user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])
        _revoke_links(user)
        note(What.RESET, user, by)
