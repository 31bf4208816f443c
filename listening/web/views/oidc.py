"""Signing in by a provider of OpenID Connect: the authorization code flow with PKCE, by Authlib.

Authlib, with requests and cryptography, is imported where somebody signs in so: no other page waits for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from evaluation.refusals import Refusal
from listening.people import signup
from listening.web.views.accounts import let_in, remember_next


class ProviderProblem(Refusal):
    """The provider cannot be reached, refused, or answered something that cannot be trusted."""

    status = 502
    title = _("You are not signed in")


@lru_cache(maxsize=4)
def _client(issuer: str, client_id: str, secret: str) -> Any:
    """Authlib's client, which learns addresses and keys from the provider once."""
    from authlib.integrations.django_client import OAuth

    made = OAuth()
    made.register(
        name="oidc",
        client_id=client_id,
        client_secret=secret or None,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256", "timeout": 20},
    )
    return made.oidc


def _provider() -> Any:
    if not signup.has_provider():
        raise Http404("No provider is set up.")
    return _client(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


@never_cache
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Go to the provider. State, nonce and the verifier of PKCE stay in the session."""
    from requests import RequestException

    provider = _provider()
    back = f"{settings.SITE_URL}{reverse('oidc_back')}"
    try:
        response: HttpResponse = provider.authorize_redirect(request, back)
    except (RequestException, ValueError, RuntimeError) as error:
        text = _("%(provider)s cannot be reached. Try again, or sign in in another way.")
        raise ProviderProblem(text, provider=settings.OIDC_NAME) from error
    return remember_next(request, response)


@never_cache
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """Come back from the provider: check what it says, and sign in."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    provider = _provider()
    try:
        token = provider.authorize_access_token(request)
        claims = dict(token.get("userinfo") or {})
        if "email" not in claims and provider.load_server_metadata().get("userinfo_endpoint"):
            more = dict(provider.userinfo(token=token))
            claims |= more if more.get("sub") == claims.get("sub") else {}
    except (AuthlibBaseError, JoseError, RequestException, ValueError, RuntimeError) as error:
        text = _("%(provider)s did not sign you in (%(error)s). Try again, or sign in in another way.")
        said = getattr(error, "error", "") or type(error).__name__
        raise ProviderProblem(text, provider=settings.OIDC_NAME, error=str(said)[:100]) from error
    if not claims.get("sub"):
        raise ProviderProblem(_("%(provider)s did not say who you are."), provider=settings.OIDC_NAME)
    user = signup.user_of_identity(settings.OIDC_ISSUER, claims)
    return let_in(request, user)
