"""docs/api.md: its Python runs in order against a site that really answers; its curl asks for the same."""

from __future__ import annotations

import json
import re
import shlex
import threading
import time
import urllib.parse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from time import sleep as really_sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.module_loading import import_string

from evaluation.models import Clip, Job, Rendition, Score
from evaluation.work import jobs
from listening.models import Preparation, Study
from listening.people import sharing
from listening.web import accounts
from listening.web.api import api
from listening.web.documents import documents
from tests.conftest import ROOT
from tests.evaluation.conftest import make_speech, make_wav
from tests.listening.conftest import SECONDS, SYSTEMS, listen, process
from tests.listening.interchange.imports.test_configuration import zipped
from tests.listening.interchange.imports.test_configuring import ALL
from tests.listening.interchange.imports.test_planning import PAIR, page, text_of

#: A section's heading, its blocks of shell and its blocks of Python.
Section = tuple[str, list[str], list[str]]


@cache
def description() -> dict[str, Any]:
    """The API's description."""
    return api.get_openapi_schema()


def sections() -> list[Section]:
    text = (ROOT / "docs" / "api.md").read_text()
    parts = re.split(r"^## (.*)\n", text, flags=re.M)[1:]
    found = zip(parts[::2], parts[1::2], strict=True)
    return [(heading, _blocks(part, "sh"), _blocks(part, "python")) for heading, part in found]


