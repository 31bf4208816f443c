"""A study's files: short tables and documents at once; long ones, and the archive, by a worker."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from listening.delivery import files
from listening.interchange import exports, study_files
from listening.interchange.archive.write import DOCUMENT
from listening.models import MadeFile, Study
from listening.web.views.sealing import grades_page

ARCHIVE = "archive.zip"


def export_file(
    user: Any, study: Study, name: str, kind: str = "real", *, personal: bool = False
) -> HttpResponseBase | MadeFile:
    """A file of the study: the answer that carries it, or the row of the one that a worker makes.

    Raises:
        Http404: it has none of that name, or there is no such kind of sessions.
    """
    said = "yes" if personal else "no"
    if name == ARCHIVE:  # it holds every sound
        return files.ask_for(user, MadeFile.Kind.ARCHIVE, study, personal=said)
    if name == DOCUMENT:
        kind = "real"  # it has all kinds, whatever was asked for
    try:
        if study_files.is_long(study, name, kind):
            return files.ask_for(user, MadeFile.Kind.EXPORT, study, name=name, kind=kind, personal=said)
        parts = study_files.parts_of(study, name, kind, personal=personal)
    except ValueError:
        raise Http404("There is no such kind of sessions.") from None
    except KeyError:
        raise Http404("This study has no such file.") from None
    saved = study_files.saved_name(study, name, kind)
    # Whole, since JSON that breaks off cannot be read; lines of a table can.
    content = b"".join(parts) if name == DOCUMENT else parts
    return exports.file_response(content, saved, files.content_type_of(saved))


@grades_page
def export(request: HttpRequest, study: Study, name: str) -> HttpResponseBase:
    """A file of the study by its name; ``?kind=pilot|simulated``, ``?personal=yes``."""
    personal = request.GET.get("personal") == "yes"
    kind = request.GET.get("kind", "real")
    found = export_file(request.user, study, name, kind, personal=personal)
    return redirect(found) if isinstance(found, MadeFile) else found
