"""For whoever watches over the site: whether it works, and its figures."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from evaluation.http import bearer_token
from listening.operations.checks import CHECKS, Part, look_at_parts
from listening.operations.metrics import render_metrics
from listening.web.security import address_of

#: For programs of the operator, which read English.
_CLOSED = "Set METRICS_TOKEN or METRICS_NETWORKS, and send the token as Authorization: Bearer TOKEN.\n"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer. Nothing else is asked: neither the database nor the broker."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether each part works: 200 if all do, else 503; ``?exclude=queue`` leaves parts out.

    A line for each part, or JSON for whoever accepts it. What was found is only for those who may see
    /metrics: it names hosts.
    """
    without = frozenset(request.GET.getlist("exclude"))
    if unknown := sorted(without - CHECKS.keys()):
        return HttpResponse(f"There is no part {', '.join(unknown)}.\n", "text/plain", status=400)
    parts = look_at_parts(without)
    is_ready = all(part.is_ok for part in parts)
    shows_all = may_see_figures(request)
    status = 200 if is_ready else 503
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(
            {"ready": is_ready, "parts": {part.name: _describe(part, shows_all) for part in parts}},
            status=status,
        )
    lines = [
        f"{part.name}: {'ok' if part.is_ok else 'failed'}{f' ({part.text})' if shows_all else ''}\n"
        for part in parts
    ]
    return HttpResponse("".join(lines), content_type="text/plain; charset=utf-8", status=status)


def _describe(part: Part, shows_all: bool) -> dict[str, object]:
    return {"ok": part.is_ok, **({"found": part.text} if shows_all else {})}


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The site's figures for Prometheus, for those whom METRICS_TOKEN or METRICS_NETWORKS lets in."""
    if not may_see_figures(request):
        return HttpResponse(_CLOSED, content_type="text/plain", status=403)
    return HttpResponse(render_metrics(), content_type=CONTENT_TYPE_LATEST)


def may_see_figures(request: HttpRequest) -> bool:
    """Whether a program may see the site's figures: it has the token, or comes from one of the networks."""
    token = bearer_token(request)
    if settings.METRICS_TOKEN and token is not None:
        return constant_time_compare(token, settings.METRICS_TOKEN)
    try:
        address = ipaddress.ip_network(address_of(request))
    except ValueError:
        return False
    networks = (ipaddress.ip_network(text) for text in settings.METRICS_NETWORKS)
    return any(
        address.version == network.version and address.subnet_of(network)  # type: ignore[arg-type]
        for network in networks
    )
