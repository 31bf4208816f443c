"""Demo pages as visitors meet them: page, sounds, picture, the frame for other sites, the gallery."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evaluation.access import role_of, viewer
from evaluation.contexts import Context
from evaluation.web.views.downloads import send_file
from listening.demos import pages
from listening.demos.publishing import SOUND_TYPE
from listening.models import Demo, DemoVersion
from listening.web.security import allow_microphone, allow_sources
from listening.web.views.voices import voice_context


def version_context(version: DemoVersion) -> Context:
    """The context of ``_page.html`` for a published version, with the site's addresses."""
    token = version.demo.token

    def address_of(position: int, system: str) -> str:
        return reverse("demo_sound", args=[token, version.number, position, system])

    return pages.page_context(version.content, version.facts, address_of) | {"level_note": pages.level_note()}


@require_safe
def demo(request: HttpRequest, token: str, number: int | None = None) -> HttpResponse:
    """A published page: the latest version, or the one with this number."""
    version = pages.version_for(viewer(request), token, number)
    latest = pages.version_for(viewer(request), token)
    context = version_context(version) | {
        "version": version,
        "latest": latest,
        "own": bool(role_of(viewer(request), version.demo)),
        "address": f"{settings.SITE_URL}{reverse('demo', args=[token])}",
        "picture": f"{settings.SITE_URL}{reverse('demo_picture', args=[token, version.number])}"
        if version.picture
        else "",
        "voice": voice_context(version),
    }
    response = render(request, "listening/demos/page.html", context)
    if context["voice"]:
        allow_microphone(response)
    return _keep_from_robots(response, version.demo)


@require_safe
def embed(request: HttpRequest, token: str) -> HttpResponse:
    """The recordings and the player alone, in a frame of any site."""
    version = pages.version_for(viewer(request), token)
    context = version_context(version) | {
        "version": version,
        "embed": True,
        "address": f"{settings.SITE_URL}{reverse('demo', args=[token])}",
    }
    response = render(request, "listening/demos/embed.html", context)
    allow_sources(response, frame_ancestors=["*"])
    return _keep_from_robots(response, version.demo)


def _keep_from_robots(response: HttpResponse, demo: Demo) -> HttpResponse:
    """A page that is not public is found by its link only."""
    if demo.visibility != Demo.Visibility.PUBLIC:
        response["X-Robots-Tag"] = "noindex"
    return response


@require_safe
def sound(request: HttpRequest, token: str, number: int, position: int, system: str) -> HttpResponseBase:
    """A sound of a published version, 16-bit FLAC."""
    version = pages.version_for(viewer(request), token, number)
    row = get_object_or_404(version.sounds, position=position, system=system)
    return _send(request, version, row.audio, SOUND_TYPE, f"{position + 1}-{system}.flac")


@require_safe
def picture(request: HttpRequest, token: str, number: int) -> HttpResponseBase:
    """The picture that link previews show."""
    version = pages.version_for(viewer(request), token, number)
    if not version.picture:
        raise Http404("This page has no picture.")
    return _send(request, version, version.picture, "image/png", "picture.png")


def _send(
    request: HttpRequest, version: DemoVersion, file: object, content_type: str, name: str
) -> HttpResponseBase:
    response = send_file(request, file, content_type, name)  # type: ignore[arg-type]
    # A version never changes, but its page may become private.
    private = version.demo.visibility == Demo.Visibility.PRIVATE
    response["Cache-Control"] = "private, max-age=300" if private else "public, max-age=3600"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"  # link previews, players of other pages
    return response


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """All public demo pages."""
    context = {"demos": pages.gallery(), "section": "gallery"}
    return render(request, "listening/demos/gallery.html", context)
