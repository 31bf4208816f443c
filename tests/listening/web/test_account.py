"""A researcher's own account: tokens, password, and its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.models import Clip, Score, UploadedSystem
from evaluation.outputs.batches import save_system
from listening.demos.drafts import new_demo
from listening.interchange import exports
from listening.models import ApiToken, Demo, Profile, Session, Share, Stimulus, Study
from listening.study.studies import create_study, open_study
from listening.tasks import prepare_study
from listening.web import accounts
from tests.listening.conftest import SYSTEMS, listen


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def script(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def make_token(client: Client, **fields: str) -> str:
    page = client.post(
        reverse("account_token"), {"name": "Script", "scope": "write", **fields}
    ).content.decode()
    found = re.search(r'id="new-token" readonly value="([^"]+)"', page)
    assert found, page
    return found[1]


def test_a_person_has_several_tokens_and_revokes_one(alice: User, bob: User) -> None:
    client = signed_in(alice)
    one, two = make_token(client, name="Laptop"), make_token(client, name="Server", days="30")
    page = client.get(reverse("account")).content.decode()
    assert one not in page
    assert two not in page
    assert page.count("never") == 2
    for token in (one, two):
        assert script(token).get("/api/clips").status_code == 200
    rows = {row.name: row for row in ApiToken.objects.all()}
    assert rows["Laptop"].expires is None
    assert timedelta(days=29) < rows["Server"].expires - timezone.now() < timedelta(days=30)  # type: ignore[operator]
    revoke = reverse("account_token_revoke", args=[rows["Laptop"].pk])
    assert signed_in(bob).post(revoke).status_code == 404
    client.post(revoke)
    assert [script(token).get("/api/clips").status_code for token in (one, two)] == [401, 200]
    ApiToken.objects.update(expires=timezone.now())
    assert script(two).get("/api/clips").status_code == 401
    assert "expired" in client.get(reverse("account")).content.decode()


def test_a_token_that_reads_changes_nothing(alice: User, study: Study) -> None:
    reader = script(accounts.make_api_token(alice, scope="read"))
    assert reader.get(f"/api/studies/{study.pk}").status_code == 200
    assert reader.get(reverse("ratings_csv", args=[study.pk])).status_code == 200
    for method, path in (
        ("post", f"/api/studies/{study.pk}/close"),
        ("patch", f"/api/studies/{study.pk}"),
        ("delete", f"/api/studies/{study.pk}"),
        ("post", reverse("study_close", args=[study.pk])),
    ):
        answer = getattr(reader, method)(path, "{}", content_type="application/json")
        assert answer.status_code == 403
        assert "may only read" in answer.json()["detail"]
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN


def test_its_last_use_is_noted_to_the_minute(alice: User, django_assert_num_queries: Any) -> None:
    client = script(accounts.make_api_token(alice))
    client.get("/api/clips")
    first = ApiToken.objects.get().used
    assert first
    client.get("/api/clips")
    assert ApiToken.objects.get().used == first
    ApiToken.objects.update(used=first - timedelta(minutes=2))
    client.get("/api/clips")
    assert ApiToken.objects.get().used >= first  # type: ignore[operator]


@pytest.mark.parametrize(
    "fields",
    [{"name": "x" * 101}, {"scope": "admin"}, {"scope": ""}, {"days": "4000"}, {"days": "9" * 5000}],
)
def test_what_is_no_token_is_refused(alice: User, fields: dict[str, str]) -> None:
    answer = signed_in(alice).post(reverse("account_token"), {"name": "n", "scope": "read", **fields})
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_token_changes_nothing_of_its_account(alice: User) -> None:
    token = accounts.make_api_token(alice)
    alice.set_unusable_password()  # which nobody is asked for
    alice.save()
    key = ApiToken.objects.get().pk
    for name, arguments, fields in (
        ("account_about", [], {"language": "ja"}),
        ("account_password", [], {"password": "battery staple"}),
        ("account_token", [], {"scope": "write"}),
        ("account_token_revoke", [key], {}),
        ("account_delete", [], {"name": "alice"}),
    ):
        answer = script(token).post(reverse(name, args=arguments), fields)
        assert answer.status_code == 403, name
        assert "Tokens do not reach accounts" in answer.content.decode()
    for name in ("account", "account_delete"):
        assert script(token).get(reverse(name)).status_code == 403
    assert not User.objects.get().has_usable_password()
    assert (ApiToken.objects.count(), Profile.objects.count()) == (1, 0)


def test_a_password_is_set_by_who_knows_the_present_one(alice: User) -> None:
    client, elsewhere = signed_in(alice), signed_in(alice)
    address = reverse("account_password")
    for fields in ({"password": "correct horse"}, {"old": "wrong", "password": "correct horse"}):
        assert client.post(address, fields).status_code == 422
    assert client.post(address, {"old": "password", "password": "12345"}).status_code == 422
    client.post(address, {"old": "password", "password": "correct horse"})
    alice.refresh_from_db()
    assert alice.check_password("correct horse")
    assert client.get(reverse("account")).status_code == 200
    assert elsewhere.get(reverse("account")).status_code == 302
    alice.set_unusable_password()
    alice.save()
    signed_in(alice).post(address, {"password": "battery staple"})
    assert User.objects.get(pk=alice.pk).check_password("battery staple")


def test_mails_are_a_persons_choice(alice: User) -> None:
    client = signed_in(alice)
    client.post(reverse("account_about"), {"language": "ja"})
    assert list(Profile.objects.values_list("language", "notify")) == [("ja", False)]
    assert client.post(reverse("account_about"), {"language": "xx"}).status_code == 400


# -- The end


def test_an_account_goes_with_what_is_its_own_alone(
    study: Study, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    listen(study)
    lent, own = processed(alice), processed(alice)
    theirs = create_study(bob, "Bob's", [lent], SYSTEMS)
    Share.objects.create(study=theirs, user=alice, role=2)
    system = save_system(alice, "Mine")
    new_demo(alice, own)
    client = signed_in(alice)
    page = client.get(reverse("account_delete")).content.decode()
    for text in (
        "1 study,",
        "with 1 session",
        "1 demo page,",
        "1 own system",
        "1 clip that studies of others use",
    ):
        assert text in page, text
    assert client.post(reverse("account_delete"), {"name": "alicia"})["Location"] == reverse("account_delete")
    assert User.objects.filter(pk=alice.pk).exists()
    assert 'name="old"' in page
    for old in ("", "wrong"):
        client.post(reverse("account_delete"), {"name": "alice", "old": old})
        assert User.objects.filter(pk=alice.pk).exists()
    assert client.post(reverse("account_delete"), {"name": "alice", "old": "password"})["Location"] == "/"
    assert client.get(reverse("home")).status_code == 302
    assert list(User.objects.all()) == [bob]
    assert list(Study.objects.all()) == [theirs]
    assert list(Clip.objects.values_list("pk", "owner")) == [(lent.pk, bob.pk)]
    assert [model._default_manager.count() for model in (Session, Demo, Share)] == [0, 0, 0]
    assert not UploadedSystem.objects.filter(pk=system.pk).exists()


def test_who_has_the_same_recording_goes_on_with_their_own(
    study: Study, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    """A study of Bob's uses Alice's clip, and he has the recording, too, through one system only."""
    lent, own = processed(alice, sound=True), processed(bob, systems=SYSTEMS[:1], sound=True)
    Clip.objects.filter(pk=own.pk).update(sha256=lent.sha256)
    theirs = create_study(bob, "Bob's", [lent], SYSTEMS)
    prepare_study(str(theirs.pk))
    open_study(theirs)
    listen(theirs)
    before = exports.table(theirs, "ratings.csv")
    heard = set(Stimulus.objects.filter(item__study=theirs).values_list("item", "system", "audio"))
    kept = own.renditions.get(system=SYSTEMS[0])
    client = signed_in(alice)
    assert "unless they have the same recording" in client.get(reverse("account_delete")).content.decode()
    client.post(reverse("account_delete"), {"name": "alice", "old": "password"})
    assert list(User.objects.all()) == [bob]
    assert list(Clip.objects.all()) == [own]
    after = exports.table(Study.objects.get(pk=theirs.pk), "ratings.csv")
    assert after.replace(str(own.pk).encode(), str(lent.pk).encode()) == before
    stimuli = Stimulus.objects.filter(item__study=theirs)
    assert set(stimuli.values_list("item", "system", "audio")) == heard
    assert {stimulus.rendition for stimulus in stimuli.filter(system=SYSTEMS[0])} == {kept}
    for stimulus in stimuli.exclude(system=SYSTEMS[0]):
        assert stimulus.rendition is not None
        assert stimulus.rendition.clip == own
        assert stimulus.rendition.audio.read()
        assert stimulus.rendition.scores.filter(status="done").exists()


def test_who_goes_on_with_their_own_recording_loses_no_scores(
    alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    """Bob uploaded scores of Alice's clip, asked for a metric, and a worker is not done with another."""
    lent, own = processed(alice), processed(bob, systems=SYSTEMS[:1])
    Clip.objects.filter(pk=own.pk).update(sha256=lent.sha256)
    create_study(bob, "Bob's", [lent], SYSTEMS)
    both, only_lent = (lent.renditions.get(system=system) for system in SYSTEMS)
    Score.objects.create(rendition=both, metric="polqa", status="done", value=3.5, version="uploaded")
    Score.objects.create(rendition=both, metric="visqol", status="done", value=4.0)
    only_lent.scores.filter(metric="stoi").update(status="running", value=None)
    signed_in(alice).post(reverse("account_delete"), {"name": "alice", "old": "password"})
    kept = own.renditions.get(system=both.system).scores
    assert kept.get(metric="polqa").value == 3.5
    assert kept.get(metric="visqol").value is None  # Bob has an output of his own, which is to be measured
    assert kept.get(metric="visqol").status == "queued"
    assert own.renditions.get(system=only_lent.system).scores.get(metric="stoi").status == "queued"


def test_studies_that_others_share_in_are_given_away_first(study: Study, alice: User, bob: User) -> None:
    Share.objects.create(study=study, user=bob, role=1)
    client = signed_in(alice)
    page = client.get(reverse("account_delete")).content.decode()
    assert "Others share in these studies" in page
    assert 'name="name"' not in page
    client.post(reverse("account_delete"), {"name": "alice", "old": "password"})
    assert Study.objects.filter(owner=alice).exists()


def test_a_site_keeps_its_last_administrator(alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    signed_in(alice).post(reverse("account_delete"), {"name": "alice", "old": "password"})
    assert User.objects.filter(pk=alice.pk).exists()
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    signed_in(alice).post(reverse("account_delete"), {"name": "alice", "old": "password"})
    assert not User.objects.filter(pk=alice.pk).exists()
