"""Accounts, for administrators of the site: who has one, who may sign in, and how."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Refusal
from evaluation.web.guards import administrator_action, administrator_form, administrator_page
from evaluation.web.lists import page_of, searched
from evaluation.web.refusals import redirect_refusals, show_refusals_on
from listening.models import AccountAct
from listening.people import administration, letters, mail, sharing, signup
from listening.web import accounts as credentials
from listening.web import leaving

What = AccountAct.What


@administrator_page
def accounts(request: HttpRequest) -> HttpResponse:
    """The list of accounts, and what administrators did to them."""
    return _show_list(request)


def _show_list(request: HttpRequest, refusal: Refusal | None = None) -> HttpResponse:
    search = searched(request)
    page = page_of(request, administration.list_accounts(search))
    studies = administration.count_studies(list(page))
    done = page_of(request, AccountAct.objects.select_related("account", "by"), "acts")
    context = {
        "section": "operator",
        "search": search,
        "page": page,
        "rows": [(user, studies[user.pk]) for user in page],
        "done": done,
        "acts": [(act, administration.words_of(act)) for act in done],
        "by_mail": mail.is_ready(),
        "refusal": refusal or "",
        "sent": request.POST,
    }
    status = refusal.status if refusal else 200
    return render(request, "listening/accounts/list.html", context, status=status)


@administrator_action
def make(request: HttpRequest) -> HttpResponse:
    """Make an account for somebody, and send or show the link by which they sign in first."""
    sent = request.POST
    with show_refusals_on(lambda refusal: _show_list(request, refusal)), transaction.atomic():
        email = signup.check_email(sent["email"]) if sent.get("email", "").strip() else ""
        wanted = signup.NewAccount(sent.get("name", ""), email)
        person = administration.make_account(
            wanted, _by(request), administrator=sent.get("administrator") == "yes"
        )
    return _give_link(request, person)


@administrator_page
def account(request: HttpRequest, user_id: int) -> HttpResponse:
    return _show(request, _person(user_id))


def _show(request: HttpRequest, person: User, link: str = "", refusal: Refusal | None = None) -> HttpResponse:
    """The page of an account; `link`, which signs in, is shown this once."""
    acts = AccountAct.objects.filter(account=person).select_related("account", "by")[:20]
    context = {
        "section": "operator",
        "person": person,
        "is_own": person == request.user,
        "studies": administration.count_studies([person])[person.pk],
        "tokens": credentials.tokens_of(person).count(),
        "identities": person.identities.all(),
        "acts": [(act, administration.words_of(act)) for act in acts],
        "by_mail": mail.is_ready() and bool(person.email),
        "link": link,
        "hours": int(credentials.SIGNIN_LINK_LIFETIME.total_seconds() // 3600),
        "refusal": refusal or "",
    }
    status = refusal.status if refusal else 200
    return render(request, "listening/accounts/one.html", context, status=status)


def _person(user_id: int) -> User:
    found: User = get_object_or_404(User, pk=user_id)
    return found


def _by(request: HttpRequest) -> User:
    user: User = request.user  # type: ignore[assignment]  # who is signed in
    return user


@administrator_action
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Store the address, whether they administer the site, and whether they may sign in.

    What a form says as its page showed it (``had_…``) stays as another administrator may have made it since.
    """
    person, sent, by = _person(user_id), request.POST, _by(request)

    def show(refusal: Refusal) -> HttpResponse:
        return _show(request, _person(user_id), refusal=refusal)

    with show_refusals_on(show), transaction.atomic():
        if (email := sent.get("email", "")) != sent.get("had_email"):
            administration.set_email(person, email, by)
        if (administers := sent.get("administrator", "")) != sent.get("had_administrator"):
            administration.set_administrator(person, administers == "yes", by)
        if (active := sent.get("active", "")) != sent.get("had_active"):
            administration.set_active(person, active == "yes", by)
    messages.success(request, _("Saved."))
    return redirect("account_of", user_id)


@administrator_action
def make_link(request: HttpRequest, user_id: int) -> HttpResponse:
    """Send or show a link that signs somebody in; with `reset`, they then choose a new password."""
    person = _person(user_id)
    with redirect_refusals(request, "account_of", user_id):
        if not person.is_active:
            raise administration.CannotAdminister(_("The account is deactivated: activate it first."))
    if request.POST.get("reset") == "yes":
        administration.remove_password(person, _by(request))
    return _give_link(request, person)


def _give_link(request: HttpRequest, person: User) -> HttpResponse:
    """Send it by e-mail, or show it if there is no mail server, or no address."""
    link = credentials.make_signin_link(person)
    administration.note(What.LINKED, person, _by(request))
    if not (mail.is_ready() and person.email):
        return _show(request, person, link)
    letters.send_account_link(person, link, credentials.SIGNIN_LINK_LIFETIME, _by(request).get_username())
    text = _("A link that signs %(user)s in is on its way to %(email)s.")
    messages.success(request, text % {"user": person, "email": person.email})
    return redirect("account_of", person.pk)


@administrator_form
def remove(request: HttpRequest, user_id: int) -> HttpResponse:
    """What goes and what stays; POST deletes the account if its name is given."""
    person = _person(user_id)
    if person == request.user:
        return redirect("account_delete")
    if request.method == "POST":
        with redirect_refusals(request, "account_remove", user_id):
            if request.POST.get("name", "").strip() != person.get_username():
                raise Refusal.of_field("name", _("Type the user name to confirm."))
            with transaction.atomic():
                leaving.delete_account(person, hands_over=True)
                administration.note(What.DELETED, None, _by(request))
        messages.success(request, _("The account is deleted."))
        return redirect("accounts")
    has = leaving.find_belongings(person)
    context = {
        "section": "operator",
        "person": person,
        "has": has,
        "heirs": [(study, sharing.heir_of(study)) for study in has.shared],
    }
    return render(request, "listening/accounts/delete.html", context)
