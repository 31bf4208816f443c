"""What answers tell the browser, how often passwords may be tried, and what is said instead of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from listening.models import Session, Study, Throttle
from listening.web import accounts, security, throttling
from tests.problems import detail_of


def directives(header: str) -> dict[str, list[str]]:
    parts = (part.split() for part in header.split(";"))
    return {name: values for name, *values in parts}


def pages(study: Study, session: Session) -> dict[str, str]:
    return {
        "front": "/",
        "signin": reverse("signin"),
        "join": reverse("join", args=[study.token]),
        "session": reverse("session", args=[session.token]),
        "studies": reverse("studies"),
        "api docs": "/api/docs",
        "static": "/static/css/earshot.css",
        "nothing": "/nothing/",
        "api": "/api/studies",
    }


def test_every_answer_carries_the_policy(client: Client, study: Study, session: Session) -> None:
    for name, address in pages(study, session).items():
        answer = client.get(address)
        policy = directives(answer["Content-Security-Policy"])
        assert policy["default-src"] == ["'none'"], name
        assert policy["script-src"] == policy["style-src"] == ["'self'"], name
        assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"], name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert answer["Referrer-Policy"] == "same-origin", name
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", name
        microphone = "microphone=(self)" if name == "front" else "microphone=()"
        assert microphone in answer["Permissions-Policy"], name
    assert client.get("/")["X-Frame-Options"] == "DENY"


def test_head_is_answered_like_get_without_content(
    client: Client, study: Study, session: Session, alice: User
) -> None:
    client.force_login(alice)
    trial = session.trials.all()[0]
    more = {
        "study": reverse("study", args=[study.pk]),
        "table": reverse("ratings_csv", args=[study.pk]),
        "stored": reverse("stored_work", args=[session.token, trial.position]),
        "withdraw": reverse("session_withdraw", args=[session.token]),
        "post only": reverse("signout"),
    }
    for name, address in {**pages(study, session), **more}.items():
        shown, head = client.get(address), client.head(address)
        assert head.status_code == shown.status_code, name
        assert head.headers["Content-Type"] == shown.headers["Content-Type"], name
        assert head.streaming or head.content == b"", name
    assert client.delete("/").headers["Allow"] == "GET, HEAD"


def test_one_answer_may_be_framed_and_posted_elsewhere() -> None:
    answer = HttpResponse()
    security.allow_sources(answer, frame_ancestors=["https://*.mturk.com"])
    security.allow_sources(answer, form_action=["https://www.mturk.com"])
    policy = directives(security.policy_of(answer))
    assert policy["frame-ancestors"] == ["https://*.mturk.com"]
    assert policy["form-action"] == ["'self'", "https://www.mturk.com"]
    assert directives(security.policy_of(HttpResponse()))["frame-ancestors"] == ["'none'"]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "wanted"),
    [
        (0, "10.9.9.9", "192.0.2.1"),
        (1, "10.9.9.9", "10.9.9.9"),
        (1, "6.6.6.6, 10.9.9.9", "10.9.9.9"),
        (2, "6.6.6.6, 10.9.9.9, 10.0.0.1", "10.9.9.9"),
        (2, "10.9.9.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:10.9.9.9", "10.9.9.9"),
    ],
)
def test_where_a_request_comes_from(settings: Any, proxies: int, forwarded: str, wanted: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers=headers)
    assert security.address_of(request) == wanted


# -- Throttling


class Clock:
    """The time that throttling goes by: it stands still until somebody moves it."""

    def __init__(self) -> None:
        self.time = timezone.now()

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttling, "timezone", clock)
    return clock


def attempt(client: Client, password: str, name: str = "alice", address: str = "192.0.2.1") -> Any:
    form = {"username": name, "password": password}
    return client.post(reverse("signin"), form, REMOTE_ADDR=address)


def test_passwords_cannot_be_tried_for_ever(client: Client, alice: User, clock: Clock) -> None:
    for _ in range(throttling.SIGNIN_NAME_HERE.times):
        assert attempt(client, "wrong").status_code == 200
    refused = attempt(client, "password")  # the right one, too late
    assert refused.status_code == 429
    assert "again in 15\xa0min" in refused.content.decode()
    assert int(refused["Retry-After"]) == 15 * 60
    # She herself, elsewhere, is not locked out; nor is someone else here.
    assert attempt(client, "password", address="192.0.2.2").status_code == 302
    assert attempt(client, "wrong", name="bob").status_code == 200
    # And it passes.
    clock.pass_by(15 * 60 - 1)
    assert attempt(client, "password").status_code == 429
    clock.pass_by(1)
    assert attempt(client, "password").status_code == 302


def test_the_right_password_starts_from_none(client: Client, alice: User) -> None:
    for _ in range(3):
        for _ in range(throttling.SIGNIN_NAME_HERE.times - 1):
            assert attempt(client, "wrong").status_code == 200
        assert attempt(client, "password").status_code == 302


def test_many_names_from_one_address_and_guessed_links_are_stopped(client: Client, alice: User) -> None:
    half = throttling.SIGNIN_ADDRESS.times // 2
    for number in range(half):
        assert attempt(client, "wrong", name=f"name{number}").status_code == 200
    for number in range(throttling.SIGNIN_ADDRESS.times - half):
        link = reverse("signin_link", args=[f"guess{number}"])
        assert client.get(link, REMOTE_ADDR="192.0.2.1").status_code == 410
    assert attempt(client, "password").status_code == 429
    link = reverse("signin_link", args=["guess"])
    assert client.get(link, REMOTE_ADDR="192.0.2.1").status_code == 429


def test_no_address_and_no_name_is_kept(client: Client, alice: User) -> None:
    attempt(client, "wrong", address="203.0.113.77")
    kept = json.dumps(list(Throttle.objects.values()), default=str)
    assert "203.0.113.77" not in kept
    assert "alice" not in kept
    assert Throttle.objects.count() == 3


def test_expired_counts_are_deleted(db: None, clock: Clock) -> None:
    throttling.count_try(throttling.JOIN, "a")
    clock.pass_by(throttling.JOIN.seconds)
    throttling.count_try(throttling.JOIN, "b")
    assert Throttle.objects.count() == 1


def test_api_tokens_cannot_be_guessed_for_ever(
    client: Client, monkeypatch: pytest.MonkeyPatch, alice: User
) -> None:
    limit = throttling.Limit("api token", 3, 60)
    monkeypatch.setattr(throttling, "API_TOKEN", limit)
    monkeypatch.setattr(throttling, "API_TOKEN_ADDRESS", throttling.Limit("api token address", 5, 60))

    def ask(token: str, **more: str) -> HttpResponse:
        return client.get("/api/studies", headers={"Authorization": f"Bearer {token}"}, **more)

    for number in range(limit.times):
        assert ask(f"guess-no-{number}").status_code == 401
    for method in (client.get, client.head):
        refused = method("/api/studies", headers={"Authorization": "Bearer guess-no-4"})
        assert 0 < int(refused.headers["Retry-After"]) <= limit.seconds
    assert "again in 1 min" in detail_of(ask("guess-no-4"), 429)
    # A script with another wrong token has tries of its own, up to a limit for all of one address.
    assert [ask(f"{number}-other").status_code for number in range(3)] == [401, 401, 429]
    assert ask("guess-no-4", REMOTE_ADDR="192.0.2.9").status_code == 401
    # Whoever has a valid one behind the same address is not locked out.
    assert ask(accounts.make_api_token(alice)).status_code == 200


def test_joining_is_limited_by_address(client: Client, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "JOIN", throttling.Limit("join", 2, 60))
    address = reverse("join", args=[study.token])
    for _ in range(2):
        assert client.post(address, {"consent": "yes"}).status_code == 302
    assert client.post(address, {"consent": "yes"}).status_code == 429
    assert client.post(address, {"consent": "yes"}, REMOTE_ADDR="192.0.2.9").status_code == 302


# -- Instead of an answer


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch, client: Client) -> Callable[[Exception], Client]:
    """A client whose next look at a session ends in that exception."""

    def make(error: Exception) -> Client:
        def fail(*where: Any) -> Any:
            raise error

        monkeypatch.setattr("listening.study.selectors.session_of", fail)
        monkeypatch.setattr("listening.study.selectors.trial_for_answer", fail)
        client.raise_request_exception = False
        return client

    return make


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PermissionDenied(), 403, "This is not allowed"),
        (RuntimeError("secret detail"), 500, "Something went wrong here"),
    ],
)
def test_people_get_a_page_and_programs_json(
    breaking: Callable[[Exception], Client], db: None, error: Exception, status: int, words: str
) -> None:
    client = breaking(error)
    page = client.get(reverse("session", args=["x"]))
    assert page.status_code == status
    assert words in page.content.decode()
    assert "Content-Security-Policy" in page
    answer = client.post(reverse("save_rating", args=["x", 1]), "{}", content_type="application/json")
    assert detail_of(answer, status) == answer.json()["error"]
    assert b"secret detail" not in page.content + answer.content


def test_what_lacks_its_cookie_is_answered_in_json_or_with_a_page(db: None) -> None:
    """Of researchers: what listeners send needs none."""
    client = Client(enforce_csrf_checks=True)
    answer = client.post(reverse("signout"), "{}", content_type="application/json")
    assert answer.status_code == 403
    assert "Reload it" in answer.json()["error"]
    page = client.post(reverse("signout"))
    assert "This was not sent" in page.content.decode()


def test_a_host_that_is_not_ours_is_refused_with_a_page(client: Client, db: None) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "cannot be answered" in answer.content.decode()
    answer = client.get("/api/studies", headers={"Host": "evil.example"})
    assert "cannot be understood" in detail_of(answer, 400)
