"""Making an account, and signing in by e-mail and by a provider of OpenID Connect."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening.models import Identity, Mail, Profile, SigninLink, Study
from listening.people import mail, sharing, signup
from listening.web import accounts, throttling
from tests.conftest import ROOT

#: Of what the provider is made of.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def mailing(settings: Any, db: None) -> Any:
    """A site with a mail server and open sign-up."""
    settings.EMAIL_HOST, settings.SIGNUP = "mail.example.org", "open"
    return settings


def user_of(client: Client) -> str | None:
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key).username if key else None


def post(client: Client, to: str, **data: str) -> Any:
    return client.post(reverse(to), data)


def delivered() -> Any:
    """The last mail, after a worker has sent what waits."""
    for pk in Mail.objects.filter(status=Mail.Status.QUEUED).values_list("pk", flat=True):
        mail.send(str(pk))
    return outbox.outbox[-1] if outbox.outbox else None


def link_in(message: Any) -> str:
    found = re.search(r"https?://\S+", message.body)
    assert found
    url = urlsplit(found[0])
    return url.path + (f"?{url.query}" if url.query else "")


# -- Signing up


def test_an_address_becomes_an_account(mailing: Any) -> None:
    client = Client()
    answer = post(client, "signup", email="Dora@Example.org", next="/studies/")
    assert "on its way" in answer.content.decode()
    message = delivered()
    assert message.to == ["dora@example.org"]
    link = link_in(message)
    assert 'value="dora"' in client.get(link).content.decode()
    assert not User.objects.exists()  # looking makes nothing
    weak = client.post(link, {"name": "dora", "password": "1234"})
    assert weak.status_code == 422
    assert "too short" in weak.content.decode()
    answer = client.post(link, {"name": "dora", "next": "/studies/"})
    assert (answer["Location"], user_of(client)) == ("/studies/", "dora")
    user = User.objects.get()
    assert (user.email, user.has_usable_password(), user.is_superuser) == ("dora@example.org", False, False)
    assert Client().get(link).status_code == Client().post(link, {"name": "x"}).status_code == 410
    forged = reverse("signup_link", args=["forged"])
    assert Client().get(forged).status_code == 410


def test_who_has_an_account_gets_a_link_instead_and_the_page_does_not_tell(mailing: Any, alice: User) -> None:
    client = Client()
    known = post(client, "signup", email=alice.email).content.decode()
    assert link_in(delivered()).startswith("/signin/")
    new = post(client, "signup", email="alicf@example.org").content.decode()
    assert known.replace("alice@", "alicf@") == new


@pytest.mark.parametrize(
    ("policy", "email", "status"),
    [
        ("closed", "a@lab.example", 403),
        ("lab.example, uni.example", "a@lab.example", 200),
        ("lab.example, uni.example", "a@UNI.example", 200),
        ("lab.example", "a@elsewhere.example", 422),
        ("lab.example", "a@sub.lab.example", 422),
        ("lab.example", "a@lab.example@elsewhere.example", 422),
        ("open", "no address", 422),
    ],
)
def test_the_operator_says_who_may_sign_up(mailing: Any, policy: str, email: str, status: int) -> None:
    mailing.SIGNUP = policy
    client = Client()
    assert post(client, "signup", email=email).status_code == status
    assert Mail.objects.count() == (status == 200)
    shown = {name: client.get(reverse(name)).content.decode() for name in ("front", "signin")}
    for page in shown.values():
        assert (f'href="{reverse("signup")}' in page) is (policy != "closed")
    if status == 200:  # and it may have changed its mind before the link is opened
        link = link_in(delivered())
        mailing.SIGNUP = "closed"
        assert client.post(link, {"name": "a"}).status_code == 403


def test_without_a_mail_server_a_name_and_a_password_make_an_account(settings: Any, alice: User) -> None:
    settings.SIGNUP = "open"
    client = Client()
    assert "sends no e-mail" in client.get(reverse("signup")).content.decode()
    for fields, why in (
        ({"name": "ALICE", "password": "correct horse battery"}, "has this user name already"),
        ({"name": "d o", "password": "correct horse battery"}, "letters, digits"),
        ({"name": "dora", "password": ""}, "Choose a password"),
        ({"name": "dora", "password": "12345678"}, "too common"),
    ):
        answer = post(client, "signup", **fields)
        assert answer.status_code == 422
        assert why in answer.content.decode()
    assert post(client, "signup", name="dora", password="correct horse battery").status_code == 302
    assert user_of(client) == "dora"
    settings.SIGNUP = "lab.example"  # which nothing but a mail can prove
    assert "EMAIL_HOST" in Client().get(reverse("signup")).content.decode()
    assert post(Client(), "signup", name="x", password="correct horse battery").status_code == 403


@pytest.mark.parametrize(("host", "policy"), [("", "closed"), ("", "open"), ("mail.example.org", "closed")])
def test_a_command_is_shown_only_where_there_is_no_other_way(
    settings: Any, db: None, host: str, policy: str
) -> None:
    settings.EMAIL_HOST, settings.SIGNUP = host, policy
    page = Client().get(reverse("signin")).content.decode()
    assert ("signin_link" in page) is (host == "" and policy == "closed")
    assert ("Send me a link" in page) is bool(host)
    assert 'name="password"' in page


# -- By e-mail


def test_a_mailed_link_signs_in_once(mailing: Any, alice: User) -> None:
    client = Client()
    Profile.objects.create(user=alice, language="de")
    answer = post(client, "signin_mail", email="ALICE@example.org", next="/clips/")
    unknown = post(client, "signin_mail", email="malice@example.org")
    assert answer.content == unknown.content.replace(b"malice@", b"alice@")
    assert Mail.objects.count() == 1
    message = delivered()
    assert message.subject == "Bei Earshot anmelden"
    row = Mail.objects.get()
    assert (row.status, row.body) == ("done", "")  # the link is nowhere any more
    path = link_in(message)
    assert not user_of(client)
    assert client.post(path, {"next": "/clips/"})["Location"] == "/clips/"
    assert user_of(client) == "alice"
    assert Client().post(path).status_code == 410
    assert SigninLink.objects.get().used


def test_a_site_without_mail_and_people_who_are_gone_send_none(
    settings: Any, mailing: Any, alice: User
) -> None:
    alice.is_active = False
    alice.save()
    post(Client(), "signin_mail", email=alice.email)
    mailing.EMAIL_HOST = ""
    assert post(Client(), "signin_mail", email=alice.email)["Location"] == reverse("signin")
    assert not Mail.objects.exists()


def test_nobody_is_flooded_with_mail_nor_locked_out(mailing: Any, alice: User) -> None:
    client, most = Client(), throttling.MAIL.times
    first = [post(client, "signin_mail", email="alicf@example.org").content for _ in range(most + 1)]
    answers = [post(client, "signin_mail", email=alice.email) for _ in range(most + 2)]
    assert {answer.content for answer in answers} == {first[0].replace(b"alicf@", b"alice@")}
    assert post(client, "signup", email=alice.email).status_code == 200
    assert Mail.objects.count() == most
    # Whoever asked for them: when none of the links works any more, she gets another.
    SigninLink.objects.update(expires=timezone.now())
    post(client, "signin_mail", email=alice.email)
    assert Mail.objects.filter(to=alice.email).count() == most + 1
    for _ in range(most + 1):  # those above, for an address that had no account, sent nothing
        post(client, "signup", email="alicf@example.org")
    assert Mail.objects.filter(to="alicf@example.org").count() == most
    for _ in range(throttling.MAIL_ADDRESS.times):
        last = post(client, "signin_mail", email="bob@example.org")
    assert last.status_code == 429
    assert last["Retry-After"]


def test_an_address_makes_one_account_at_a_time(mailing: Any, alice: User) -> None:
    signup.make_account(signup.NewAccount("dora", "dora@example.org"))
    for email in ("dora@example.org", "Dora@example.org", alice.email):  # by a link that was checked before
        with pytest.raises(signup.LinkGone):
            signup.make_account(signup.NewAccount("twice", email))
    assert User.objects.count() == 2


def test_who_is_deactivated_does_not_come_back_by_signing_up(mailing: Any, alice: User) -> None:
    link = reverse("signup_link", args=[signup.make_link_token(alice.email)])
    User.objects.update(is_active=False)
    assert "on its way" in post(Client(), "signup", email=alice.email).content.decode()
    assert not Mail.objects.exists()
    assert Client().get(link).status_code == Client().post(link, {"name": "again"}).status_code == 410
    claims = {"sub": "1", "email": alice.email, "email_verified": True}
    with pytest.raises(signup.SignupClosed):
        signup.user_of_identity("https://id.example.org", claims)
    assert User.objects.count() == 1


# -- Where one wanted to go


def invited(client: Client, study: Study) -> str:
    """Open an invitation without an account: the page of signing in comes. The invitation's path."""
    path = urlsplit(sharing.invite(study, sharing.Role.VIEWER, many=True)[1]).path
    assert client.get(path, follow=True).redirect_chain == [(f"{reverse('signin')}?next={path}", 302)]
    return path


