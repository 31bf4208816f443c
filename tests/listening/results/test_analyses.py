"""The slow part of results: computed once for a state of the data, and never in a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from evaluation.analysis.statistics import comparisons, differences
from evaluation.models import Job
from evaluation.work import jobs
from listening import results
from listening.models import Analysis, Rating, Study
from listening.results import analyses, frames, heavy, profiles
from listening.session.sessions import begin, start_session
from listening.tasks import make_analysis
from tests.listening.conftest import grade, listen
from tests.listening.generated import generate

QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def state_of(study: Study, profile: str = "bs1534") -> str:
    return frames.fingerprint(study, "real", profiles.settings_of(study, profile))


def computed(study: Study, profile: str = "bs1534") -> Analysis:
    row = analyses.request(study, "real", profile, state_of(study, profile))
    make_analysis(row.pk)
    row.refresh_from_db()
    return row


def page(owner: Client, study: Study) -> str:
    return owner.get(reverse("results", args=[study.pk])).content.decode()


def test_the_page_asks_for_the_tests_and_shows_them_when_they_are_done(owner: Client, study: Study) -> None:
    generate(study, 8, QUALITY)
    html = page(owner, study)
    assert "What can be tested between systems is being computed" in html
    assert "every 2s" in html
    row = Analysis.objects.get()
    assert (row.kind, row.profile, row.status) == ("real", "bs1534", Job.Status.QUEUED)
    make_analysis(row.pk)
    html = page(owner, study)
    assert "The only pair of systems under test" in html
    assert "every 15s" in html  # the study is open
    assert Analysis.objects.count() == 1


def test_a_page_that_shows_the_newest_is_told_nothing(owner: Client, study: Study) -> None:
    generate(study, 3, QUALITY)
    computed(study)
    address = reverse("results", args=[study.pk])
    since = owner.get(address).context["since"]
    assert owner.get(address, {"since": since}).status_code == 204
    listen(study)
    assert owner.get(address, {"since": since}).status_code == 200


def test_the_fingerprint_follows_grades_settings_and_scores(study: Study) -> None:
    listen(study)
    seen = {state_of(study), state_of(study, "none")}
    assert len(seen) == 2
    assert state_of(study) in seen
    graded = Rating.objects.filter(trial__item__training=False)
    graded.first().save()  # type: ignore[union-attr]  # a changed grade is newer
    seen.add(state_of(study))
    assert len(seen) == 3
    graded.first().delete()  # type: ignore[union-attr]
    seen.add(state_of(study))
    assert len(seen) == 4
    study.post_screening = {"reference_below": 80}
    seen.add(state_of(study, "custom"))
    study.post_screening = {"reference_below": 70}
    seen.add(state_of(study, "custom"))
    assert len(seen) == 6


def test_grades_of_other_kinds_change_nothing(study: Study) -> None:
    listen(study)
    before = state_of(study)
    generate(study, 2, QUALITY, kind="simulated")
    generate(study, 2, QUALITY, kind="pilot")
    assert state_of(study) == before
    assert results.rating_frame(study)["assessor"].nunique() == 1
    assert results.rating_frame(study, "pilot")["assessor"].nunique() == 2


def test_tests_are_those_of_the_statistics(study: Study) -> None:
    generate(study, 9, QUALITY, careless=1)
    row = computed(study)
    assert row.status == Job.Status.DONE
    frame = results.compute(study).frame
    assert frame["assessor"].nunique() == 8
    expected = differences.compare(frame, [("opus-9k", "bpgan-2k")]).rows[0]
    pair = row.data["pairs"]["rows"][0]
    assert (pair["a"], pair["b"], pair["p"]) == ("opus-9k", "bpgan-2k", pytest.approx(expected.p))
    assert pair["low"] == pytest.approx(expected.low)
    flipped = comparisons.sign_flip(frame, [("opus-9k", "bpgan-2k")], seed=study.seed).rows[0]
    assert row.data["sign_flip"]["rows"][0]["p"] == pytest.approx(flipped.p)
    ours = {each.slug: each for each in results.compute(study).systems}
    assert pair["difference"] == pytest.approx(ours["opus-9k"].mean - ours["bpgan-2k"].mean)  # type: ignore[operator]


def test_hidden_reference_and_anchors_enter_no_test_of_all_systems(study: Study) -> None:
    generate(study, 6, QUALITY)
    data = computed(study).data
    frame = results.compute(study).frame
    assert set(frame["system"]) == {"original", "anchor35", "anchor70", "opus-9k", "bpgan-2k"}
    assert data["friedman"]["systems"] == 2
    assert data["anova"]["systems"] == 2
    assert {row["system"] for row in data["mixed"]["means"]} == {"opus-9k", "bpgan-2k"}
    assert {(row["a"], row["b"]) for row in data["against"]["rows"]} == {
        (system, other)
        for system in ("opus-9k", "bpgan-2k")
        for other in ("original", "anchor35", "anchor70")
    }


def test_the_same_grades_give_the_same_data(study: Study) -> None:
    generate(study, 16, QUALITY)  # too many listeners for every change of signs: drawn ones
    first = heavy.compute(study, "real", "none")
    assert heavy.compute(Study.objects.get(pk=study.pk), "real", "none") == first


def test_a_running_study_does_not_fill_the_queue(study: Study) -> None:
    listen(study)
    row = analyses.request(study, "real", "none", state_of(study, "none"))
    listen(study)
    assert analyses.request(study, "real", "none", state_of(study, "none")) == row
    assert Analysis.objects.count() == 1
    make_analysis(row.pk)  # of the grades that are there now, not those when it was asked for
    row.refresh_from_db()
    assert row.fingerprint == state_of(study, "none")
    assert row.data["pairs"]["rows"][0]["assessors"] == 2
    listen(study)
    newer = computed(study, "none")
    assert list(Analysis.objects.all()) == [newer]


def test_the_older_tests_stay_while_new_ones_are_computed(owner: Client, study: Study) -> None:
    generate(study, 4, QUALITY)
    computed(study)
    listen(study, {"original": 100})
    html = page(owner, study)
    assert "New grades have arrived since" in html
    assert "tests with them are being computed." in html
    assert "The only pair" in html


def test_a_failure_is_told_and_can_be_tried_again(
    owner: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(study, 3, QUALITY)

    def broken(*arguments: Any) -> Any:
        raise ZeroDivisionError("no")

    with monkeypatch.context() as patch:
        patch.setattr(heavy, "compute", broken)
        row = computed(study)
    assert row.status == Job.Status.FAILED
    html = page(owner, study)
    assert "The tests could not be computed (ZeroDivisionError)." in html
    assert "being computed" not in html
    owner.post(reverse("results_again", args=[study.pk]))
    assert not Analysis.objects.exists()


def test_no_test_is_promised_where_none_is_possible(owner: Client, study: Study) -> None:
    """One listener's grades cannot be tested, which a worker finds out."""
    generate(study, 1, QUALITY)
    before = page(owner, study)
    assert "Whether the systems differ is not computed yet." in before
    assert "What can be tested between systems is being computed" in before
    assert "Tests between systems" not in before
    computed(study)
    assert "No test was possible against" in page(owner, study)


