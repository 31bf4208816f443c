"""What the API takes: bodies, query parameters and form fields; what it does not know, it refuses by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, Self

from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from ninja import Schema
from ninja.operation import Operation
from ninja.parser import Parser
from pydantic import ConfigDict
from pydantic_core import CoreSchema, core_schema

from evaluation.columns import Json, JsonObject
from evaluation.refusals import Message, Refusal, Text


class Body(Schema):
    """The base of all JSON bodies: a key that does not belong there is refused by name."""

    model_config = ConfigDict(extra="forbid")


class OneOf:
    """Annotates a text that must be one of `values`; the API's description lists them."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema(list(self.values))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> JsonObject:
        return {"type": "string", "enum": list(self.values)}


class UnknownKeys(Refusal):
    """A request with parameters, form fields or keys that its address does not know."""

    status = 422

    @classmethod
    def of(cls, unknown: Iterable[str], known: Iterable[str]) -> Self:
        """The refusal of the keys `unknown` where only `known` are."""
        names = ", ".join(sorted(known)) or "-"
        text = _("%(key)r does not belong here: the only keys are %(known)s.")
        fields: dict[str, Text] = {key: Message(text, key=key, known=names) for key in unknown}
        return cls(next(iter(fields.values())), fields=fields)


class RepeatedKeys(Refusal):
    """A request that gives one key several times: which of its values is meant is not known."""

    status = 422

    @classmethod
    def of(cls, key: str, path: str = "") -> Self:
        return cls.of_field(path or key, _("%(key)r is given more than once."), key=key)


def parse_json(text: bytes | str) -> Any:
    """Parse JSON. Python's own parser takes the last of several values of a key.

    Raises:
        ValueError: it is not JSON.
        RepeatedKeys: an object has a key twice; the refusal names its path.
    """
    repeated: dict[int, tuple[object, str]] = {}  # with the objects, so that no other one gets their ids

    def build(pairs: list[tuple[str, Json]]) -> JsonObject:
        found: JsonObject = {}
        for key, value in pairs:
            if key in found:
                repeated.setdefault(id(found), (found, key))
            found[key] = value
        return found

    whole = json.loads(text, object_pairs_hook=build)
    if repeated:
        path = _find_object(whole, repeated)
        raise RepeatedKeys.of(path.rpartition(".")[2], path)
    return whole


def _find_object(value: Any, marked: Mapping[int, tuple[object, str]]) -> str:
    """The path of the key that `marked` has for an object in `value`; empty if there is none."""
    if isinstance(value, dict):
        if id(value) in marked:
            return marked[id(value)][1]
        inside: Iterable[tuple[str | int, Any]] = value.items()
    else:
        inside = enumerate(value) if isinstance(value, list) else ()
    for place, each in inside:
        if path := _find_object(each, marked):
            return f"{place}.{path}"
    return ""


class BodyParser(Parser):
    """Parses the API's bodies. What it raises arrives as the cause of ninja's `HttpError`."""

    def parse_body(self, request: HttpRequest) -> Any:
        return parse_json(request.body)


def note_operation(run: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """For `NinjaAPI.add_decorator` with mode "view": tell the request which operation it has reached."""
    operation = run.__self__  # type: ignore[attr-defined]

    @wraps(run)
    def noted(request: HttpRequest, **values: Any) -> HttpResponseBase:
        request.operation = operation  # type: ignore[attr-defined]
        return run(request, **values)

    return noted


def refuse_unknown_keys(view: Callable[..., Any]) -> Callable[..., Any]:
    """For `NinjaAPI.add_decorator` with mode "operation": refuse what the operation does not take.

    It runs after authentication and validation. JSON bodies of operations that take one are checked by
    their schema, a `Body`; forms by `check_form`, since reading them here would read bodies of any size.
    """

    @wraps(view)
    def checked(request: HttpRequest, *where: Any, **values: Any) -> Any:
        operation: Operation = request.operation  # type: ignore[attr-defined]
        _refuse(request.GET, _names_of(operation, "query"))
        _refuse_repeated(request.GET, operation)
        if any(source in _sources(operation) for source in ("form", "file")):
            check_form(request)
        elif request.method != "DELETE" and "body" not in _sources(operation) and not operation.openapi_extra:
            _refuse(_keys_of(request), ())
        return view(request, *where, **values)

    return checked


def check_form(request: HttpRequest) -> None:
    """Refuse unknown fields of a form that the API takes. Call it when the body's length is checked.

    Raises:
        UnknownKeys: a field is not in the operation's description.
    """
    operation: Operation = request.operation  # type: ignore[attr-defined]
    known = {*_names_of(operation, "form"), *_names_of(operation, "file")}
    known |= set(_form_of(operation))
    _refuse([*request.POST, *request.FILES], known)
    _refuse_repeated(request.POST, operation)


def _refuse(given: Iterable[str], known: Collection[str]) -> None:
    if unknown := [key for key in dict.fromkeys(given) if key not in known]:
        raise UnknownKeys.of(unknown, known)


def _refuse_repeated(given: QueryDict, operation: Operation) -> None:
    several = {name for model in operation.models for name in model.__ninja_collection_fields__ or ()}
    several |= {name for name, field in _form_of(operation).items() if field.get("type") == "array"}
    if repeated := [key for key in given if len(given.getlist(key)) > 1 and key not in several]:
        raise RepeatedKeys.of(repeated[0])


def _form_of(operation: Operation) -> Mapping[str, JsonObject]:
    """The fields of a form that the operation's description has (`evaluation.web.multipart`), by name."""
    body = (operation.openapi_extra or {}).get("requestBody", {"content": {}})
    properties: Mapping[str, JsonObject] = body["content"].get(
        "multipart/form-data", {"schema": {"properties": {}}}
    )["schema"]["properties"]
    return properties


def _sources(operation: Operation) -> set[str]:
    return {model.__ninja_param_source__ or "" for model in operation.models}


def _names_of(operation: Operation, source: str) -> set[str]:
    """Names of the operation's parameters from this source, pagination's included."""
    names: set[str] = set()
    for model in operation.models:
        if model.__ninja_param_source__ == source:
            names |= set(getattr(model, "__ninja_flatten_map__", None) or model.model_fields)
    return names


def _keys_of(request: HttpRequest) -> list[str]:
    """The keys of a JSON object that was sent where no body is taken."""
    try:
        found = parse_json(request.body) if request.body else None
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []
