"""Lists cost as many queries with many rows as with few."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from evaluation.outputs.batches import save_system
from listening.models import Analysis, Demo, DemoVersion, Item, Stimulus, Study
from listening.session.sessions import start_session
from listening.study.studies import create_study
from listening.web import accounts
from tests.listening.conftest import listen

pytestmark = pytest.mark.django_db


def queries(client: Client, address: str) -> int:
    """How many a second visit takes: the first may fill caches."""
    assert client.get(address).status_code == 200, address
    with CaptureQueriesContext(connection) as seen:
        client.get(address)
    return len(seen)


def more_items(study: Study, count: int) -> None:
    first = study.items.filter(training=False).first()
    assert first is not None
    last = study.items.order_by("-position")[0].position
    for number in range(1, count + 1):
        item = Item.objects.create(
            study=study, clip=first.clip, position=last + number, start=first.start, end=first.end
        )
        Stimulus.objects.bulk_create(
            Stimulus(item=item, system=each.system, rendition=each.rendition, audio=each.audio.name)
            for each in first.stimuli.all()
        )


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def script(alice: User) -> Client:
    return Client(headers={"Authorization": f"Bearer {accounts.make_api_token(alice)}"})


def test_lists_of_studies(owner: Client, alice: User, study: Study) -> None:
    listen(study)
    Study.objects.filter(pk=study.pk).update(listed=True)
    save_system(alice, "Mine")
    pages = [reverse("studies"), reverse("front"), reverse("systems"), reverse("study_new")]
    before = [queries(owner, page) for page in pages]
    clips = [item.clip for item in study.items.filter(training=False) if item.clip]
    for number in range(9):
        other = create_study(alice, f"Study {number}", clips, study.systems)
        Study.objects.filter(pk=other.pk).update(status=Study.Status.OPEN, listed=True)
        other.refresh_from_db()
        start_session(other)
        save_system(alice, f"Mine, changed {number} times")
    assert [queries(owner, page) for page in pages] == before


def test_lists_of_demo_pages(owner: Client, script: Client, alice: User) -> None:
    def publish(number: int) -> None:
        demo = Demo.objects.create(owner=alice, visibility="public", draft={"title": f"Page {number}"})
        for version in (1, 2):
            DemoVersion.objects.create(
                demo=demo, number=version, content=demo.draft, status="done", finished=timezone.now()
            )

    pages = [reverse("gallery"), reverse("demos"), reverse("front")]
    publish(0)
    before = [queries(owner, page) for page in pages], queries(script, "/api/demos")
    for number in range(1, 6):
        publish(number)
    assert ([queries(owner, page) for page in pages], queries(script, "/api/demos")) == before


def test_lists_of_the_api(script: Client, alice: User, study: Study) -> None:
    listen(study)
    system = save_system(alice, "Mine")
    pages = ["/api/studies", "/api/clips", "/api/systems", f"/api/studies/{study.pk}/sessions"]
    pages += [f"/api/studies/{study.pk}", f"/api/studies/{study.pk}/results"]
    before = {page: queries(script, page) for page in pages}
    clips = [item.clip for item in study.items.filter(training=False) if item.clip]
    for number in range(8):
        create_study(alice, f"Study {number}", clips, study.systems)
        save_system(alice, f"Mine, changed {number} times")
        listen(study)
    more_items(study, 8)
    assert {page: queries(script, page) for page in pages} == before
    assert system.slug in script.get("/api/systems").content.decode()


def test_pages_of_a_study(owner: Client, study: Study) -> None:
    names = ("study", "study_progress", "results", "report", "study_trying", "study_metrics", "stimuli")

    def counted() -> dict[str, int]:
        found = {}
        for name in names:
            Analysis.objects.all().delete()  # one of an older state, still waiting, is looked up once more
            found[name] = queries(owner, reverse(name, args=[study.pk]))
        return found

    more_items(study, 1)
    for _ in range(2):
        listen(study)
    before = counted()
    more_items(study, 8)
    for _ in range(4):
        listen(study)
    assert counted() == before
