"""Whatever the API does not know, in a body, a form or a query, is refused by name and with its path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evaluation.outputs.batches import save_system
from listening.models import Study
from listening.web.api import api
from tests.evaluation.conftest import script_of
from tests.problems import detail_of, fields_of

JSON, FORM = "application/json", "multipart/form-data"
#: A value for each kind of path parameter; no row needs to be there, since nothing is looked up before.
SOMEWHERE = "61bee8fa-0cbe-469f-af90-e13ee3f950f6"  # the same in all processes that collect


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation: method, address with `SOMEWHERE` in it, and description."""
    for path, by_method in document()["paths"].items():
        address = path
        for parameter in next(iter(by_method.values())).get("parameters", ()):
            if parameter["in"] == "path" and parameter["schema"]["type"] == "integer":
                address = address.replace(f"{{{parameter['name']}}}", "1")
        for name in ("name", "suffix"):
            address = address.replace(f"{{{name}}}", "grades" if name == "name" else "svg")
        while "{" in address:
            start, end = address.index("{"), address.index("}")
            address = address[:start] + SOMEWHERE + address[end + 1 :]
        for method, described in by_method.items():
            yield method, address, described


def media_of(described: dict[str, Any], kind: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = described.get("requestBody", {}).get("content", {}).get(kind)
    return found


def send(client: Client, method: str, address: str, described: dict[str, Any], more: Any = ()) -> Any:
    """Send the smallest body that the operation takes, and more."""
    if media_of(described, FORM):
        return client.post(address, {"file": SimpleUploadedFile("x.csv", b"x"), **dict(more)})
    content = media_of(described, JSON)
    body = {**(example_of(content["schema"]) if content else {}), **dict(more)}
    return client.generic(method.upper(), address, json.dumps(body), content_type=JSON)


def test_an_unknown_query_parameter_is_refused_by_name_everywhere(client: Client) -> None:
    for method, address, described in operations():
        answer = send(client, method, f"{address}?screning=mpeg", described)
        assert "'screning' does not belong here" in detail_of(answer, 422), (method, address)
        assert list(fields_of(answer)) == ["screning"], (method, address)


def test_an_unknown_key_of_a_body_is_refused_by_name_everywhere(client: Client, alice: User) -> None:
    system = save_system(alice, "Mine").slug
    for method, address, described in operations():
        if method in ("get", "delete"):
            continue  # their bodies mean nothing
        if media_of(described, FORM) and "/outputs" in address:
            address = f"/api/systems/{system}/outputs"
        answer = send(client, method, address, described, {"colour": "red"})
        assert "colour" in detail_of(answer, 422), (method, address)
        assert list(fields_of(answer)) == ["colour"], (method, address)


def test_a_key_that_is_given_twice_is_refused_by_name_everywhere(client: Client) -> None:
    """The last value counted, and the others were lost without a word."""
    tried = 0
    for method, address, described in operations():
        content = media_of(described, JSON)
        parameters = [each for each in described.get("parameters", []) if each["in"] == "query"]
        for name in [each["name"] for each in parameters if each["schema"].get("type") != "array"]:
            answer = send(client, method, f"{address}?{name}=a&{name}=b", described)
            # A value that is not one of the parameter's is refused first, by the same name.
            assert list(fields_of(answer)) == [name], (method, address)
        if content is None or method == "delete":
            continue
        tried += 1
        body = json.dumps({"known": {"inner": [{}, {"key": 1}]}}).replace('"key": 1', '"key": 1, "key": 2')
        for sent, path in ((body, "known.inner.1.key"), ('{"name": "a", "name": "a"}', "name")):
            answer = client.generic(method.upper(), address, sent, content_type=JSON)
            key = path.rpartition(".")[2]
            assert f"'{key}' is given more than once" in detail_of(answer, 422), address
            assert list(fields_of(answer)) == [path], (method, address)
    assert tried > 5


def test_a_field_of_a_form_that_is_given_twice_is_refused(client: Client) -> None:
    title = {"title": ["a", "b"], "file": SimpleUploadedFile("x.wav", b"x")}
    answer = client.post("/api/clips", title)
    assert list(fields_of(answer)) == ["title"]


def components() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"]
    return found


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = components()[schema["$ref"].rpartition("/")[2]]
    return schema


def example_of(schema: dict[str, Any]) -> Any:
    """The smallest value that a schema takes."""
    schema = resolve(schema)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: example_of(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [example_of(schema["items"])] * schema.get("minItems", 0)
    return {"string": SOMEWHERE, "boolean": True, "integer": 1, "number": 1.0}[kind or "string"]


def objects_in(schema: dict[str, Any], seen: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object with named keys that a body may hold, with its name."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and name in seen:
        return
    seen.add(name)
    schema = resolve(schema)
    if "properties" in schema:
        yield name or schema.get("title", "?"), schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *schema.get("oneOf", [])]
    for part in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from objects_in(part, seen)


def test_every_object_of_every_body_forbids_other_keys() -> None:
    found: dict[str, Any] = {}
    for _method, _address, described in operations():
        if content := media_of(described, JSON):
            found |= dict(objects_in(content["schema"], set()))
    assert len(found) > 15
    assert [name for name, schema in found.items() if schema.get("additionalProperties") is not False] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"items": [{"clip": SOMEWHERE, "colour": 1}]}, "items.0.colour"),
        ({"texts": {"colour": 1}}, "texts.colour"),
        ({"design": {"colour": 1}}, "design.colour"),
        ({"method_options": {"colour": 1}}, "method_options.colour"),
        ({"headphones": {"colour": 1}}, "headphones.colour"),
        ({"headphones": {"tests": [{"test": "huggins", "colour": 1}]}}, "headphones.tests.0.colour"),
        ({"recruitment": {"platform": "none", "colour": 1}}, "recruitment.colour"),
        ({"post_screening": {"colour": 1}}, "post_screening.colour"),
        ({"analysis": {"colour": 1}}, "analysis.colour"),
        ({"questionnaire": [{"name": "a", "label": "A", "type": "text", "colour": 1}]}, "questionnaire.0"),
    ],
)
def test_keys_inside_settings_have_their_paths(
    client: Client, study: Study, body: dict[str, Any], path: str
) -> None:
    answer = client.patch(f"/api/studies/{study.pk}", body, content_type=JSON)
    assert "colour" in detail_of(answer, 422 if path.startswith("items") else 400)
    assert list(fields_of(answer)) == [path]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/api/studies?status=opne", "status"),
        ("/api/studies?method=mushr", "method"),
        ("/api/studies?limit=-1", "limit"),
        ("/api/clips?public=perhaps", "public"),
        ("/api/studies/{study}/sessions?kind=imagined", "kind"),
        ("/api/studies/{study}/results?profile=zzz", "profile"),
        ("/api/studies/{study}/results?kind=imagined", "kind"),
        ("/api/studies/{study}/results?screening=zzz", "screening"),
        ("/api/studies/{study}/tests?profile=zzz", "profile"),
        ("/api/studies/{study}/report.pdf?kind=imagined", "kind"),
        ("/api/studies/{study}/files/ratings.csv?kind=imagined", "kind"),
        ("/api/studies/{study}/files/archive.zip?kind=imagined", "kind"),
        ("/api/studies/{study}/files/ratings.csv?personal=ja", "personal"),
        ("/api/imports/" + SOMEWHERE + "?rule=middle", "rule"),
    ],
)
def test_a_value_that_a_parameter_does_not_have_is_refused(
    client: Client, study: Study, address: str, path: str
) -> None:
    answer = client.get(address.format(study=study.pk))
    assert answer.status_code in (400, 422), answer.content
    assert detail_of(answer, answer.status_code)
    assert list(fields_of(answer)) == [path]


