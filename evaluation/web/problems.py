"""Schemas of the API's refusals, and checks that all its uploads share."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import Field

from evaluation.refusals import Refusal


class FieldProblem(Schema):
    path: str = Field(description="path of the field in the request, such as questionnaire.0.label")
    message: str


class Problem(Schema):
    """A refusal as RFC 9457 writes it, sent as application/problem+json."""

    type: str = Field(description="about:blank: the status is the type")
    title: str = Field(description="of the status")
    status: int
    detail: str = Field(description="the reason, for a person")
    errors: list[FieldProblem] = Field([], description="messages by field, if fields are wrong")


class BodyTooLarge(Refusal):
    """The request's Content-Length is over the limit; it is refused before it is read."""

    status = 413


class FileMissing(Refusal):
    """A form without its file."""

    status = 422

    def __init__(self) -> None:
        message = _("Send it as multipart/form-data in a field named 'file'.")
        super().__init__(message, fields={"file": message})


def announced_bytes(request: HttpRequest) -> int:
    """The body's size by its Content-Length header; 0 if that is missing."""
    announced = request.headers.get("Content-Length", "")
    return int(announced) if announced.isdecimal() else 0


def check_length(request: HttpRequest, limit: float) -> None:
    """Raise `BodyTooLarge` if the Content-Length of `request` is over `limit`."""
    size = announced_bytes(request)
    if size > limit:
        raise BodyTooLarge(
            _("The request has %(size).1f MB; the limit is %(limit).0f MB."),
            size=size / 1e6,
            limit=limit / 1e6,
        )
