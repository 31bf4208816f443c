"""The front page, sign-in and sign-out."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from evaluation.refusals import Refusal
from evaluation.web.guards import action
from evaluation.web.refusals import show_refusals_on
from listening.demos.pages import gallery
from listening.models import Study
from listening.people import mail, signup
from listening.study import selectors
from listening.study.duration import minutes_of_study
from listening.web import accounts, throttling
from listening.web.security import address_of, allow_microphone
from listening.web.views.voices import voice_context

#: Of the front page; the gallery has all demo pages.
_MOST_STUDIES, _MOST_DEMOS = 4, 3
BACKEND = "django.contrib.auth.backends.ModelBackend"
#: The cookie that says where somebody wanted to go who had to sign in, for as long as a mailed link works.
#: Links in mails, and forms, say it themselves.
_WANTED, _WANTED_SECONDS = "next", int(accounts.MAILED_LINK.total_seconds())


@require_GET
def front(request: HttpRequest) -> HttpResponse:
    """A door for each kind of visitor: open tests, demos and a clip to hear, research."""
    studies = selectors.listed_studies()[:_MOST_STUDIES]
    context = {
        "clip": selectors.front_clip(),
        "studies": [(study, _minutes_of(study)) for study in studies],
        "demos": gallery()[:_MOST_DEMOS],
        "voice": voice_context(),
        "signup": signup.is_open(),
    }
    response = render(request, "listening/front.html", context)
    if context["voice"]:
        allow_microphone(response)
    return response


def _minutes_of(study: Study) -> int:
    """How long the test takes; what an open study tests does not change, so it is remembered for a while."""
    return int(cache.get_or_set(f"minutes-of-{study.pk}", lambda: minutes_of_study(study), 600) or 1)


def next_url(request: HttpRequest) -> str:
    """The URL to visit after sign-in: `next`, or what `remember_next` kept; never another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or request.COOKIES.get(_WANTED, "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def remember_next(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Have the browser keep `next_url`: who signs in by a link or a provider comes back without it."""
    if (wanted := next_url(request)) != resolve_url(settings.LOGIN_REDIRECT_URL):
        kept, secure = iri_to_uri(wanted), settings.SESSION_COOKIE_SECURE
        response.set_cookie(_WANTED, kept, _WANTED_SECONDS, secure=secure, httponly=True, samesite="Lax")
    return response


def let_in(request: HttpRequest, user: User) -> HttpResponse:
    """Sign `user` in, and lead them to where they wanted to go."""
    login(request, user, backend=BACKEND)
    response = redirect(next_url(request))
    response.delete_cookie(_WANTED, samesite="Lax")
    return response


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def signin(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _signin_by_password(request)
    return show_signin(request)


def show_signin(
    request: HttpRequest,
    refusal: Refusal | None = None,
    *,
    form: AuthenticationForm | None = None,
    status: int = 200,
    dead_link: bool = False,
) -> HttpResponse:
    """The page with every way to sign in that this site has."""
    form = form or AuthenticationForm(request)
    if mail.is_ready():  # the first field of the page is another
        form.fields["username"].widget.attrs.pop("autofocus", None)
    context = {
        "form": form,
        "refusal": refusal or "",
        "email": request.POST.get("email", ""),
        "by_mail": mail.is_ready(),
        "provider": settings.OIDC_NAME if signup.has_provider() else "",
        "signup": signup.is_open(),
        "next": next_url(request),
        "dead_link": dead_link,
    }
    return remember_next(request, render(request, "listening/signin.html", context, status=status))


def _signin_by_password(request: HttpRequest) -> HttpResponse:
    address, name = address_of(request), request.POST.get("username", "").casefold()[:150]
    limits = {
        throttling.SIGNIN_NAME_HERE: f"{name}\n{address}",
        throttling.SIGNIN_ADDRESS: address,
        throttling.SIGNIN_NAME: name,
    }
    # Before checking the password, so that the answer does not reveal whether it is right.
    throttling.check_limits(limits)
    form = AuthenticationForm(request, request.POST)
    if form.is_valid():
        throttling.forget_tries(throttling.SIGNIN_NAME_HERE, f"{name}\n{address}")
        return let_in(request, form.get_user())
    for limit, whose in limits.items():
        throttling.count_try(limit, whose)
    return show_signin(request, form=form)


@never_cache
@require_http_methods(["GET", "POST"])
def signin_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether to sign in, and do it when asked to: programs that look into mails follow every link."""
    address = address_of(request)
    throttling.check_limits({throttling.SIGNIN_ADDRESS: address})
    is_asked = request.method == "POST"
    with show_refusals_on(lambda refusal: show_signin(request, refusal, status=refusal.status)):
        user = accounts.use_signin_link(token) if is_asked else accounts.user_of_signin_link(token)
    if user is None:
        throttling.count_try(throttling.SIGNIN_ADDRESS, address)
        return show_signin(request, status=410, dead_link=True)
    if not is_asked:
        return render(request, "listening/signin_link.html", {"person": user, "next": next_url(request)})
    return let_in(request, user)


@action
def signout(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)
