"""A study's files: tables, the document, the archive."""

from __future__ import annotations

import tempfile

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from listening.interchange import exports
from listening.interchange.archive.write import document, write_archive
from listening.models import Study
from listening.web.views.sealing import grades_page

#: Larger archives lie on the disk while they are sent.
_IN_MEMORY = 8_000_000

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def table_response(study: Study, name: str, kind: str = "real", *, personal: bool = False) -> HttpResponse:
    """One of the study's tables. Raises `Http404` if it has none of that name or there is no such kind."""
    try:
        found = exports.table(study, name, kind, personal=personal)
    except ValueError:
        raise Http404("There is no such kind of sessions.") from None
    except KeyError:
        raise Http404("This study has no such file.") from None
    stem, suffix = name.rsplit(".", 1)
    tag = "" if kind == "real" else f"-{kind}"
    return exports.file_response(found, f"{stem}{tag}-{study.pk}.{suffix}", CONTENT_TYPES[suffix])


def document_response(study: Study, *, personal: bool = False) -> HttpResponse:
    """``study.json``."""
    content = document(study, personal=personal).encode()
    return exports.file_response(content, f"study-{study.pk}.json", CONTENT_TYPES["json"])


def archive_response(study: Study, *, personal: bool = False) -> FileResponse:
    """The archive, written to a temporary file first: it is complete before the first byte is sent."""
    target = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- the response closes it
    write_archive(study, target, personal=personal)
    target.seek(0)
    response = FileResponse(
        target, as_attachment=True, filename=f"earshot-{study.pk}.zip", content_type="application/zip"
    )
    response["Cache-Control"] = "private, no-store"
    return response


@grades_page
def export(request: HttpRequest, study: Study, name: str) -> HttpResponseBase:
    """A file of the study by its name; ``?kind=pilot|simulated``, ``?personal=yes``."""
    personal = request.GET.get("personal") == "yes"
    if name == "archive.zip":
        return archive_response(study, personal=personal)
    if name == "study.json":
        return document_response(study, personal=personal)
    return table_response(study, name, request.GET.get("kind", "real"), personal=personal)
