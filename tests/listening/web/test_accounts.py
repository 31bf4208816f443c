"""Signing in by password and by one-time link, signing out, tokens, and the front page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.views.defaults import server_error

from evaluation.models import Clip, Rendition
from listening.models import ApiToken, SigninLink, Study, random_token
from listening.study.studies import close_study, set_listed
from listening.web import accounts


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def command(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def test_the_right_password_signs_in(client: Client, alice: User) -> None:
    answer = client.post(reverse("signin"), {"username": "alice", "password": "password"})
    assert answer.headers["Location"] == reverse("home")
    assert signed_in(client)


@pytest.mark.parametrize("data", [{"username": "alice", "password": "wrong"}, {"username": "nobody"}, {}])
def test_anything_else_does_not(client: Client, alice: User, data: dict[str, str]) -> None:
    answer = client.post(reverse("signin"), data)
    assert answer.status_code == 200
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/studies/", True),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("javascript:alert(1)", False),
        ("http:///evil.example", False),
    ],
)
def test_signing_in_leads_on_only_within_the_site(
    client: Client, alice: User, target: str, allowed: bool
) -> None:
    answer = client.post(reverse("signin"), {"username": "alice", "password": "password", "next": target})
    assert answer.headers["Location"] == (target if allowed else reverse("home"))


def test_a_page_that_needs_a_researcher_leads_through_signing_in(client: Client, alice: User) -> None:
    answer = client.get(reverse("studies"))
    assert answer.headers["Location"] == f"{reverse('signin')}?next={reverse('studies')}"
    assert f'value="{reverse("studies")}"' in client.get(answer.headers["Location"]).content.decode()


def test_signing_out_is_a_post(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get(reverse("signout")).status_code == 302
    assert signed_in(client)
    assert client.post(reverse("signout")).headers["Location"] == reverse("front")
    assert not signed_in(client)


def test_a_link_signs_in_once(client: Client, alice: User, settings: Any) -> None:
    url = command("signin_link", "alice")
    assert url.startswith(settings.SITE_URL)
    path = urlsplit(url).path
    scanner = Client()
    for looks in (scanner.head, scanner.get, scanner.get):  # a program that looks into mails
        assert looks(path).status_code == 200
        assert not signed_in(scanner)
    assert 'as <bdi dir="auto">alice</bdi>' in client.get(path).content.decode()
    assert client.post(path).headers["Location"] == reverse("home")
    assert client.session["_auth_user_id"] == str(alice.pk)
    again = Client()
    assert again.post(path).status_code == 410
    answer = again.get(path)
    assert answer.status_code == 410
    assert "has been used or has expired" in answer.content.decode()
    assert not signed_in(again)


def test_an_expired_a_forged_and_a_retired_users_link_do_not(client: Client, alice: User) -> None:
    expired = urlsplit(accounts.make_signin_link(alice)).path
    SigninLink.objects.update(expires=timezone.now() - timedelta(seconds=1))
    retired = urlsplit(accounts.make_signin_link(alice)).path
    alice.is_active = False
    alice.save()
    forged = reverse("signin_link", args=["forged"])
    for path, status in ((expired, 410), (retired, 403), (forged, 410)):
        assert client.get(path).status_code == client.post(path).status_code == status
        assert not signed_in(client)


@pytest.mark.parametrize("name", ["signin_link", "api_token"])
def test_commands_make_a_user_only_when_asked(db: None, name: str) -> None:
    with pytest.raises(CommandError, match="no user 'carol'; --create"):
        command(name, "carol")
    assert command(name, "carol", "--create").count("\n") == 0
    carol = User.objects.get()
    assert not carol.has_usable_password()
    assert not carol.is_superuser
    command(name, "carol", "--create")
    assert User.objects.count() == 1
    command(name, "carol", "--administrator")
    assert User.objects.get().is_superuser


def test_only_digests_are_stored_and_a_new_token_leaves_the_others(alice: User) -> None:
    old, new = (
        command("api_token", "alice"),
        command("api_token", "alice", "--name=Reads", "--scope=read", "--days=7"),
    )
    assert [found and found.user for found in map(accounts.find_token, (old, new))] == [alice, alice]
    assert not {old, new} & set(re.findall(r"[\w-]+", str(ApiToken.objects.values())))
    assert list(ApiToken.objects.values_list("name", "scope")) == [("API token", "write"), ("Reads", "read")]
    with pytest.raises(CommandError, match="1 to 3650 days"):
        command("api_token", "alice", "--days=0")


def test_a_token_opens_downloads_but_posts_still_need_csrf(study: Study, alice: User, bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    url = reverse("ratings_csv", args=[study.pk])
    for user, status in ((alice, 200), (bob, 404)):
        headers = {"Authorization": f"Bearer {accounts.make_api_token(user)}"}
        assert client.get(url, headers=headers).status_code == status
        assert client.post(reverse("study_close", args=[study.pk]), headers=headers).status_code == 403
    assert client.get(url, headers={"Authorization": "Bearer wrong"}).status_code == 302


def test_the_front_page_shows_listed_open_studies_only(client: Client, study: Study) -> None:
    url = reverse("join", args=[study.token])
    assert url not in client.get("/").content.decode()
    set_listed(study, True)
    assert url in client.get("/").content.decode()
    close_study(study)
    assert url not in client.get("/").content.decode()


def test_the_front_page_takes_the_first_public_clip_that_is_done(
    client: Client, alice: User, processed: Callable[..., Clip], django_assert_max_num_queries: Any
) -> None:
    assert client.get("/").context["clip"] is None
    processed(alice)
    assert client.get("/").context["clip"] is None
    partial = processed(alice, public=True)
    Rendition.objects.filter(clip=partial, system="bpgan-2k").update(status=Rendition.Status.QUEUED)
    complete = processed(alice, public=True)
    processed(alice, public=True)
    with django_assert_max_num_queries(5):
        assert client.get("/").context["clip"] == complete


def test_a_lost_csrf_token_is_explained(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(reverse("signin"), {"username": "alice", "password": "password"})
    assert answer.status_code == 403
    assert "This was not sent" in answer.content.decode()


def test_a_request_that_makes_no_sense_is_explained(client: Client, db: None) -> None:
    answer = client.get(reverse("front"), headers={"host": "elsewhere.example"})
    assert answer.status_code == 400
    assert "This request cannot be answered" in answer.content.decode()


def test_an_error_of_ours_is_a_page_of_its_own() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something went wrong here" in answer.content.decode()


def test_tokens_can_be_typed_after_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-like-an-option", "--", "a-token"])
    monkeypatch.setattr("listening.models.tokens.secrets.token_urlsafe", lambda num_bytes: next(drawn))
    assert random_token(16) == "a-token"
