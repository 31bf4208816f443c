"""One part of a page shows the state of any work: who may see it, what it says, and the button to retry."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.access import Role
from evaluation.models import Clip, Job, OutputBatch, OutputFile, Rendition, Score, UploadedSystem
from evaluation.work import jobs
from listening.models import Analysis, ImportDraft, Preparation, Share, Simulation, Stimulus, Study
from listening.simulation import runs

Status = Job.Status

#: What a running row of each kind says, with the steps of the rows that `rows` makes.
RUNNING = {
    "rendition": "Encoding and decoding.",
    "score": "Measuring.",
    "outputbatch": "Checking: 1 of 2 files.",
    "preparation": "Rendering the stimuli: 1 of 15 cut, aligned and matched in loudness.",
    "simulation": "0 of 7 simulated listeners have finished.",
    "analysis": "Computing the tests between systems.",
    "importdraft": "Reading recordings: 3 of 4.",
}
#: And a failed one, where it is more than the message.
FAILED = {
    "outputbatch": "The files could not be worked on: Out of &lt;memory&gt;.",
    "preparation": "The stimuli could not be rendered: Out of &lt;memory&gt;.",
    "simulation": "The simulation failed: Out of &lt;memory&gt;.",
}


@pytest.fixture
def rows(alice: User, study: Study) -> dict[str, Job]:
    """A row of every kind, alice's."""
    rendition = Rendition.objects.filter(clip__owner=alice).first()
    assert rendition is not None
    own = UploadedSystem.objects.create(owner=alice, slug="own", title="Own")
    batch = OutputBatch.objects.create(owner=alice, system=own)
    OutputFile.objects.create(batch=batch, name="a.wav", checks={"seconds": 1})
    OutputFile.objects.create(batch=batch, name="b.wav")
    first = Stimulus.objects.first()
    assert first is not None
    Stimulus.objects.filter(pk=first.pk).update(audio="stimuli/a.wav")
    runs.start(study, {"listeners": 7})
    return {
        "rendition": rendition,
        "score": Score.objects.filter(rendition=rendition)[0],
        "outputbatch": batch,
        "preparation": Preparation.objects.get(),
        "simulation": Simulation.objects.get(),
        "analysis": Analysis.objects.create(study=study, kind="real", profile="none", fingerprint="0"),
        "importdraft": ImportDraft.objects.create(
            owner=alice,
            kind="configuration",
            name="c.yaml",
            file=ContentFile(b"pages:", "c.yaml"),
            progress={"done": 3, "total": 4},
        ),
    }


def put(row: Job, **fields: Any) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**fields)


@pytest.mark.parametrize("kind", RUNNING)
def test_every_kind_of_work_is_shown_alike(
    client: Client, alice: User, rows: dict[str, Job], kind: str, settings: Any
) -> None:
    settings.JOB_LEASE_SECONDS = 120
    row = rows[kind]
    assert type(row) is jobs.kind_of(kind)
    client.force_login(alice)
    address = reverse("job", args=[kind, row.pk])

    put(row, status=Status.QUEUED)
    html = client.get(address).content.decode()
    assert "Waiting for a worker." in html
    assert f'hx-get="{address}"' in html

    put(row, status=Status.RUNNING)
    answer = client.get(address)
    html = answer.content.decode()
    assert RUNNING[kind] in html
    assert ("<progress" in html) == any(letter.isdecimal() for letter in RUNNING[kind])
    assert f'hx-get="{address}"' in html
    assert "HX-Trigger" not in answer.headers

    heard = timezone.now() - timedelta(seconds=70)
    put(row, lease_until=heard + timedelta(seconds=120))
    html = client.get(address).content.decode()
    assert f"Nothing has been heard from the worker since {heard:%H:%M:%S} UTC." in html
    assert f"another worker takes over after {heard + timedelta(seconds=120):%H:%M:%S} UTC." in html
    assert RUNNING[kind] in html
    put(row, lease_until=timezone.now() + timedelta(seconds=75))  # one renewal is due, none is overdue
    assert "heard" not in client.get(address).content.decode()

    put(row, status=Status.FAILED, error="Out of <memory>.", log="attempt <1>\n", attempts=3)
    answer = client.get(address)
    html = answer.content.decode()
    assert FAILED.get(kind, "Out of &lt;memory&gt;.") in html
    assert '<pre dir="ltr">attempt &lt;1&gt;\n</pre>' in html
    assert "hx-get" not in html
    assert answer.headers["HX-Trigger"] == "job-settled"

    retry = reverse("job_retry", args=[kind, row.pk])
    assert f'action="{retry}"' in html
    assert client.get(retry).status_code == 302
    answer = client.post(retry)
    assert answer.headers["Location"] == row.get_absolute_url()
    again = type(row)._default_manager.get(pk=row.pk)
    assert (again.status, again.attempts, again.error) == (Status.QUEUED, 0, "")
    again = client.post(retry, follow=True)  # it has not failed again, which is told at the top of the page
    assert (again.status_code, "#" in again.redirect_chain[0][0]) == (200, False)

    put(row, status=Status.DONE)
    answer = client.get(address)
    assert not re.search(r"<(p|form|progress|details)\b", answer.content.decode())
    assert answer.headers["HX-Trigger"] == "job-settled"


