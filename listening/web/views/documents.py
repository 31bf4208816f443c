"""The documentation: its list with the search, a document, its pictures."""

from __future__ import annotations

import mimetypes

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

import codec
from listening.web import documents


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """All documents, or the sections that contain the words ``q``."""
    query = request.GET.get("q", "").strip()[:100]
    context = {
        "section": "docs",
        "query": query,
        "hits": documents.search(query),
        "documents": documents.documents().values(),
    }
    return render(request, "listening/documents/index.html", context)


@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    found = documents.documents().get(name)
    if found is None:
        raise Http404("There is no such document.")
    context = {
        "section": "docs",
        "document": found,
        "documents": documents.documents().values(),
        "version": codec.__version__ if name == "changelog" else "",
    }
    return render(request, "listening/documents/document.html", context)


@require_safe
def picture(request: HttpRequest, name: str) -> FileResponse:
    path = documents.picture(name)
    if path is None:
        raise Http404("There is no such picture.")
    return FileResponse(path.open("rb"), content_type=mimetypes.guess_type(name)[0])