def test_who_is_invited_comes_to_the_invitation_however_they_sign_in(
    mailing: Any, study: Study, bob: User
) -> None:
    def leads_on(client: Client, link: str, **fields: str) -> str:
        page = client.get(link).content.decode()
        hidden = re.search(r'name="next" value="([^"]+)"', page)
        assert hidden  # a form is sent with all its fields
        return str(client.post(link, {"next": hidden[1], **fields})["Location"])

    # By a link that the administrator prints, which knows nothing of the invitation.
    client = Client()
    path = invited(client, study)
    assert leads_on(client, urlsplit(accounts.make_signin_link(bob)).path) == path
    client.post(reverse("signout"))
    assert leads_on(client, urlsplit(accounts.make_signin_link(bob)).path) == reverse("home")  # that is over
    client.post(reverse("signout"))
    # By a mailed link, opened in this browser or another.
    for reader in (Client(), client):
        path = invited(client, study)
        post(client, "signin_mail", email=bob.email, next=path)
        assert leads_on(reader, link_in(delivered())) == path
        client.post(reverse("signout"))
    # By a password, after a detour.
    path = invited(client, study)
    client.get(reverse("front"))
    assert leads_on(client, reverse("signin"), username="bob", password="password") == path
    client.post(reverse("signout"))
    # By a new account, with a mailed link in another browser, and without a mail server.
    path = invited(client, study)
    page = client.get(reverse("signup")).content.decode()
    assert f'name="next" value="{path}"' in page
    post(client, "signup", email="dora@example.org", next=path)
    assert leads_on(Client(), link_in(delivered()), name="dora") == path
    mailing.EMAIL_HOST = ""
    assert leads_on(client, reverse("signup"), name="eve", password="correct horse battery") == path
    # And never elsewhere. An address in letters that no header may hold is kept in those that it may.
    client = Client()
    kept = client.get(reverse("signin"), {"next": "/日本/"}).cookies["next"]
    assert (kept.value, kept["max-age"]) == ("/%E6%97%A5%E6%9C%AC/", accounts.MAILED_LINK.total_seconds())
    client.cookies["next"] = "https://evil.example/"
    assert leads_on(client, reverse("signin"), username="bob", password="password") == reverse("home")


