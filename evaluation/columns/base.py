"""The base of the models that JSON columns hold."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, NoReturn, TypeVar, cast

from django.utils.translation import gettext as _
from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from evaluation.columns.problems import BadColumn, problems_of

T = TypeVar("T")

Json = JsonValue
JsonObject = dict[str, JsonValue]


@dataclass(frozen=True)
class _Limits:
    """Annotates a number with its inclusive limits; the message names them."""

    low: float | None = None
    high: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> JsonObject:
        limits = {"minimum": self.low, "maximum": self.high}
        return {"type": self.kind} | {name: limit for name, limit in limits.items() if limit is not None}

    kind: ClassVar[str]

    def check(self, value: object) -> int | float:
        raise NotImplementedError

    def fits(self, value: int | float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def refuse(message: str) -> NoReturn:
    """Refuse the value under validation with this message."""
    raise PydanticCustomError("refused", "{message}", {"message": message})


def refuse_at(place: str | int, message: str) -> NoReturn:
    """Refuse the entry at `place`, a key or an index, of the object or list under validation."""
    error = PydanticCustomError("refused", "{message}", {"message": message})
    raise ValidationError.from_exception_data("", [{"type": error, "loc": (place,), "input": None}])


class Whole(_Limits):
    """Annotates a whole number; JSON's true and 1.0 are refused."""

    kind = "integer"

    def check(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and self.fits(value):
            return value
        if self.low is None:
            refuse(_("must be a whole number."))
        if self.high is None:
            refuse(_("must be a whole number from %(low)s.") % {"low": self.low})
        refuse(_("must be a whole number from %(low)s to %(high)s.") % {"low": self.low, "high": self.high})


class Real(_Limits):
    """Annotates a finite number; whole numbers stay whole: 24 is not stored as 24.0."""

    kind = "number"

    def check(self, value: object) -> int | float:
        finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if finite and self.fits(value):  # type: ignore[arg-type]
            return value  # type: ignore[return-value]
        if self.low is None or self.high is None:
            refuse(_("must be a number."))
        refuse(
            _("must be a number from %(low)s to %(high)s.")
            % {"low": f"{self.low:g}", "high": f"{self.high:g}"}
        )


Number = Annotated[float, Real()]


class Column(BaseModel):
    """An object in a JSON column.

    It is immutable; `model_copy(update=...)` makes a changed copy. Only keys that were set are stored, so an
    empty object stays ``{}``; a missing key means the default. An object is true if any key is set and
    equals its stored JSON. Templates read fields by their stored names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        """Refuse unknown keys by name; the message lists the known ones."""
        if isinstance(data, cls):
            return data
        names = sorted(field.alias or name for name, field in cls.model_fields.items())
        known = ", ".join(names) or "-"
        if not isinstance(data, Mapping):
            refuse(_("must be an object with no other keys than %(known)s.") % {"known": known})
        if cls.model_config.get("extra") == "forbid":
            unknown = [key for key in data if key not in names]
            if unknown:
                message = _("%(key)r does not belong here: the only keys are %(known)s.")
                said = message % {"key": unknown[0], "known": known}
                raise PydanticCustomError("unknown_key", "{message}", {"message": said, "key": unknown[0]})
        return data

    def to_json(self) -> JsonObject:
        """The JSON that the column stores."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def __bool__(self) -> bool:
        return bool(self.model_fields_set)

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other if isinstance(other, Mapping) else super().__eq__(other)

    def __getitem__(self, key: str) -> Any:
        for name, field in type(self).model_fields.items():
            if key == (field.alias or name):
                return getattr(self, name)
        return (self.model_extra or {})[key]


class Shown:
    """Annotates a value that is validated elsewhere with the schema to show in the API's documentation."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> Any:
        found: Any = adapter_of(self.schema).core_schema
        if isinstance(self.schema, type) and issubclass(self.schema, BaseModel):
            # The reference gives the model its own entry among the document's components.
            name = f"{self.schema.__module__}.{self.schema.__qualname__}:{id(self.schema)}"
            found = {**found, "ref": name}
        return handler(found)


@cache
def adapter_of(schema: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", schema))


def parse(schema: type[T], value: object, column: str) -> T:
    """Validate `value`, JSON or already parsed, as `schema`; `column` names it in messages.

    Raises:
        BadColumn: it does not fit; the error names every problem with its path.
    """
    try:
        # mypy does not treat a type as hashable.
        adapter: TypeAdapter[T] = adapter_of(schema)  # type: ignore[arg-type]
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        raise BadColumn(column, problems_of(error)) from None
