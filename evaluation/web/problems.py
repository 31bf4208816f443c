"""What the API says of a refusal, in its description, and what all uploads by the API have in common."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import Field

from evaluation.refusals import Refusal


class FieldProblem(Schema):
    path: str = Field(description="of the field in what was sent, such as questionnaire.0.label")
    message: str


class Problem(Schema):
    """A refusal as RFC 9457 writes it, sent as application/problem+json."""

    type: str = Field(description="about:blank: the status says what kind it is")
    title: str = Field(description="of the status")
    status: int
    detail: str = Field(description="why, for a person")
    errors: list[FieldProblem] = Field([], description="field by field, where fields are to blame")


class BodyTooLarge(Refusal):
    """A body that announces more bytes than are taken: it is refused before it is read."""

    status = 413


class FileMissing(Refusal):
    """A form without the file that it is for."""

    status = 422

    def __init__(self) -> None:
        message = _("Send it as multipart/form-data in a field named 'file'.")
        super().__init__(message, fields={"file": message})


def announced_bytes(request: HttpRequest) -> int:
    """How many bytes the body has by its header; 0 where that says nothing."""
    announced = request.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else 0


def check_length(request: HttpRequest, limit: float) -> None:
    """Raise `BodyTooLarge` if the body of `request` announces more bytes than `limit`."""
    size = announced_bytes(request)
    if size > limit:
        raise BodyTooLarge(
            _("The request has %(size).1f MB; %(limit).0f MB are the most."),
            size=size / 1e6,
            limit=limit / 1e6,
        )