def _blocks(part: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", part, flags=re.M | re.S)


def request_of(line: str) -> tuple[str, str, Any]:
    """Method, path with query, and body of a curl line; a form's body is the list of its fields."""
    words = iter(shlex.split(line)[1:])
    method, path, body = "", "", None
    for word in words:
        if word in ("-H", "-o"):
            next(words)
        elif word == "-X":
            method = next(words)
        elif word == "--json":
            body = json.loads(next(words))
        elif word == "-F":
            body = [next(words).partition("=")[0]]
        else:
            path = word.removeprefix("$EARSHOT_URL/api")
            assert path != word, line
    return method or ("GET" if body is None else "POST"), path, body


def operation_of(method: str, path: str) -> tuple[str, str]:
    """The operation of the API's description that a request reaches: method and path with placeholders.

    Fixed words win over placeholders, as they do in the site's addresses.
    """
    path = "/api" + urllib.parse.urlsplit(path).path
    fitting = [
        template
        for template, operations in description()["paths"].items()
        if method.lower() in operations
        and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    assert fitting, f"{method} {path} is not in the API"
    return method, min(fitting, key=lambda template: template.count("{"))


def known_keys(operation: dict[str, Any]) -> set[str]:
    """Names in the body of an operation: properties of JSON, or fields of a form."""
    (content,) = operation["requestBody"]["content"].values()
    schema = content["schema"]
    for choice in [schema, *schema.get("anyOf", [])]:
        if "$ref" in choice:
            schema = description()["components"]["schemas"][choice["$ref"].rsplit("/", 1)[1]]
    return set(schema["properties"])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the document's reader has, in the folder where the test works."""
    speech = make_wav(make_speech(SECONDS))
    configuration = text_of(page(**{**PAIR, "id": "p1"}))
    (tmp_path / "speech.wav").write_bytes(speech)
    (tmp_path / "outputs.zip").write_bytes(zipped({"speech.wav": make_wav(0.9 * make_speech(SECONDS))}))
    (tmp_path / "old.csv").write_text("listener,item,system,score\n1,s,Reference,100\n1,s,A,20\n")
    (tmp_path / "webmushra.zip").write_bytes(zipped({"test.yaml": configuration.encode(), **ALL}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def work(seconds: float) -> None:
    """What workers do while a script waits: all that is queued, codecs and metrics replaced by rows.

    Two listeners take a study as soon as it is open. To wait while there is no work would never end. Threads
    of the site that wait for something of their own do wait.
    """
    if threading.current_thread() is not threading.main_thread():
        really_sleep(seconds)
        return
    done = 0
    for clip in Clip.objects.filter(renditions__status=Job.Status.QUEUED).distinct():
        clip.renditions.filter(status=Job.Status.QUEUED).delete()
        process(clip, SYSTEMS, make_speech(SECONDS))
        done += 1
    done += Score.objects.filter(status=Job.Status.QUEUED).update(status=Job.Status.DONE, value=3.0)
    for model, task in jobs.KINDS.items():
        if model in (Rendition, Score):
            continue
        for key in list(model._default_manager.filter(status=Job.Status.QUEUED).values_list("pk", flat=True)):
            import_string(task)(str(key))
            done += 1
            if model is Preparation and (study := Study.objects.get(pk=key)).status == Study.Status.OPEN:
                for grade in (80, 60):
                    listen(study, {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": grade})
    assert done


@pytest.fixture
def namespace(
    transactional_db: None, live_server: Any, alice: User, files: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Where the document's Python runs."""
    monkeypatch.setenv("EARSHOT_URL", live_server.url)
    monkeypatch.setenv("EARSHOT_TOKEN", accounts.make_api_token(alice))
    monkeypatch.setattr(time, "sleep", work)
    monkeypatch.setattr(jobs, "let_others_write", lambda: None)  # by sleeping, which is to work here
    return {}


def test_every_example_runs_and_its_curl_lines_ask_for_the_same(
    namespace: dict[str, Any], files: Path, settings: Any
) -> None:
    asked: set[tuple[str, str]] = set()
    for heading, shell, python in sections():
        asked.clear()
        for block in python:
            exec(compile(block, f"docs/api.md: {heading}", "exec"), namespace)  # noqa: S102 -- our own document
            if "def call" in block:
                assert len([line for line in block.splitlines() if line.strip()]) <= 10
                namespace["call"] = recorded(namespace["call"], asked)
        lines = [line for block in shell for line in block.splitlines() if line.startswith("curl ")]
        requests = [request_of(line) for line in lines]
        assert {operation_of(method, path) for method, path, _body in requests} == asked, heading

    given = namespace
    assert (given["made"]["status"], given["made"]["error"]) == ("open", "")
    assert given["made"]["listener_url"].startswith(f"{settings.SITE_URL}/t/")
    simulated = given["simulated"]  # of whom some may be screened out: the study's seed is random
    assert simulated["listeners"] + len(simulated["excluded"]) == 4
    means = {row["slug"]: row["mean"] for row in given["results"]["systems"]}
    assert (means["opus-9k"], means["anchor35"], means[given["mine"]]) == (70, 20, 50)
    assert "pairs" in given["tests"]
    assert [person["user"] for person in given["people"]] == ["alice", "bob"]
    said = [act["words"] for act in given["history"]]
    assert said[:5] == [
        "alice revoked an invitation.",
        "alice removed bob from the study.",
        "alice withdrew the offer of the study.",
        "alice offered the study to bob.",
        "alice made bob an editor.",
    ]
    assert (files / "ratings.csv").read_text().count("\n") == 1 + 2 * 2 * 5
    assert (given["page"]["status"], given["page"]["version"]) == ("done", 1)
    assert given["restored"]["study"]["id"] == given["study"]
    assert [row["title"] for row in given["every"]("/clips", search="speech")] == ["speech"]
    assert given["wait"](f"/studies/{failed_study(given['study'])}")["error"].endswith("No space left.")
    names = {"My test", "Our test of 2019", "From webMUSHRA"}
    assert set(Study.objects.values_list("name", flat=True)) == names
    assert {row["path"] for row in given["problem"]["errors"]} == {"clips.0", "colour"}


def failed_study(study_id: str) -> str:
    """Have the preparation of a study fail: its status stays, and its error says so."""
    Study.objects.filter(pk=study_id).update(status=Study.Status.PREPARING)
    failed = {"status": Job.Status.FAILED, "error": "No space left."}
    Preparation.objects.update_or_create(study_id=study_id, defaults=failed)
    return study_id


def recorded(call: Callable[..., Any], asked: set[tuple[str, str]]) -> Callable[..., Any]:
    """The client, which notes the operations that it asks for."""

    def noting(method: str, path: str, *body: Any, **file: Any) -> Any:
        asked.add(operation_of(method, path))
        answer = call(method, path, *body, **file)
        if method == "POST" and path.endswith("/invitations"):  # whom the link was sent opens it
            sharing.accept(answer["url"].rstrip("/").rsplit("/", 1)[1], User.objects.create_user("bob"))
        return answer

    return noting


def test_the_description_of_the_api_leads_to_its_examples() -> None:
    assert f"({reverse('document', args=['api'])})" in description()["info"]["description"]
    assert "api" in documents()


def test_every_curl_line_sends_what_the_api_takes() -> None:
    paths = description()["paths"]
    lines = re.findall(r"^curl .*", (ROOT / "docs" / "api.md").read_text(), re.M)
    assert len(lines) > 20
    for line in lines:
        assert '-H "$AUTH"' in line, line
        method, path, body = request_of(line)
        operation = paths[operation_of(method, path)[1]][method.lower()]
        query = {name for name, _value in urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query)}
        assert query <= {each["name"] for each in operation["parameters"] if each["in"] == "query"}, line
        if body:
            unknown = set(body) - known_keys(operation) - {"colour"}  # the example of a refusal
            assert not unknown, line
