"""Accounts as administrators manage them, on pages and by commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening.models import AccountAct, Mail, Share, SigninLink, Study
from listening.people import administration, mail, sharing, signup
from listening.web import accounts
from tests.database import connected_to
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_user("root", "root@example.org", "password", is_superuser=True)


@pytest.fixture
def admin(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def page(client: Client, name: str, *parts: object, **query: str) -> str:
    answer = client.get(reverse(name, args=parts), query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def change(client: Client, user: User, **fields: str) -> Any:
    return client.post(
        reverse("account_change", args=[user.pk]), {"email": user.email, "active": "yes"} | fields
    )


def acts() -> list[tuple[str, str | None, str | None]]:
    """What was done, to whom and by whom, the first first."""
    rows = AccountAct.objects.order_by("pk").values_list("what", "account__username", "by__username")
    return list(rows)


def test_the_list_is_searched_and_has_pages(
    admin: Client, alice: User, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("bea", "bea@lab.example", is_active=False)
    text = page(admin, "accounts")
    rows = re.findall(
        r'<a href="/operator/accounts/\d+/"><bdi dir="auto">(\w+)<.*?<td class="number">(\d+)<', text, re.S
    )
    assert rows == [("alice", "1"), ("bea", "0"), ("root", "0")]
    assert text.count("deactivated") == 1
    for search in ("LAB.example", "bea"):
        found = page(admin, "accounts", search=search)
        assert ("bea@lab.example" in found, "alice@example.org" in found) == (True, False)
    assert "No account has" in page(admin, "accounts", search="nobody")
    monkeypatch.setattr("evaluation.web.lists.ROWS", 2)
    second = page(admin, "accounts", page="2")
    assert ("root@example.org" in second, "alice@example.org" in second) == (True, False)


def test_an_account_is_made_and_its_link_mailed(admin: Client, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.org"
    answer = admin.post(reverse("account_new"), {"email": "Dora@Example.org", "name": " "}, follow=True)
    assert "on its way to dora@example.org" in answer.content.decode()
    dora = User.objects.get(username="dora")
    assert (dora.email, dora.has_usable_password(), dora.is_superuser) == ("dora@example.org", False, False)
    mail.send(str(Mail.objects.get().pk))
    [message] = outbox.outbox
    assert message.to == ["dora@example.org"]
    assert "root, an administrator of Earshot" in message.body
    link = re.search(r"https?://[^/]+(/signin/\S+)", message.body)
    assert link
    client = Client()
    assert client.post(link[1])["Location"] == reverse("home")
    assert client.get(reverse("home")).status_code == 200
    assert acts() == [("made", "dora", "root"), ("linked", "dora", "root")]
    for fields, why in (
        ({"email": "dora@example.org"}, "has this address already"),
        ({"name": "DORA"}, "has this user name already"),
        ({"email": "no address"}, "not an e-mail address"),
        ({}, "letters, digits"),
    ):
        answer = admin.post(reverse("account_new"), fields)
        assert answer.status_code == 422
        assert why in answer.content.decode()
    assert User.objects.count() == 2


def test_without_mail_or_address_the_link_is_shown_once(admin: Client, settings: Any, alice: User) -> None:
    shown = admin.post(reverse("account_new"), {"name": "eve", "administrator": "yes"}).content.decode()
    path = re.search(r'id="account-link" readonly value="https?://[^/"]+([^"]+)"', shown)
    assert path
    assert Client().post(path[1])["Location"] == reverse("home")
    eve = User.objects.get(username="eve")
    assert eve.is_superuser
    assert "account-link" not in page(admin, "account_of", eve.pk)
    settings.EMAIL_HOST = "mail.example.org"
    assert "account-link" in admin.post(reverse("account_link", args=[eve.pk])).content.decode()  # no address
    assert not Mail.objects.exists()
    assert admin.post(reverse("account_link", args=[alice.pk])).status_code == 302
    assert Mail.objects.get().to == alice.email


def test_who_forgot_the_password_chooses_another(admin: Client, alice: User) -> None:
    signed_in = Client()
    signed_in.force_login(alice)
    admin.post(reverse("account_link", args=[alice.pk]))
    alice.refresh_from_db()
    assert alice.has_usable_password()
    before = urlsplit(accounts.make_signin_link(alice)).path
    admin.post(reverse("account_link", args=[alice.pk]), {"reset": "yes"})
    assert Client().post(before).status_code == 410
    assert signed_in.get(reverse("home")).status_code == 302  # signed out
    client = Client()
    client.post(accounts.make_signin_link(alice).removeprefix("http://testserver"))
    client.force_login(User.objects.get(pk=alice.pk))
    assert client.post(reverse("account_password"), {"password": "correct horse battery"}).status_code == 302
    assert Client().login(username="alice", password="correct horse battery")
    assert [what for what, _, _ in acts()] == ["linked", "reset", "linked"]


def test_who_is_deactivated_is_out_until_activated(
    admin: Client, alice: User, bob: User, study: Study
) -> None:
    browser, script = Client(), Client(headers={"Authorization": f"Bearer {accounts.make_api_token(alice)}"})
    browser.force_login(alice)
    link = reverse("signin_link", args=[accounts.make_signin_link(alice).rstrip("/").rsplit("/", 1)[1]])
    invitation = urlsplit(sharing.invite(study, sharing.Role.EDITOR, many=True)[1]).path
    guest = Client()
    guest.force_login(bob)

    def entrances() -> list[int | bool]:
        password = Client().login(username="alice", password="password")
        return [
            browser.get("/home/").status_code,
            script.get("/api/studies").status_code,
            Client().get(link).status_code,
            guest.get(invitation).status_code,
            password,
        ]

    assert entrances() == [200, 200, 200, 200, True]
    assert change(admin, alice, active="").status_code == 302
    assert entrances() == [302, 401, 403, 410, False]
    for answer in (Client().get(link), Client().post(link)):
        assert "This account is deactivated" in answer.content.decode()
        assert answer.status_code == 403
    SigninLink.objects.update(expires=timezone.now())
    expired = Client().get(link)
    assert (expired.status_code, "deactivated" in expired.content.decode()) == (410, False)
    SigninLink.objects.update(expires=timezone.now() + timedelta(hours=1))
    assert guest.post(invitation).status_code == 410
    refused = admin.post(reverse("account_link", args=[alice.pk]), follow=True).content.decode()
    assert "activate it first" in refused
    assert change(admin, alice).status_code == 302
    assert entrances() == [200, 200, 200, 200, True]
    assert acts() == [("deactivated", "alice", "root"), ("activated", "alice", "root")]


def test_a_page_from_before_undoes_nothing(admin: Client, root: User, alice: User) -> None:
    """Another administrator deactivates an account while its page is open here to change the address."""
    shown = {"had_email": alice.email, "had_administrator": "", "had_active": "yes"}
    administration.set_active(alice, False, root)
    assert change(admin, alice, **shown, email="new@example.org").status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.is_active) == ("new@example.org", False)
    html = page(admin, "account_of", alice.pk)
    assert 'name="had_email" value="new@example.org"' in html
    assert 'name="had_administrator" value=""' in html
    assert 'name="had_active" value=""' in html


def test_the_last_administrator_stays_one(admin: Client, root: User, alice: User) -> None:
    for fields in ({"administrator": ""}, {"administrator": "yes", "active": ""}):
        answer = change(admin, root, **fields)
        assert answer.status_code == 409
        assert "only administrator" in answer.content.decode()
    root.refresh_from_db()
    assert (root.is_superuser, root.is_active) == (True, True)
    change(admin, alice, administrator="yes")
    assert change(admin, root, administrator="").status_code == 302
    assert admin.get(reverse("accounts")).status_code == 403
    assert acts() == [("promoted", "alice", "root"), ("demoted", "root", "root")]


def test_an_address_belongs_to_one_account(admin: Client, alice: User, bob: User) -> None:
    assert change(admin, alice, email=bob.email.upper()).status_code == 422
    sent = urlsplit(accounts.make_signin_link(alice)).path  # to the address before
    assert change(admin, alice, email="new@example.org").status_code == 302
    assert Client().post(sent).status_code == 410
    assert change(admin, bob, email="").status_code == 302
    assert list(User.objects.order_by("username").values_list("email", flat=True)) == [
        "new@example.org",
        "",
        "root@example.org",
    ]


def test_an_address_that_somebody_just_signs_up_with_is_waited_for(
    postgresql: str, django_db_blocker: Any
) -> None:
    address = "dora@example.org"

    def elsewhere(give: Callable[[], object]) -> None:
        with connected_to(postgresql), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
            give()

    def change() -> None:
        administration.set_email(User.objects.get(username="bob"), address)

    def make() -> None:
        administration.make_account(signup.NewAccount("", address))

    with django_db_blocker.unblock(), connected_to(postgresql), ThreadPoolExecutor(1) as thread:
        User.objects.create_user("bob")
        with transaction.atomic():
            signup.make_account(signup.NewAccount("dora", address))
            for give in (change, make):
                with pytest.raises(OperationalError, match="lock timeout"):
                    thread.submit(elsewhere, give).result()
        for give in (change, make):
            with pytest.raises(signup.SignupProblem, match="address already"):
                thread.submit(elsewhere, give).result()


def test_a_deleted_account_hands_over_what_others_share(
    admin: Client, make_study: Callable[..., Study], alice: User, bob: User
) -> None:
    shared, own = make_study(), make_study()
    viewer = User.objects.create_user("viewer")
    Share.objects.create(study=shared, user=viewer, role=1)
    Share.objects.create(study=shared, user=bob, role=2)
    sharing.invite(shared, sharing.Role.EDITOR)
    text = page(admin, "account_remove", alice.pk)
    assert re.search(r"goes to\W+bdi dir=.auto.>bob<", text)
    assert "the name wherever it stands" in text  # not “your name”
    goes = [re.sub(r"<.*?>", "", line).strip() for line in re.findall(r"<li>.*?</li>", text, re.S)]
    assert goes[1:3] == ["1 study, with 0 sessions and their grades", "2 clips, with everything made of them"]
    assert not [line for line in goes if line.startswith("0 ")]  # what there is none of is not listed
    admin.post(reverse("account_remove", args=[alice.pk]), {"name": "alic"})
    assert User.objects.filter(pk=alice.pk).exists()
    admin.post(reverse("account_remove", args=[alice.pk]), {"name": "alice"})
    assert list(Study.objects.values_list("pk", "owner__username")) == [(shared.pk, "bob")]
    assert list(shared.shares.values_list("user__username", "role")) == [("viewer", 1)]
    assert not shared.invitations.exists()
    assert shared.items.exclude(clip__owner=bob).count() == 0
    assert own.pk not in Study.objects.values_list("pk", flat=True)
    assert acts() == [("deleted", None, "root")]
    assert "deleted an account." in page(admin, "accounts")
    admin.force_login(bob)
    history = re.sub(r"<.*?>", "", page(admin, "study_history", shared.pk))
    assert "The account of the owner was deleted, and bob owns the study now." in history


def test_a_study_is_handed_to_who_can_sign_in(study: Study, bob: User) -> None:
    viewer = User.objects.create_user("viewer")
    Share.objects.create(study=study, user=bob, role=2)
    assert sharing.heir_of(study) == bob
    Share.objects.create(study=study, user=viewer, role=1)
    administration.set_active(bob, False)
    assert sharing.heir_of(study) == viewer
    administration.set_active(viewer, False)
    assert sharing.heir_of(study) == bob


def test_ones_own_account_is_deleted_on_ones_own_page(admin: Client, root: User) -> None:
    assert admin.get(reverse("account_remove", args=[root.pk]))["Location"] == reverse("account_delete")
    admin.post(reverse("account_remove", args=[root.pk]), {"name": "root"})
    assert User.objects.filter(pk=root.pk).exists()


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_of_an_administrator_reaches_no_account(
    admin: Client, root: User, alice: User, scope: str
) -> None:
    """Nor the page of the site's operation, nor another's studies."""
    script = Client(headers={"Authorization": f"Bearer {accounts.make_api_token(root, scope=scope)}"})
    for name, parts in (
        ("operator", []), ("accounts", []), ("account_of", [alice.pk]), ("account_remove", [alice.pk]),
    ):  # fmt: skip
        assert admin.get(reverse(name, args=parts)).status_code == 200
        answer = script.get(reverse(name, args=parts))
        assert answer.status_code == 403
        assert "alice" not in answer.content.decode()
    for name, parts in (
        ("account_new", []),
        ("account_change", [alice.pk]),
        ("account_link", [alice.pk]),
        ("account_remove", [alice.pk]),
    ):
        assert script.post(reverse(name, args=parts), {"name": "alice"}).status_code == 403
    assert not AccountAct.objects.exists()


def test_commands_do_it_by_the_same_rules(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("signin_link", "carol", "--create", "--administrator")
    assert acts() == [("made", "carol", None), ("promoted", "carol", None)]
    assert {act.by_command for act in AccountAct.objects.all()} == {True}
    words = {str(administration.words_of(act)) for act in AccountAct.objects.all()}
    assert words == {
        "A command on the server made the account of carol.",
        "A command on the server made carol an administrator.",
    }
    call_command("signin_link", "carol", "--create", "--administrator")
    assert AccountAct.objects.count() == 2
    with pytest.raises(CommandError, match="letters, digits"):
        call_command("signin_link", "d o", "--create")
    with pytest.raises(administration.CannotAdminister):
        administration.set_active(User.objects.get(), False)
    with pytest.raises(signup.SignupProblem):
        administration.make_account(signup.NewAccount("Carol"))