def test_after_a_failure_no_newer_tests_are_promised(
    owner: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(study, 4, QUALITY)
    computed(study)
    listen(study, {"original": 100})
    with monkeypatch.context() as patch:
        patch.setattr(heavy, "compute", lambda *arguments: 1 / 0)
        computed(study)
    html = page(owner, study)
    assert "New grades have arrived since these tests were computed, at" in html
    assert "being computed" not in html


def test_lost_work_is_swept_up_like_any_other(study: Study, settings: Any) -> None:
    listen(study)
    row = analyses.request(study, "real", "none", "old")
    assert jobs.claim(Analysis, row.pk) is not None
    settings.JOB_LEASE_SECONDS = -1
    Analysis.objects.update(lease_until="2020-01-01T00:00:00Z")
    jobs.sweep()
    row.refresh_from_db()
    assert row.status == Job.Status.QUEUED


@pytest.mark.parametrize("listeners", [1, 2])
def test_few_listeners_give_a_named_answer(study: Study, listeners: int) -> None:
    generate(study, listeners, QUALITY)
    row = computed(study, "none")
    assert row.status == Job.Status.DONE, row.error
    assert row.data["anova"]["problem"] or row.data["anova"]["effects"]


def test_one_item_and_a_listener_who_left_give_a_named_answer(make_study: Callable[..., Study]) -> None:
    study = make_study(clips=2)
    generate(study, 3, QUALITY)
    session = start_session(study)
    begin(session)
    for position in (1, 2):
        grade(session.trials.get(position=position), {"original": 100})
    row = computed(study, "none")
    assert row.status == Job.Status.DONE, row.error
    assert "left out" in " ".join(row.data["anova"]["notes"])
    assert row.data["mixed"]["n_assessors"] == 4
