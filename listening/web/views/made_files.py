"""Files that a worker makes: the page that follows the work, and the file itself."""

from __future__ import annotations

from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from evaluation.access import viewer
from evaluation.models import Job
from evaluation.refusals import Refusal
from evaluation.web.guards import researcher_page
from evaluation.web.presentation import job_state
from listening.delivery import files
from listening.models import MadeFile
from listening.results.seal import check_unsealed
from listening.web.access import reader_of_grades, study_for


def file_of(request: HttpRequest, pk: UUID) -> MadeFile:
    """A file that this person asked for.

    Raises:
        Http404: it is somebody else's or its day is over, or it shows a study that they may not see any
            more.
        Forbidden: it has personal data, and they may only view the study now.
    """
    rows = MadeFile.objects.select_related("study", "demo")
    row = rows.filter(owner_id=viewer(request).pk, pk=pk).first()
    if row is None:
        raise Http404("There is no such file; a file is kept for a day.")
    if row.study is not None:
        least = reader_of_grades(personal=files.is_personal(row))
        check_unsealed(study_for(request, row.study.pk, least))
    return row


def file_response(row: MadeFile) -> FileResponse:
    """The file, once it is made.

    Raises:
        Refusal: it is not.
    """
    if row.status != Job.Status.DONE:
        raise Refusal(_("This file is not made yet."), status=409)
    name = files.name_of(row)
    content_type = files.content_type_of(name)
    response = FileResponse(row.file.open("rb"), as_attachment=True, filename=name, content_type=content_type)
    response["Cache-Control"] = "private, no-store"
    return response


@researcher_page
def made_file(request: HttpRequest, file_id: UUID) -> HttpResponse:
    """How far the file is, and then the link to it."""
    row = file_of(request, file_id)
    context = {
        "section": "demos" if row.demo else "studies",
        "title": files.title_of(row),
        "row": row,
        "job": job_state(row),
    }
    return render(request, "listening/made_file.html", context)


@researcher_page
def download(request: HttpRequest, file_id: UUID) -> FileResponse:
    return file_response(file_of(request, file_id))
