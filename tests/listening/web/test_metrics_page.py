"""The page of a study's objective metrics: measuring more, and scores from elsewhere."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evaluation.models import Rendition, Score
from listening.models import Item, Study
from listening.results.objective_frame import objective_frame
from listening.web.views.metrics import lines_of, renditions_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def address(client: Client, alice: User, study: Study) -> str:
    client.force_login(alice)
    return reverse("study_metrics", args=[study.pk])


def send(client: Client, address: str, table: str, **fields: str) -> str:
    file = SimpleUploadedFile("polqa.csv", table.encode())
    return client.post(address, {"scores": file, **fields}, follow=True).content.decode()


def test_only_what_listeners_grade_is_counted(study: Study) -> None:
    graded = Item.objects.filter(study=study, training=False).values_list("clip", flat=True)
    assert renditions_of(study).count() == 2 * 5
    assert set(renditions_of(study).values_list("clip", flat=True)) == set(graded)
    lines = {line.metric.slug: line for line in lines_of(study)}
    assert (lines["pesq_wb"].done, lines["pesq_wb"].total, lines["pesq_wb"].can_measure) == (10, 10, False)
    assert (lines["phones"].done, lines["phones"].can_measure) == (0, True)
    assert not lines["polqa"].can_measure


def test_a_metric_is_asked_for_and_followed(client: Client, address: str, study: Study) -> None:
    assert "every 2s" not in client.get(address).content.decode()
    page = client.post(address, {"measure": "phones"}, follow=True).content.decode()
    assert "10 waiting" in page
    assert "every 2s" in page
    Score.objects.filter(metric="phones").update(status=Score.Status.DONE, value=0.2)
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" not in part
    assert "<h1" not in part
    again = client.post(address, {"measure": "phones"}, follow=True)
    assert again.redirect_chain == [(address, 302)]  # the message stands at the top
    assert "nothing new" in again.content.decode()


def test_a_failure_is_told(client: Client, address: str, study: Study) -> None:
    for rendition in renditions_of(study)[:2]:
        Score.objects.create(
            rendition=rendition, metric="visqol", status=Score.Status.FAILED, error="no library"
        )
    page = client.get(address).content.decode()
    assert "2 failed" in page
    assert "no library" in page


def test_polqa_stands_beside_the_grades(client: Client, address: str, study: Study) -> None:
    titles = Item.objects.filter(study=study, training=False).values_list("clip__title", flat=True)
    rows = "".join(
        f"{title},{slug},{value}\n"
        for title in titles
        for slug, value in (("opus-9k", 3.1), ("bpgan-2k", 3.6))
    )
    page = send(client, address, f"clip,system,polqa\n{rows}")
    assert "4 scores of POLQA taken" in page
    frame = objective_frame(study)
    assert sorted(frame.loc[frame["metric"] == "polqa", "value"]) == [3.1, 3.1, 3.6, 3.6]
    assert "4 scores of POLQA taken, 4 of them in place of earlier ones" in send(
        client, address, f"clip,system,polqa\n{rows}", metric="polqa"
    )


def test_a_wrong_table_is_refused_by_line(client: Client, address: str, study: Study) -> None:
    assert "polqa.csv: Line 2: There is no clip called &#x27;Nowhere&#x27;." in send(
        client, address, "clip,system,value\nNowhere,opus-9k,3\n"
    )
    assert "PESQ-WB is computed here" in send(client, address, "clip,system,value\n", metric="pesq_wb")
    assert "No file arrived" in client.post(address, {}, follow=True).content.decode()
    assert not Score.objects.filter(metric="polqa").exists()


def test_somebody_elses_public_clip_takes_no_scores(
    client: Client, address: str, study: Study, bob: User
) -> None:
    item = Item.objects.filter(study=study, training=False).select_related("clip").first()
    assert item is not None
    assert item.clip is not None
    item.clip.owner, item.clip.public = bob, True
    item.clip.save()
    page = send(client, address, f"clip,system,value\n{item.clip.title},opus-9k,3\n")
    assert "There is no clip called" in page


def test_another_researcher_has_no_such_page(client: Client, address: str, bob: User) -> None:
    client.force_login(bob)
    assert client.get(address).status_code == 404
    assert client.post(address, {"measure": "phones"}).status_code == 404
    assert not Score.objects.filter(metric="phones").exists()


def test_a_study_without_outputs_says_so(client: Client, address: str, study: Study) -> None:
    Rendition.objects.update(status=Rendition.Status.FAILED)
    page = client.get(address).content.decode()
    assert "nothing to measure" in page
    assert 'name="measure"' not in page
