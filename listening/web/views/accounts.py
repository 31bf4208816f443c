"""The front page, signing in and out."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from listening.study import selectors
from listening.web import accounts, throttling
from listening.web.security import address_of

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_GET
def front(request: HttpRequest) -> HttpResponse:
    """What this is, a clip to hear without an account, and the studies that look for listeners."""
    context = {"clip": selectors.front_clip(), "studies": selectors.listed_studies()}
    return render(request, "listening/front.html", context)


def _next_url(request: HttpRequest) -> str:
    """Where to go after signing in: `next`, unless it leads to another site."""
    url = request.POST.get("next") or request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure()):
        return url
    return resolve_url(settings.LOGIN_REDIRECT_URL)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def signin(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _signin_by_password(request)
    form = AuthenticationForm(request)
    return render(request, "listening/signin.html", {"form": form, "next": _next_url(request)})


def _signin_by_password(request: HttpRequest) -> HttpResponse:
    address, name = address_of(request), request.POST.get("username", "").casefold()[:150]
    limits = {
        throttling.SIGNIN_NAME_HERE: f"{name}\n{address}",
        throttling.SIGNIN_ADDRESS: address,
        throttling.SIGNIN_NAME: name,
    }
    # Before the password is looked at: a right one must not be told from a wrong one now.
    throttling.check_limits(limits)
    form = AuthenticationForm(request, request.POST)
    if form.is_valid():
        throttling.forget_tries(throttling.SIGNIN_NAME_HERE, f"{name}\n{address}")
        login(request, form.get_user())
        return redirect(_next_url(request))
    for limit, whose in limits.items():
        throttling.count_try(limit, whose)
    return render(request, "listening/signin.html", {"form": form, "next": _next_url(request)})


@never_cache
@require_GET  # not HEAD: what merely looks at a link must not use it up
def signin_link(request: HttpRequest, token: str) -> HttpResponse:
    address = address_of(request)
    throttling.check_limits({throttling.SIGNIN_ADDRESS: address})
    user = accounts.use_signin_link(token)
    if user is None:
        throttling.count_try(throttling.SIGNIN_ADDRESS, address)
        form = AuthenticationForm(request)
        context = {"form": form, "next": _next_url(request), "dead_link": True}
        return render(request, "listening/signin.html", context, status=410)
    login(request, user, backend=_BACKEND)
    return redirect(_next_url(request))


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)
