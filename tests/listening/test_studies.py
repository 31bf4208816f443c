"""The researcher's pages: for their owner, for strangers, and for those who are not signed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip, Rendition
from listening import services
from listening.models import Study
from listening.views.studies import PAPER_SYSTEMS
from tests.listening.conftest import SYSTEMS, grade, listen

READ = ["study", "study_progress", "results", "ratings_csv", "mushra_csv"]
WRITE = ["study_retry", "study_close", "study_reopen", "study_listed", "study_delete"]


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.mark.parametrize("name", READ)
def test_pages_are_for_their_owner_alone(
    client: Client, study: Study, alice: User, bob: User, name: str
) -> None:
    url = reverse(name, args=[study.pk])
    assert client.get(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.get(url).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 405


@pytest.mark.parametrize("name", WRITE)
def test_changes_are_for_their_owner_alone_and_never_by_get(
    client: Client, study: Study, alice: User, bob: User, name: str
) -> None:
    url = reverse(name, args=[study.pk])
    assert client.post(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.post(url).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 405
    assert Study.objects.filter(status=Study.Status.OPEN, listed=False).count() == 1
    assert client.post(url).status_code == 302


@pytest.mark.parametrize("name", ["studies", "study_new"])
def test_lists_need_signing_in(client: Client, bob: User, study: Study, name: str) -> None:
    assert client.get(reverse(name)).status_code == 302
    client.force_login(bob)
    page = client.get(reverse(name)).content.decode()
    assert study.name not in page
    assert "Clip 0" not in page


def test_the_list_counts_listeners_and_puts_the_newest_first(
    owner: Client, make_study: Callable[..., Study]
) -> None:
    first, second = make_study(clips=1), make_study(clips=1)
    listen(second)
    services.begin(services.start_session(second))
    services.start_session(second)  # has not read the instructions: has not begun
    rows = list(owner.get(reverse("studies")).context["studies"])
    assert rows == [second, first]
    assert (rows[0].item_count, rows[0].finished_count, rows[0].started_count) == (1, 1, 2)


def test_the_form_starts_with_the_papers_systems_and_the_clip_of_the_link(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip, other = processed(alice, title="Chosen"), processed(alice, title="Other")
    html = owner.get(reverse("study_new"), {"clip": str(clip.pk)}).content.decode()
    boxes = re.findall(r'name="(clip|system)" value="([^"]+)"[^>]*?( checked)?>', html)
    assert {value for _, value, checked in boxes if checked} == {str(clip.pk), *PAPER_SYSTEMS}
    assert str(other.pk) in {value for _, value, _ in boxes}


def test_the_form_offers_own_and_public_clips_only(
    owner: Client, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    offered = [processed(alice), processed(bob, public=True)]
    processed(bob)
    queued = processed(alice)
    Rendition.objects.filter(clip=queued).update(status=Rendition.Status.QUEUED)
    rows = owner.get(reverse("study_new")).context["clips"]
    assert {row["clip"] for row in rows} == set(offered)


def test_the_form_makes_a_study(owner: Client, alice: User, processed: Callable[..., Clip]) -> None:
    clip, training = processed(alice), processed(alice)
    data = {
        "name": "New",
        "clip": [str(clip.pk)],
        "training": str(training.pk),
        "system": SYSTEMS,
        "listed": "on",
    }
    answer = owner.post(reverse("study_new"), data | {"thanks": "Bye.", "consent": " "})
    study = Study.objects.get()
    assert answer.headers["Location"] == reverse("study", args=[study.pk])
    assert (study.name, study.systems, study.texts, study.listed) == (
        "New",
        SYSTEMS,
        {"thanks": "Bye."},
        True,
    )
    assert [item.clip for item in study.items.all()] == [training, clip]


def test_a_refused_form_keeps_what_was_sent(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice, title="Harvard 1")
    data = {
        "name": "Kept <i>",
        "clip": [str(clip.pk)],
        "system": ["opus-9k", "opus-12k"],
        "thanks": "Kept text",
    }
    answer = owner.post(reverse("study_new"), data)
    assert answer.status_code == 400
    html = answer.content.decode()
    assert "“Harvard 1” has not been through Opus 12k" in html
    assert 'value="Kept &lt;i&gt;"' in html
    assert "Kept text" in html
    assert re.search(r'value="opus-12k" checked', html)
    assert not Study.objects.exists()


def test_strangers_clips_and_forged_ids_are_not_found(
    owner: Client, bob: User, processed: Callable[..., Clip]
) -> None:
    for value in (str(processed(bob).pk), "1", "x' OR 1=1"):
        data = {"name": "New", "clip": [value], "system": SYSTEMS}
        assert owner.post(reverse("study_new"), data).status_code == 404
        assert owner.post(reverse("study_new"), data | {"clip": [], "training": value}).status_code == 404


def test_the_page_shows_link_code_design_and_progress(owner: Client, study: Study, settings: Any) -> None:
    session = listen(study)
    begun = services.start_session(study)
    services.begin(begun)
    grade(begun.trials.get(position=1))
    html = owner.get(reverse("study", args=[study.pk])).content.decode()
    assert f'value="{settings.SITE_URL}{reverse("join", args=[study.token])}"' in html
    assert "<title>Listener link as a QR code</title>" in html
    assert session.assessor.code in html
    assert session.completion_code in html
    assert begun.completion_code not in html  # not earned yet
    assert "1 of 3 trials" in html
    assert "1 finished of 2 begun" in html


def test_browsers_keep_no_copy_of_a_researchers_pages(owner: Client, study: Study) -> None:
    for url in (reverse("studies"), reverse("study_new"), reverse("study", args=[study.pk])):
        assert "no-store" in owner.get(url).headers["Cache-Control"]


def test_a_training_clip_that_is_an_item_too_is_said_to_be(owner: Client, study: Study) -> None:
    page = reverse("study", args=[study.pk])
    assert "comes again as an item" in owner.get(page).content.decode()
    study.items.filter(training=False).order_by("position")[0].delete()
    assert "comes again as an item" not in owner.get(page).content.decode()


def test_researcher_and_listener_are_told_the_same_minutes(owner: Client, study: Study) -> None:
    study.items.update(end=21.0)  # three trials of 30 s and five signals thrice
    assert "about 18 min a listener" in owner.get(reverse("study", args=[study.pk])).content.decode()
    assert "about 18 minutes" in Client().get(reverse("join", args=[study.token])).content.decode()
    session = services.start_session(study)
    services.begin(session)
    assert "about 18 min left" in Client().get(reverse("session", args=[session.token])).content.decode()


def test_long_items_are_pointed_out(owner: Client, study: Study) -> None:
    url = reverse("study", args=[study.pk])
    assert "longer than 12 s" not in owner.get(url).content.decode()
    study.items.filter(position=1).update(end=12.5)
    assert "1 item is longer than 12 s" in owner.get(url).content.decode()


def test_preparing_polls_failing_offers_retry(owner: Client, study: Study) -> None:
    url = reverse("study", args=[study.pk])
    assert "hx-get" not in owner.get(url).content.decode()
    Study.objects.update(status=Study.Status.PREPARING)
    assert "hx-get" in owner.get(url).content.decode()
    Study.objects.update(error="Opus fell over <b>")
    html = owner.get(url).content.decode()
    assert "hx-get" not in html
    assert "Opus fell over &lt;b&gt;" in html
    owner.post(reverse("study_retry", args=[study.pk]))
    study.refresh_from_db()
    assert study.error == ""


def test_close_reopen_list_delete(owner: Client, study: Study) -> None:
    def post(name: str, **data: str) -> Study | None:
        owner.post(reverse(name, args=[study.pk]), data)
        return Study.objects.filter(pk=study.pk).first()

    assert post("study_close").status == "closed"
    assert post("study_close").status == "closed"
    assert post("study_reopen").status == "open"
    assert post("study_listed", listed="yes").listed
    assert not post("study_listed", listed="no").listed
    listen(study)
    assert post("study_delete") is None
    assert "have been deleted" in owner.get(reverse("studies")).content.decode()
