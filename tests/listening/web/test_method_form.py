"""The study page's section on how the method asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from listening.methods import METHODS
from listening.models import Study
from listening.session.sessions import start_session
from listening.study.studies import create_study
from listening.web.forms.method import MethodOptions
from tests.listening.conftest import open_unrendered


@pytest.fixture
def make(alice: Any, processed: Callable[..., Any]) -> Callable[..., Study]:
    def make(method: str, **options: Any) -> Study:
        return create_study(
            alice, "A study", [processed(alice)], ["opus-9k", "bpgan-2k"], method=method, options=options
        )

    return make


@pytest.mark.parametrize(
    ("method", "sent", "kept"),
    [
        ("abx", {"pairs": "all", "trials": "16"}, {"pairs": "all", "trials": 16}),
        ("ab", {"pairs": "systems", "no_preference": "on"}, {"pairs": "systems", "no_preference": True}),
        ("acr", {"plays": "once"}, {"plays": "once", "hidden_reference": False}),
        ("dcr", {"plays": "free"}, {"plays": "free"}),
        ("ccr", {"plays": "once"}, {"plays": "once"}),
    ],
)
def test_a_method_shows_and_keeps_its_own_options(
    make: Callable[..., Study], method: str, sent: dict[str, str], kept: dict[str, Any]
) -> None:
    study = make(method)
    assert set(MethodOptions(study).fields) == set(METHODS[method].defaults)
    section = MethodOptions(study, {f"method-{name}": value for name, value in sent.items()})
    assert section.is_valid(), section.errors
    assert section.apply(study) == ["method_options"]
    assert study.method_options == kept


@pytest.mark.parametrize("method", ["mushra", "bs1116"])
def test_methods_without_options_have_none(make: Callable[..., Study], method: str) -> None:
    assert not MethodOptions(make(method)).fields


def test_pairs_named_by_program_stay(make: Callable[..., Study]) -> None:
    pairs = [["opus-9k", "bpgan-2k"]]
    study = make("abx", pairs=pairs)
    assert MethodOptions(study).initial["pairs"] == "listed"
    section = MethodOptions(study, {"method-pairs": "listed", "method-trials": "5"})
    assert section.is_valid(), section.errors
    section.apply(study)
    assert study.method_options == {"pairs": pairs, "trials": 5}


@pytest.mark.parametrize(
    "sent", [{"pairs": "x", "trials": "5"}, {"pairs": "all", "trials": "51"}, {"pairs": "all"}]
)
def test_what_is_no_option_is_said(make: Callable[..., Study], sent: dict[str, str]) -> None:
    section = MethodOptions(make("abx"), {f"method-{name}": value for name, value in sent.items()})
    assert not section.is_valid()


def test_the_study_page_shows_and_saves_them(client: Client, alice: Any, make: Callable[..., Study]) -> None:
    study = make("abx")
    client.force_login(alice)
    url = reverse("study_setup", args=[study.pk, "check"])
    html = client.get(url).content.decode()
    assert "Method settings" in html
    assert "Trials per pair and item" in html
    client.post(url, {"method-pairs": "systems", "method-trials": "12", "then": "check"})
    study.refresh_from_db()
    assert study.method_options == {"pairs": "systems", "trials": 12}


@pytest.mark.parametrize("method", [slug for slug in METHODS if slug != "mushra"])
def test_listeners_read_the_task_of_their_method(
    client: Client, make: Callable[..., Study], method: str
) -> None:
    study = make(method)
    open_unrendered(study)
    session = start_session(Study.objects.get(pk=study.pk))
    from listening.models import Stage

    for name in ("volume", "headphones", "before"):
        Stage.objects.create(session=session, name=name)
    html = client.get(reverse("session", args=[session.token])).content.decode()
    assert str(METHODS[method].question) in html
    assert "reference is hidden among them" not in html
