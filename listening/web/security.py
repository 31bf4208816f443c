"""The Content-Security-Policy and related headers, and the client's address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

#: Everything is loaded from this site: no inline scripts, no inline styles, no other sites.
POLICY: dict[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "media-src": ("'self'", "blob:"),
    "connect-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}

HEADERS = {
    "Permissions-Policy": "autoplay=(self), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def allow_sources(response: HttpResponseBase, **more: Iterable[str]) -> None:
    """Allow one response more sources than `POLICY` does.

    Args:
        response: the response to change.
        more: origins by directive, with ``_`` for ``-``: ``frame_ancestors=["https://*.example.org"]``
            also removes X-Frame-Options, which does not support origins.
    """
    allowed = getattr(response, "policy_additions", {})
    for name, origins in more.items():
        directive = name.replace("_", "-")
        allowed[directive] = (*allowed.get(directive, ()), *origins)
    response.policy_additions = allowed  # type: ignore[attr-defined]
    if "frame-ancestors" in allowed:
        response.xframe_options_exempt = True  # type: ignore[attr-defined]


def allow_microphone(response: HttpResponseBase) -> None:
    """Let the scripts of one page, but of no frame in it, ask for the microphone."""
    response["Permissions-Policy"] = HEADERS["Permissions-Policy"].replace(
        "microphone=()", "microphone=(self)"
    )


def policy_of(response: HttpResponseBase) -> str:
    """The Content-Security-Policy of a response: `POLICY` with the additions of `allow_sources`."""
    policy = dict(POLICY)
    for directive, origins in getattr(response, "policy_additions", {}).items():
        kept = tuple(origin for origin in policy.get(directive, ()) if origin != "'none'")
        policy[directive] = tuple(dict.fromkeys((*kept, *origins)))
    return "; ".join(f"{directive} {' '.join(origins)}" for directive, origins in policy.items())


def address_of(request: HttpRequest) -> str:
    """The client's IPv4 address, or the /64 network of its IPv6 address.

    Behind `settings.TRUSTED_PROXIES` proxies, it is the address that the outermost of them reports; further
    entries of X-Forwarded-For come from the client and are ignored.
    """
    text = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(forwarded) >= settings.TRUSTED_PROXIES and forwarded[-settings.TRUSTED_PROXIES]:
            text = forwarded[-settings.TRUSTED_PROXIES]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
