"""A researcher's own account: address, password, API tokens, e-mails, and its end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from evaluation.refusals import Refusal
from evaluation.texts import read_whole
from evaluation.web.guards import refuse_tokens, researcher_action, researcher_form, researcher_page
from evaluation.web.refusals import redirect_refusals, show_refusals_on
from listening.models import ApiToken, Profile
from listening.people import mail, notices, signup
from listening.web import accounts, leaving


def _check_current_password(user: Any, request: HttpRequest) -> None:
    """Who has a password must give it. Raises `SignupProblem`."""
    if user.has_usable_password() and not user.check_password(request.POST.get("old", "")):
        raise signup.SignupProblem.of_field("old", _("This is not your current password."))


#: For how many days a new token may work; 0: until it is revoked.
DAYS = (0, 7, 30, 90, 365)


@researcher_page
@refuse_tokens
def account(request: HttpRequest) -> HttpResponse:
    return _show(request)


def _show(request: HttpRequest, refusal: Refusal | None = None, new_token: str = "") -> HttpResponse:
    """The page; `new_token` is shown this once."""
    user: Any = request.user
    working = set(accounts.tokens_of(user).values_list("pk", flat=True))
    context = {
        "section": "account",
        "profile": Profile.objects.filter(user=user).first() or Profile(user=user),
        "languages": settings.LANGUAGES,
        "tokens": [(each, each.pk not in working) for each in user.api_tokens.all()],
        "new_token": new_token,
        "days": DAYS,
        "by_mail": mail.is_ready(),
        "identities": user.identities.all(),
        "refusal": refusal or "",
        "sent": request.POST,
    }
    return render(request, "listening/account.html", context, status=refusal.status if refusal else 200)


@researcher_action
@refuse_tokens
def about(request: HttpRequest) -> HttpResponse:
    """Store the language of mails, and whether there are any."""
    language = request.POST.get("language", settings.LANGUAGE_CODE)
    if language not in dict(settings.LANGUAGES):
        raise Refusal.of_field("language", _("There is no such language."))
    values = {"language": language, "notify": request.POST.get("notify") == "yes"}
    Profile.objects.update_or_create(user=request.user, defaults=values)  # type: ignore[misc]
    messages.success(request, _("Saved."))
    return redirect("account")


@csrf_exempt  # mail programs post without opening the page (RFC 8058); the token proves whose mail it is
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End the mails about studies of whoever got the link; programs that follow links do not."""
    user = notices.user_of(token)
    if user is None:
        raise Http404("There is no such link.")
    if request.method == "POST":
        Profile.objects.update_or_create(user=user, defaults={"notify": False})
    context = {"done": request.method == "POST", "person": user}
    return render(request, "listening/unsubscribe.html", context)


@sensitive_post_parameters("password", "old")
@researcher_action
@refuse_tokens
def password(request: HttpRequest) -> HttpResponse:
    """Set a new password, which ends other sign-ins; who has one must give it."""
    user: Any = request.user
    with show_refusals_on(lambda refusal: _show(request, refusal)):
        _check_current_password(user, request)
        signup.set_password(user, request.POST.get("password", ""))
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is set. You are signed out everywhere else."))
    return redirect("account")


@researcher_action
@refuse_tokens
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it, once."""
    user: Any = request.user
    days = read_whole(request.POST.get("days") or "0")
    with show_refusals_on(lambda refusal: _show(request, refusal)):
        token = accounts.make_api_token(
            user,
            request.POST.get("name", ""),
            request.POST.get("scope", ""),
            None if days == 0 else -1 if days is None else days,  # -1 is refused
        )
    return _show(request, new_token=token)


@researcher_action
@refuse_tokens
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=token_id, user=request.user)
    token.delete()
    messages.success(request, _("“%(token)s” is revoked.") % {"token": token.name})
    return redirect("account")


@sensitive_post_parameters("old")
@researcher_form
@refuse_tokens
def delete(request: HttpRequest) -> HttpResponse:
    """What goes and what stays; POST deletes the account for who gives its name and password, if any."""
    user: Any = request.user
    if request.method == "POST":
        with redirect_refusals(request, "account_delete"):
            if request.POST.get("name", "").strip() != user.get_username():
                raise Refusal.of_field("name", _("Type your user name to confirm."))
            _check_current_password(user, request)
            leaving.delete_account(user)
        logout(request)
        messages.success(request, _("Your account is deleted."))
        return redirect("front")
    context = {"section": "account", "has": leaving.find_belongings(user)}
    return render(request, "listening/account_delete.html", context)