@pytest.mark.parametrize("kind", RUNNING)
def test_nobody_else_sees_or_retries_it(client: Client, bob: User, rows: dict[str, Job], kind: str) -> None:
    row = rows[kind]
    put(row, status=Status.FAILED)
    address, retry = (reverse(name, args=[kind, row.pk]) for name in ("job", "job_retry"))
    assert client.get(address).status_code == 302
    assert client.post(retry).status_code == 302
    client.force_login(bob)
    assert client.get(address).status_code == 404
    assert client.post(retry).status_code == 404
    assert type(row)._default_manager.get(pk=row.pk).status == Status.FAILED


@pytest.mark.parametrize(
    "address", ["/jobs/clip/1/", "/jobs/score/x/", "/jobs/rendition/1/", "/jobs/score/99999999999999999999/"]
)
def test_what_is_no_job_is_not_found(client: Client, alice: User, address: str) -> None:
    client.force_login(alice)
    assert client.get(address).status_code == 404


def test_the_pages_of_all_kinds_show_the_part(
    client: Client, alice: User, bob: User, study: Study, rows: dict[str, Job]
) -> None:
    """Failed, each on its own page, with message, log and, for who may use it, the button."""
    client.force_login(alice)
    Score.objects.update(status=Status.DONE)
    for kind, row in rows.items():
        put(row, status=Status.FAILED, error=f"No {kind}.", log=f"log of {kind}")
    score = rows["score"]
    put(score, metric="visqol")  # one of the default metrics is shown with its rendition
    made: Clip = rows["rendition"].clip  # type: ignore[attr-defined]
    pages = {kind: row.get_absolute_url().split("#")[0] for kind, row in rows.items()}
    del pages["analysis"]  # see tests/listening/results/test_analyses.py
    put(rows["rendition"], status=Status.DONE)
    html = client.get(pages["score"]).content.decode()
    assert html.count('class="job failed"') == 1
    assert "No score." in html
    put(rows["rendition"], status=Status.FAILED)
    Study.objects.update(status=Study.Status.PREPARING)
    for kind, page in pages.items():
        html = client.get(page).content.decode()
        if kind != "score":
            assert 'class="job failed"' in html, kind
            assert f"No {kind}." in html, kind
            assert f'<pre dir="ltr">log of {kind}' in html, kind
            assert re.search(r"<button class=\"button small\">Retry", html), kind
    assert str(made.pk) in pages["rendition"]
    shared = Share.objects.create(study=study, user=bob, role=Role.VIEWER)
    client.force_login(bob)
    parts = {
        "preparation": [pages["preparation"], reverse("job", args=["preparation", study.pk])],
        "simulation": [pages["simulation"], reverse("study_trying", args=[study.pk])],
    }
    for role, buttons in ((Role.VIEWER, 0), (Role.EDITOR, 1)):
        Share.objects.filter(pk=shared.pk).update(role=role)
        for kind, addresses in parts.items():
            for address in addresses:
                html = client.get(address).content.decode()
                assert f"No {kind}." in html, address
                assert html.count("data-retry") == buttons, (address, role)
    Clip.objects.update(public=True)
    client.logout()
    html = client.get(pages["rendition"]).content.decode()
    assert "No rendition." in html
    assert "data-retry" not in html


@pytest.mark.parametrize("kind", ["rendition", "score"])
def test_a_clips_page_says_whose_worker_is_silent(
    client: Client, alice: User, rows: dict[str, Job], kind: str, settings: Any
) -> None:
    settings.JOB_LEASE_SECONDS = 120
    client.force_login(alice)
    row = rows[kind]
    page = rows["rendition"].get_absolute_url()
    put(row, status=Status.RUNNING, lease_until=timezone.now() + timedelta(seconds=119))
    assert "Nothing has been heard" not in client.get(page).content.decode()
    put(row, lease_until=timezone.now() + timedelta(seconds=30))
    assert client.get(page).content.decode().count("Nothing has been heard") == 1


def test_a_page_that_is_left_open_follows_the_work(
    client: Client, alice: User, processed: Callable[..., Clip], study: Study
) -> None:
    """The part asks for itself, and the page for the rest when it hears that the work is over."""
    client.force_login(alice)
    Study.objects.update(status=Study.Status.PREPARING)
    Preparation.objects.update(status=Status.RUNNING)
    html = client.get(reverse("study", args=[study.pk])).content.decode()
    part, page = reverse("job", args=["preparation", study.pk]), reverse("study_progress", args=[study.pk])
    assert re.search(rf'hx-get="{page}" hx-trigger="job-settled" hx-swap="outerHTML"', html)
    assert re.search(rf'hx-get="{part}" hx-trigger="every 1s" hx-target="this" hx-select="unset"', html)
