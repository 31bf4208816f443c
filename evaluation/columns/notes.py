"""Remarks in columns: stored by message and values, so that every page words them in its language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from django.db import models
from pydantic import GetJsonSchemaHandler, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from codec.base import Note
from evaluation.columns.base import JsonObject


def read_note(value: object) -> str:
    """A remark as stored: a text, as older rows hold it, or ``{"text": ..., "values": {...}}``."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(text := value.get("text"), str):
        values = value.get("values", {})
        if isinstance(values, Mapping) and not set(value) - {"text", "values"}:
            try:
                # A remark may be put together of others.
                inside = {name: read_note(each) if _is_note(each) else each for name, each in values.items()}
                return Note(text, **inside)
            except (TypeError, ValueError, KeyError):
                pass  # values that do not belong to the text
    raise PydanticCustomError("string_type", "must be text.")


def _is_note(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"text", "values"}


def plain_note(note: str) -> str | JsonObject:
    """The JSON of a remark."""
    if not isinstance(note, Note):
        return note
    values = {
        name: plain_note(each) if isinstance(each, Note) else each for name, each in note.values.items()
    }
    return cast("JsonObject", {"text": note.text, "values": values})


class _Schema:
    """What the API's documentation says of a remark: it shows the words."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonObject:
        return {"type": "string"}


#: A remark in a column: text, or a `codec.base.Note`; `evaluation.refusals.translate_note` words it.
StoredNote = Annotated[str, PlainValidator(read_note), PlainSerializer(plain_note), _Schema()]


if TYPE_CHECKING:
    _TextField: TypeAlias = models.TextField[str, str]
else:
    _TextField = models.TextField


class NoteField(_TextField):
    """A column of one remark: text, or a `codec.base.Note`, which it gives back with its message and values.

    A `Note` is stored as its JSON, everything else as it is; migrations see a plain `TextField`.
    """

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", list(args), kwargs

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        if value is None or not value.startswith(_BEGINNING):
            return value
        try:
            return read_note(json.loads(value))
        except ValueError:  # somebody's words that only begin like that
            return value

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Note):
            return json.dumps(plain_note(value), ensure_ascii=False, default=_plain_number)
        return super().get_prep_value(value)


#: Of every stored `Note`: `plain_note` puts the text first.
_BEGINNING = '{"text": '


def _plain_number(value: object) -> object:
    """NumPy's numbers as Python's; whatever else stands in a message as its words."""
    return value.item() if hasattr(value, "item") else str(value)
