"""Files that a worker makes, in the API: their state, and their content."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Field, Router, Schema, Status

from evaluation.contexts import Context
from evaluation.refusals import translate_note
from evaluation.web.problems import Problem
from listening.models import MadeFile
from listening.web.views.made_files import file_of, file_response

router = Router(tags=["files"])


class MadeFileOut(Schema):
    id: UUID
    status: str = Field(description="queued, running, done or failed")
    error: str = Field(description="why it failed")
    url: str = Field(description="of the content, which is there when the status is done")


def describe(row: MadeFile) -> Context:
    return {
        "id": row.pk,
        "status": row.status,
        "error": translate_note(row.error),
        "url": f"{settings.SITE_URL}/api/files/{row.pk}/content",
    }


def answer_made(row: MadeFile) -> Status[Context]:
    """The answer to whoever asked for a file: it is being made."""
    return Status(202, describe(row))


@router.get("/files/{uuid:file_id}", response=MadeFileOut, summary="How far a file is that a worker makes")
def get_made_state(request: HttpRequest, file_id: UUID) -> Context:
    """Repeat the request while it is queued or running. Files are kept for a day."""
    return describe(file_of(request, file_id))


@router.get("/files/{uuid:file_id}/content", response={409: Problem}, summary="A file that a worker has made")
def get_made_file(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """409 until it is made."""
    return file_response(file_of(request, file_id))
