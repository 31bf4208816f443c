"""The front door, a researcher's home, and the sample study."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from evaluation.access import Role
from evaluation.models import Clip, Rendition, Score
from listening.demos.drafts import new_demo, save_draft
from listening.models import DemoVersion, Preparation, Session, Share, Simulation, Study
from listening.results import compute
from listening.session.sessions import start_session
from listening.simulation.sample import LISTENERS, NAME
from listening.study.studies import ALWAYS
from listening.tasks import simulate
from listening.web.views.home import MOST
from tests.listening.conftest import listen
from tests.listening.web.test_api import Script

pytestmark = pytest.mark.django_db

MakeClip = Callable[..., Clip]


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def test_the_front_door_has_a_door_for_each_visitor(client: Client, study: Study) -> None:
    assert "No test is open to everybody" in client.get("/").content.decode()
    Study.objects.update(listed=True)
    page = client.get("/").content.decode()
    assert f'href="/t/{study.token}/"' in page
    ((_study, minutes),) = client.get("/").context["studies"]
    assert f"about {minutes}\xa0min" in page
    for address in ("/gallery/", "/signin/", "/api/docs", "/docs/"):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200


def test_what_waits_and_what_runs(owner: Client, study: Study, bob: User) -> None:
    seen = owner.get("/home/").context
    assert (seen["open"], seen["nothing_waits"]) == ([study], True)
    lists = ("/home/", "/studies/", f"/studies/{study.pk}/")
    assert not any("0 of 0" in owner.get(address).content.decode() for address in lists)
    listen(study)
    old = listen(study)
    Session.objects.filter(pk=old.pk).update(finished=timezone.now() - timedelta(days=2))
    Study.objects.update(max_sessions=2)
    clip = study.items.exclude(clip=None)[0].clip
    assert clip is not None
    rows = Rendition.objects.filter(clip=clip)
    rows.filter(system="opus-9k").update(status="failed", error="no")
    rows.filter(system="bpgan-2k").update(status="failed", unavailable=True)
    rows.filter(system="anchor35").update(status="queued")
    new_demo(study.owner, clip)
    seen = owner.get("/home/").context
    assert [(row["study"], row["count"]) for row in seen["news"]] == [(study, 1)]
    assert seen["full"] == [study]
    assert [(row["clip"], row["clip"].unmade) for row in seen["failed"]] == [(clip, 1)]
    assert [(row, row.done, row.total) for row in seen["busy_clips"]] == [(clip, 2, 5)]
    assert len(seen["drafts"]) == 1
    # What is made and not measured yet is at work, too, as in the list of clips.
    rows.update(status="done", unavailable=False)
    Score.objects.filter(rendition=rows.get(system="opus-9k"), metric="pesq_wb").update(status="running")
    ((busy,),) = [owner.get("/home/").context["busy_clips"]]
    assert (busy, busy.done, busy.total) == (clip, 4, 5)
    listed = owner.get("/clips/").context["clips"]
    assert [(row.done, row.total) for row in listed if row == clip] == [(4, 5)]
    owner.force_login(bob)
    seen = owner.get("/home/").context
    assert (seen["nothing_waits"], seen["nothing_runs"], seen["studies"]) == (True, True, [])


def test_home_follows_clips_at_work_until_none_is(
    owner: Client, alice: User, processed: MakeClip, django_assert_num_queries: Any
) -> None:
    clip = processed(alice)
    rows = Rendition.objects.filter(clip=clip)
    poll = re.compile(r'hx-get="/home/" hx-trigger="every 2s" hx-vals=\'{"since": "([^"]+)"}\'')
    assert not poll.search(owner.get("/home/").content.decode())
    rows.exclude(system="original").update(status="queued")
    (since,) = poll.findall(owner.get("/home/").content.decode())
    assert owner.get("/home/", {"since": since}).status_code == 204
    rows.filter(system="opus-9k").update(status="running")  # Home does not tell that
    with django_assert_num_queries(4):  # session and user; clips at work, and how far they are
        assert owner.get("/home/", {"since": since}).status_code == 204
    rows.filter(system="opus-9k").update(status="done")
    (now,) = poll.findall(owner.get("/home/", {"since": since}).content.decode())
    assert owner.get("/home/", {"since": now}).status_code == 204
    rows.update(status="done")
    settled = owner.get("/home/", {"since": now})
    assert settled.context["nothing_runs"]
    assert not poll.search(settled.content.decode())


def test_clips_in_progress_come_before_those_that_wait(
    owner: Client, alice: User, processed: MakeClip
) -> None:
    clips = [processed(alice) for _ in range(MOST + 2)]
    Rendition.objects.filter(clip__in=clips).update(status="queued")
    for clip in clips[:2]:  # the oldest
        Rendition.objects.filter(clip=clip, system="opus-9k").update(status="running")
    # Between two of its jobs, a clip keeps its place.
    Rendition.objects.filter(clip=clips[2], system="opus-9k").update(status="done")
    busy = owner.get("/home/").context["busy_clips"]
    assert list(busy) == [clips[2], clips[1], clips[0], clips[6], clips[5]]
    assert busy.more == 2
    rows = Rendition.objects.filter(clip=clips[2])
    rows.update(status="done")
    Score.objects.filter(rendition__in=rows, metric="stoi").update(status="running")
    busy = owner.get("/home/").context["busy_clips"]
    assert list(busy) == [clips[2], clips[1], clips[0], clips[6], clips[5]]


def test_the_list_of_studies_follows_one_that_is_prepared(owner: Client, study: Study) -> None:
    find = re.compile(r'hx-get="([^"]+)" hx-trigger="every 3s" hx-select="#study-list"')
    Preparation.objects.update(status="running")
    assert not find.search(owner.get("/studies/?search=").content.decode())  # it is open
    Study.objects.update(status=Study.Status.PREPARING)
    (address,) = find.findall(owner.get("/studies/?search=").content.decode())
    assert unescape(address) == f"/studies/?search=&since={study.pk}"
    assert owner.get(unescape(address)).status_code == 204
    other = Study.objects.create(
        owner=study.owner, name="Other", systems=[], seed=1, status=Study.Status.PREPARING
    )
    (address,) = find.findall(owner.get(unescape(address)).content.decode())
    assert unescape(address) == f"/studies/?search=&since={other.pk}+{study.pk}"
    other.delete()
    Preparation.objects.update(status="failed", error="no")
    assert not find.search(owner.get(unescape(address)).content.decode())


def test_a_listener_who_has_not_begun_grading_is_counted_everywhere(owner: Client, study: Study) -> None:
    def pages() -> list[str]:
        addresses = ("/home/", "/studies/", f"/studies/{study.pk}/", f"/studies/{study.pk}/report/")
        return [" ".join(strip_tags(owner.get(address).content.decode()).split()) for address in addresses]

    def counted() -> tuple[int, ...]:
        found = Script(study.owner).get(f"/studies/{study.pk}").json()
        return tuple(found[f"sessions_{name}"] for name in ("started", "waiting", "finished"))

    asking = start_session(study)
    Session.objects.filter(pk=start_session(study).pk).update(screened_out=timezone.now())
    *lists, report = pages()
    assert all("1 not grading yet" in page for page in lists)
    turned_away = "1 was turned away by the headphone screening."
    assert "Nobody has begun grading. Report made" in report
    assert f"Nobody has begun grading; 1 agreed to take part. {turned_away} No listener's data" in report
    assert "A listener appears here who has begun grading." in lists[2]
    Study.objects.update(status=Study.Status.CLOSED)
    closed, listed, page, report = pages()
    assert all("1 never began grading" in each for each in (closed, listed, page))
    assert "Nobody began grading." in page
    assert "Nobody began grading. Report made" in report
    assert "Nobody began grading; 1 agreed to take part." in report
    assert not any("appears here" in each or "Send them the link" in each for each in (closed, listed, page))
    Study.objects.update(status=Study.Status.OPEN)
    assert counted() == (0, 1, 0)
    listen(study)
    *lists, report = pages()
    assert all("1 of 1 finished, 1 not grading yet" in page for page in lists)
    said = (
        "1 listener began grading, 1 finished. 1 more agreed to take part and is not grading yet. "
        f"{turned_away} Every finished trial counts."
    )
    assert said in report
    assert counted() == (1, 1, 1)
    Study.objects.update(status=Study.Status.CLOSED)
    *lists, report = pages()
    assert all("1 of 1 finished, 1 never began grading" in page for page in lists)
    assert "1 more agreed to take part and never began grading." in report
    Study.objects.update(status=Study.Status.OPEN)
    # The place of a drop-out is another's: nobody waits for them.
    Session.objects.filter(pk=asking.pk).update(abandoned=timezone.now())
    *lists, report = pages()
    assert not any("not grading yet" in page for page in lists)
    assert said in report
    assert counted() == (1, 0, 1)


def test_who_is_invited_sees_the_study_and_no_steps_to_one_of_their_own(
    client: Client, study: Study, alice: User, bob: User, processed: MakeClip
) -> None:
    client.force_login(bob)
    assert "First steps" in client.get("/home/").content.decode()
    Share.objects.create(study=study, user=bob, role=Role.VIEWER)
    page = client.get("/home/").content.decode()
    assert "First steps" not in page
    assert "alice</bdi>'s; you are viewer" in unescape(page)
    processed(bob)
    page = client.get("/home/")
    assert "First steps" in page.content.decode()
    # What others made is no step of one's own.
    listen(study)
    assert [done for done, _title, _name in client.get("/home/").context["steps"]] == [
        True,
        False,
        False,
        False,
    ]


def test_a_draft_says_whether_it_was_ever_published(owner: Client, study: Study) -> None:
    clip = study.items.exclude(clip=None)[0].clip
    demo = new_demo(study.owner, clip)
    assert "draft</span>" in owner.get("/demos/").content.decode()
    assert "is not published yet" in owner.get("/home/").content.decode()
    DemoVersion.objects.create(demo=demo, number=1, content=demo.draft, facts={}, status="done")
    save_draft(demo, demo.draft.model_copy(update={"title": "Another"}))
    assert "has changes that are not published" in owner.get("/home/").content.decode()


def test_one_click_makes_a_sample_study_that_says_what_it_is(
    owner: Client, alice: User, bob: User, processed: MakeClip
) -> None:
    assert not owner.get("/home/").context["can_sample"]
    assert owner.post("/home/sample/").status_code == 302
    assert not Study.objects.exists()
    for _ in range(2):
        processed(bob, ["opus-9k", "bpgan-2k"], public=True)
    assert owner.get("/home/").context["can_sample"]
    for _ in range(2):  # pressed twice, it is made once
        owner.post("/home/sample/")
    study = Study.objects.get()
    assert (study.name, study.owner, study.systems) == (NAME, alice, ["opus-9k", "bpgan-2k"])
    assert study.items.filter(training=False).count() == 2
    waiting = owner.get("/home/").context
    assert waiting["sample_job"]
    assert not waiting["running"]  # its card says it already
    Simulation.objects.update(status="failed")
    assert [row["job"].status for row in owner.get("/home/").context["failed"]] == ["failed"]
    Simulation.objects.update(status="queued")
    simulate(str(study.pk))
    assert compute(study).listeners == 0  # nobody real
    simulated = compute(study, kind="simulated")
    assert simulated.listeners + len(simulated.excluded) == LISTENERS
    assert {row.slug for row in simulated.systems if row.mean} == {*ALWAYS, *study.systems}
    page = owner.get(f"/studies/{study.pk}/results/?kind=simulated").content.decode()
    assert "SIMULATED GRADES" in page
    Study.objects.update(archived="2026-01-01T00:00:00Z")
    seen = owner.get("/home/").context
    assert (seen["studies"], seen["ready"], seen["can_sample"]) == ([], [], False)
    owner.post(f"/studies/{study.pk}/delete/")
    assert not Study.objects.exists()
    assert Clip.objects.count() == 2
