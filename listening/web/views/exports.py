"""A study's files: tables and the document at once, the archive by a worker."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from listening.delivery import files
from listening.interchange import exports
from listening.interchange.archive.write import document
from listening.models import MadeFile, Study
from listening.web.views.sealing import grades_page

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def table_response(
    study: Study, name: str, kind: str = "real", *, personal: bool = False
) -> HttpResponseBase:
    """One of the study's tables. Raises `Http404` if it has none of that name or there is no such kind."""
    try:
        found = exports.table_parts(study, name, kind, personal=personal)
    except ValueError:
        raise Http404("There is no such kind of sessions.") from None
    except KeyError:
        raise Http404("This study has no such file.") from None
    stem, suffix = name.rsplit(".", 1)
    tag = "" if kind == "real" else f"-{kind}"
    return exports.file_response(found, f"{stem}{tag}-{study.pk}.{suffix}", CONTENT_TYPES[suffix])


def document_response(study: Study, *, personal: bool = False) -> HttpResponseBase:
    """``study.json``."""
    content = document(study, personal=personal).encode()
    return exports.file_response(content, f"study-{study.pk}.json", CONTENT_TYPES["json"])


def ask_for_archive(user: Any, study: Study, *, personal: bool) -> MadeFile:
    """Have a worker pack the archive: it holds every sound."""
    return files.ask_for(user, MadeFile.Kind.ARCHIVE, study, personal="yes" if personal else "no")


@grades_page
def export(request: HttpRequest, study: Study, name: str) -> HttpResponseBase:
    """A file of the study by its name; ``?kind=pilot|simulated``, ``?personal=yes``."""
    personal = request.GET.get("personal") == "yes"
    if name == "archive.zip":
        return redirect(ask_for_archive(request.user, study, personal=personal))
    if name == "study.json":
        return document_response(study, personal=personal)
    return table_response(study, name, request.GET.get("kind", "real"), personal=personal)
