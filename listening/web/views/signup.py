"""Signing up, and signing in by a link that comes by e-mail."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from evaluation.refusals import Refusal
from evaluation.web.guards import action
from evaluation.web.refusals import show_refusals_on
from listening.people import letters, mail, signup
from listening.web import accounts, throttling
from listening.web.security import address_of
from listening.web.views.accounts import let_in, next_url, remember_next, show_signin


def _count_mail(request: HttpRequest) -> None:
    """Count a mail that somebody at this address has the site send, and refuse too many."""
    if seconds := throttling.take_try(throttling.MAIL_ADDRESS, address_of(request)):
        raise throttling.TooManyTries(seconds)


def _mail_signin_links(request: HttpRequest, email: str) -> None:
    """Send links to whoever has the address; above the limit, only to who has none that still works."""
    users = signup.users_of(email)
    flooded = bool(users) and throttling.take_try(throttling.MAIL, email) > 0
    for user in users:
        if flooded and accounts.has_signin_link(user, accounts.MAILED_LINK):
            continue
        link = _with_next(request, accounts.make_signin_link(user, accounts.MAILED_LINK))
        letters.send_signin_link(user, link, accounts.MAILED_LINK)


def _with_next(request: HttpRequest, url: str) -> str:
    wanted = next_url(request)
    return f"{url}?{urlencode({'next': wanted})}" if wanted != reverse(settings.LOGIN_REDIRECT_URL) else url


@never_cache
@action
def signin_mail(request: HttpRequest) -> HttpResponse:
    """Send a link to an address; the answer is the same whether it has an account or not."""
    if not mail.is_ready():
        return redirect("signin")
    with show_refusals_on(lambda refusal: show_signin(request, refusal, status=refusal.status)):
        email = signup.check_email(request.POST.get("email", ""))
        _count_mail(request)
    _mail_signin_links(request, email)
    return render(request, "listening/mail_sent.html", {"email": email, "signup": False})


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Ask for an address and send it a link; without a mail server, ask for a name and a password."""
    if request.user.is_authenticated:
        return redirect(next_url(request))
    if request.method != "POST" or not signup.is_open():
        return _show(request, status=403 if request.method == "POST" else 200)
    with show_refusals_on(lambda refusal: _show(request, refusal, refusal.status)):
        if not mail.is_ready():
            return _sign_up_by_name(request)
        email = signup.check_email(request.POST.get("email", ""))
        if not signup.admits(email):
            names = ", ".join(signup.domains())
            raise signup.SignupProblem.of_field(
                "email", _("Only addresses of %(domains)s can sign up here."), domains=names
            )
        _count_mail(request)
    if signup.has_account(email):
        _mail_signin_links(request, email)
    elif not throttling.take_try(throttling.MAIL, email):  # links of earlier mails work for a day
        path = reverse("signup_link", args=[signup.make_link_token(email)])
        letters.send_signup_link(email, _with_next(request, f"{settings.SITE_URL}{path}"))
    return render(request, "listening/mail_sent.html", {"email": email, "signup": True})


def _sign_up_by_name(request: HttpRequest) -> HttpResponse:
    address = address_of(request)
    throttling.check_limits({throttling.MAIL_ADDRESS: address})
    sent = request.POST
    user = signup.make_account(signup.NewAccount(sent.get("name", ""), password=sent.get("password", "")))
    throttling.count_try(throttling.MAIL_ADDRESS, address)
    return let_in(request, user)


def _show(request: HttpRequest, refusal: Refusal | None = None, status: int = 200) -> HttpResponse:
    context = {
        "open": signup.is_open(),
        "by_mail": mail.is_ready(),
        "domains": signup.domains(),
        "no_mail": bool(signup.domains()) and not mail.is_ready(),
        "refusal": refusal or "",
        "sent": request.POST,
        "next": next_url(request),
    }
    return remember_next(request, render(request, "listening/signup.html", context, status=status))


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def signup_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for a user name and, if wanted, a password; POST makes the account and signs in."""
    email = signup.email_of(token)
    if not signup.is_open() or not signup.admits(email):
        raise signup.SignupClosed

    def show(refusal: Refusal | None = None) -> HttpResponse:
        sent = request.POST.get("name") or signup.suggest_name(email.partition("@")[0])
        context = {"email": email, "name": sent, "refusal": refusal or "", "next": next_url(request)}
        status = refusal.status if refusal else 200
        return render(request, "listening/signup_link.html", context, status=status)

    if request.method != "POST":
        return show()
    wanted = signup.NewAccount(request.POST.get("name", ""), email, request.POST.get("password") or None)
    with show_refusals_on(show):
        user = signup.make_account(wanted)
    return let_in(request, user)