def test_refused_contents_have_their_paths(client: Client, study: Study) -> None:
    item = study.items.exclude(training=True).first()
    assert item is not None
    clip = str(item.clip_id)
    new = {"name": "New", "systems": ["opus-9k"], "items": [{"clip": clip}]}
    for change, paths in (
        ({"items": [{"clip": clip}, {"clip": clip, "start": 7.0, "end": 9.0}]}, ["items.1"]),
        ({"items": [{"clip": clip, "training": True}]}, ["items"]),
        ({"items": [{"clip": clip}] * 61}, ["items"]),
        ({"items": [], "clips": []}, ["clips"]),
        ({"systems": ["original"]}, ["systems"]),
        ({"systems": ["mp3"]}, ["systems"]),
        ({"systems": ["opus-12k"]}, ["systems"]),
        ({"method": "mushr"}, ["method"]),
        ({"method": "abx", "method_options": {"pairs": [["opus-9k", "x"]]}}, ["method_options.pairs"]),
        ({"method": "ab", "method_options": {"pairs": "systems"}}, ["method_options.pairs"]),
        ({"design": {"systems_per_trial": 0}}, ["design.systems_per_trial"]),
    ):
        answer = client.post("/api/studies", {**new, **change}, content_type=JSON)
        assert answer.status_code in (400, 422), answer.content
        assert list(fields_of(answer)) == paths, change
    assert Study.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/api/clips", "file"),
        ("/api/studies/import", "file"),
        ("/api/scores", "file"),
        ("/api/studies/{study}/scores", "file"),
        ("/api/systems/{system}/outputs", "file"),
    ],
)
def test_a_refused_file_is_named(client: Client, alice: User, study: Study, address: str, path: str) -> None:
    system = save_system(alice, "Mine").slug
    damaged = SimpleUploadedFile("x.zip", b"PK\x03\x04 no zip")
    answer = client.post(address.format(study=study.pk, system=system), {"file": damaged})
    assert answer.status_code in (400, 422), answer.content
    assert list(fields_of(answer)) == [path]
