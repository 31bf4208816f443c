"""Converts a row's plain columns to JSON and back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from evaluation.columns import BadColumn, TypedJSONField
from evaluation.outputs.archives import ArchiveProblem

#: Columns that are not exported: secrets, foreign keys (rows are identified by name), the state of work.
KEPT_HERE: dict[str, frozenset[str]] = {
    "Study": frozenset({"owner", "token", "version", "archived"}),
    "StudyVersion": frozenset({"id", "study"}),
    "Item": frozenset({"id", "study", "clip"}),
    "Stimulus": frozenset({"id", "item", "rendition", "audio"}),
    "Session": frozenset({"study", "assessor", "token", "version"}),
    "Stage": frozenset({"id", "session"}),
    "Answer": frozenset({"id", "session"}),
    "Participation": frozenset({"id", "study", "session"}),
    "Deletion": frozenset({"id", "study"}),
    "Trial": frozenset({"id", "session", "item", "order"}),
    "Rating": frozenset({"id", "trial", "stimulus", "writer"}),
    "Choice": frozenset({"id", "trial", "chosen", "writer"}),
    "Event": frozenset({"id", "trial"}),
    "Clip": frozenset({"owner", "upload", "audio", "public"}),
    "Rendition": frozenset(
        {
            "clip",
            "upload",
            "audio",
            "bitstream",
            "attempts",
            "claim",
            "lease_until",
            "queued",
            "dispatched",
            "percent",
        }
    ),
    "Score": frozenset({"id", "rendition", "attempts", "claim", "lease_until", "queued", "dispatched"}),
    "UploadedSystem": frozenset({"id", "owner"}),
}


def columns(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """The columns of `model` that an archive holds, in the order of the model."""
    kept = KEPT_HERE[model.__name__]
    return [field for field in model._meta.concrete_fields if field.name not in kept]


def to_json(row: models.Model) -> dict[str, object]:
    return {field.name: _plain(row, field) for field in columns(type(row))}


def _plain(row: models.Model, field: models.Field[Any, Any]) -> Any:
    if isinstance(field, TypedJSONField):
        return field.as_stored(row)
    value = getattr(row, field.attname)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def from_json(
    model: type[models.Model], data: Any, where: str, *, skip: Iterable[str] = (), **relations: Any
) -> Any:
    """Make an unsaved row of `model` from the output of `to_json`; `skip` names columns to ignore.

    Columns missing in `data` get the model's defaults: an archive may be older than a column.

    Raises:
        ArchiveProblem: a value does not fit; the message has `where` and the column.
    """
    if not isinstance(data, Mapping):
        raise ArchiveProblem(
            _("%(where)s: expected an object, found %(name)s."), where=where, name=type(data).__name__
        )
    fields = {field.name: field for field in columns(model) if field.name not in set(skip)}
    values: dict[str, object] = {}
    checked: set[str] = set()
    for name, field in fields.items():
        if name not in data:
            continue
        value = data[name]
        if isinstance(field, models.DateTimeField) and value is not None:
            value = _moment(value, f"{where}, {name}")
        values[name] = value
        if not (isinstance(field, models.JSONField) and value in ({}, [])):  # these may be empty
            checked.add(name)
    try:
        row = model(**values, **relations)
        row.clean_fields(
            exclude=[column.name for column in model._meta.concrete_fields if column.name not in checked]
        )
    except BadColumn as error:
        raise ArchiveProblem(_("%(where)s, %(error)s"), where=where, error=error) from None
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise ArchiveProblem(
            _("%(where)s, %(name)s: %(messages)s"), where=where, name=name, messages=" ".join(messages)
        ) from None
    return row


def _moment(value: Any, where: str) -> datetime:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ArchiveProblem(
            _("%(where)s: %(value)r is not a date and time with a time zone."), where=where, value=value
        )
    return moment


def store(rows: Sequence[models.Model]) -> None:
    """Insert rows from `from_json`, keeping their times instead of the current time."""
    if not rows:
        return
    model = type(rows[0])
    automatic = [
        field.name
        for field in columns(model)
        if isinstance(field, models.DateTimeField) and (field.auto_now or field.auto_now_add)
    ]
    told = [{name: getattr(row, name) for name in automatic} for row in rows]
    model._default_manager.bulk_create(rows)  # sets them to the current time
    if automatic:
        for row, moments in zip(rows, told, strict=True):
            for name, moment in moments.items():
                setattr(row, name, moment or getattr(row, name))
        model._default_manager.bulk_update(rows, automatic, batch_size=500)


ENCODER = DjangoJSONEncoder
