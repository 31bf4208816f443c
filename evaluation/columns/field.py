"""The field of a JSON column that has a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from django.db import models
from django.db.models.expressions import Expression
from django.db.models.query_utils import DeferredAttribute
from pydantic import BaseModel, JsonValue

from codec.base import Note
from evaluation.columns import base
from evaluation.columns.notes import plain_note
from evaluation.columns.problems import BadColumn

_Set = TypeVar("_Set")
_Get = TypeVar("_Get")

if TYPE_CHECKING:

    class _JSONField(models.JSONField[_Set, _Get]): ...
else:

    class _JSONField(Generic[_Set, _Get], models.JSONField): ...


class _StoredObject(dict[str, JsonValue]):
    """An object as read from the database, not validated yet."""


class _StoredList(list[Any]):
    """A list as read from the database, not validated yet."""


_STORED = (_StoredObject, _StoredList)


def plain(value: Any) -> Any:
    """Convert `value` to JSON: models and notes become their stored form, everything else stays."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, Note):
        return plain_note(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


class _ColumnAttribute(DeferredAttribute):
    """Validates values when they are set and stored values when first read; remembers the original JSON.

    A column that is not read costs nothing, and an invalid row does not prevent listing the others.
    """

    field: TypedJSONField[Any, Any]

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        held = super().__get__(instance, cls)
        if isinstance(held, _STORED):
            instance.__dict__[name] = value = self.field.read(held, instance)
            return value
        if self.field.schema_of is not None and isinstance(held, BaseModel):
            return self.field.parse(plain(held), instance)  # the columns that it depends on may have changed
        return held

    def __set__(self, instance: models.Model, value: Any) -> None:
        name = self.field.attname
        given = value
        if not isinstance(value, _STORED) and not hasattr(value, "resolve_expression"):
            value = self.field.parse(value, instance)
        instance.__dict__[name] = value
        came = plain(given) if isinstance(given, dict | list) else None
        # `clean_fields` sets the validated value again, with keys in the order of the schema.
        if came is None or came != instance.__dict__.get(_original(name)):
            instance.__dict__[_original(name)] = came


def _original(name: str) -> str:
    return f"_{name}_as_stored"


class TypedJSONField(_JSONField[_Set, _Get]):
    """A `JSONField` whose value is an object of `schema`: a pydantic model, or any type pydantic knows.

    Args:
        schema: of the value.
        schema_of: returns a row's schema, part of `schema`, where it depends on the row's other columns.

    The column stores the keys that were set, in their original order if they were given as JSON. Migrations
    see a plain `JSONField`. ``values()`` gives the JSON itself.
    """

    descriptor_class = _ColumnAttribute

    def __init__(
        self: TypedJSONField[Any, _Get],
        schema: type[_Get],
        *args: Any,
        schema_of: Callable[[Any], type[_Get]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.schema, self.schema_of = schema, schema_of
        super().__init__(*args, **kwargs)

    def clone(self) -> Self:
        _, _, args, kwargs = self.deconstruct()
        own: Any = type(self)
        other: Self = own(self.schema, *args, schema_of=self.schema_of, **kwargs)
        return other

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", list(args), kwargs

    # -- Python's side

    def parse(self, value: object, instance: models.Model | None = None) -> Any:
        """Validate `value` as an object of the schema; None, Django's initial value, is returned unchanged.

        Raises:
            BadColumn: it does not fit.
        """
        if value is None:
            return None
        if self.schema_of is None:
            return base.parse(self.schema, value, self.name)
        if instance is None:  # a bulk update: each row validates it when it is read
            return plain(value)
        return base.parse(self.schema_of(instance), value, self.name)

    def read(self, stored: Any, instance: models.Model) -> Any:
        """Parse a row's stored value; the error names the row."""
        try:
            return self.parse(stored, instance)
        except BadColumn as error:
            row = f"{instance._meta.verbose_name} {instance.pk}"
            raise BadColumn(error.column, error.problems, row) from None

    def as_stored(self, instance: models.Model) -> Any:
        """The column's JSON, with keys in the order of the database or of the input."""
        held = instance.__dict__.get(self.attname)
        if isinstance(held, _STORED):
            return held
        value = plain(getattr(instance, self.attname))
        original = instance.__dict__.get(_original(self.attname))
        return original if original is not None and original == value else value

    # -- The database's side

    def from_db_value(self, value: Any, expression: Expression, connection: Any) -> Any:
        value = super().from_db_value(value, expression, connection)
        if isinstance(value, dict):
            return _StoredObject(value)
        return _StoredList(value) if isinstance(value, list) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        held = model_instance.__dict__.get(self.attname)
        if hasattr(held, "resolve_expression"):
            return held
        value = self.as_stored(model_instance)
        # Mark it as validated, so that it is not validated twice.
        return _StoredObject(value) if isinstance(value, dict) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(plain(value), connection, prepared)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if value is not None and not hasattr(value, "as_sql") and not isinstance(value, _STORED):
            value = self.parse(value)
        return super().get_db_prep_save(value, connection)

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(plain(value))

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(plain(value), model_instance)

    def value_to_string(self, obj: models.Model) -> Any:
        return self.as_stored(obj)