# -- By a provider


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A provider of OpenID Connect that answers by HTTP; its address."""
    import oidc_provider_mock as providers

    people = [
        {"sub": "1", "claims": {"email": "alice@example.org", "email_verified": True}},
        {"sub": "2", "claims": {"email": "alice@example.org", "email_verified": False}},
        {
            "sub": "3",
            "claims": {"email": "eve@lab.example", "email_verified": True, "preferred_username": "eve"},
        },
    ]
    users = [providers.User(**person) for person in people]
    with providers.run_server_in_thread(require_nonce=True, user_claims=users) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def signed_by(provider: str, settings: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go to the provider, say there who one is, and come back."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = provider, "earshot", "secret"
    settings.OIDC_NAME = "Our university"

    def go(client: Client, subject: str, target: str = "/studies/", **changes: str) -> Any:
        page = client.get(reverse("signin")).content.decode()
        assert "Sign in with Our university" in page
        there = client.get(reverse("oidc"), {"next": target})["Location"]
        asked = {name: values[0] for name, values in parse_qs(urlsplit(there).query).items()}
        assert asked["redirect_uri"] == f"{settings.SITE_URL}{reverse('oidc_back')}"
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "email", "profile"}
        form = {"action": "deny"} if subject == "deny" else {"sub": subject}
        answer = requests.post(there, data=form, allow_redirects=False, timeout=20)
        returned = parse_qs(urlsplit(answer.headers["Location"]).query)
        return client.get(reverse("oidc_back"), {name: each[0] for name, each in returned.items()} | changes)

    return go


def test_a_provider_signs_in_who_has_an_account(signed_by: Any, alice: User) -> None:
    client = Client()
    assert signed_by(client, "1")["Location"] == "/studies/"
    assert client.cookies["next"].value == ""
    assert user_of(client) == "alice"
    alice.email = "elsewhere@example.org"  # from then on the provider's name for her counts, not the address
    alice.save()
    again = Client()
    signed_by(again, "1")
    assert user_of(again) == "alice"
    assert Identity.objects.count() == 1
    alice.is_active = False
    alice.save()
    assert signed_by(Client(), "1").status_code == 403


def test_an_address_that_the_provider_has_not_verified_proves_nothing(signed_by: Any, alice: User) -> None:
    client = Client()
    refused = signed_by(client, "2")
    assert refused.status_code == 403
    assert "Sign-up is closed" in refused.content.decode()
    assert user_of(client) is None


@pytest.mark.parametrize(
    ("policy", "everybody", "made"),
    [
        ("closed", False, None),
        ("closed", True, "eve"),
        ("lab.example", False, "eve"),
        ("other.example", False, None),
    ],
)
def test_who_is_new_gets_an_account_as_the_operator_says(
    signed_by: Any, settings: Any, policy: str, everybody: bool, made: str | None
) -> None:
    settings.SIGNUP, settings.OIDC_SIGNUP = policy, everybody
    client = Client()
    signed_by(client, "3")
    assert user_of(client) == made


def test_what_does_not_come_from_this_browser_signs_nobody_in(signed_by: Any, alice: User) -> None:
    for subject, changes in (("1", {"state": "forged"}), ("1", {"code": "forged"}), ("deny", {})):
        client = Client()
        answer = signed_by(client, subject, **changes)
        assert answer.status_code == 502
        assert "did not sign you in" in answer.content.decode()
        assert user_of(client) is None


def test_a_provider_that_is_away_is_named(signed_by: Any, settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    answer = Client().get(reverse("oidc"))
    assert answer.status_code == 502
    assert "Our university cannot be reached" in answer.content.decode()
    settings.OIDC_ISSUER = ""
    assert Client().get(reverse("oidc")).status_code == 404


def test_names_are_free_and_possible(alice: User) -> None:
    User.objects.create_user("alice2")
    assert [signup.suggest_name(text) for text in ("Alice", "d ö/r:a", "")] == [
        "Alice3",
        "döra",
        "researcher",
    ]


def test_no_other_page_waits_for_what_speaks_to_providers() -> None:
    code = "import django; django.setup(); import listening.web.urls, sys; sys.exit('authlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
