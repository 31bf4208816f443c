"""Simulated listeners: made by the real services, the same for the same seed, and never among real ones."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from itertools import groupby
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.models import Clip
from evaluation.work import jobs
from listening.methods import METHODS
from listening.models import Rating, Session, Simulation, Study, Trial
from listening.results.choosing import choice_rows
from listening.results.frames import rating_frame
from listening.results.methods import score_frame
from listening.session.sessions import start_session
from listening.simulation import runs as simulation
from listening.simulation.listener import Listener
from listening.study import selectors
from listening.study.design import live_sessions
from listening.study.errors import StudyError
from listening.study.studies import create_study, update_study
from listening.tasks import simulate
from tests.listening.conftest import SYSTEMS, listen, open_unrendered
from tests.rows import some

SIMULATED = Session.Kind.SIMULATED


def made(study: Study, **asked: Any) -> Study:
    """Let simulated listeners take the study, as a worker does."""
    simulation.start(study, {"listeners": 3, "careless": 0.0} | asked)
    simulation.run(str(study.pk))
    study.refresh_from_db()
    return study


def test_they_take_the_test_through_the_real_services(study: Study) -> None:
    Study.objects.update(status=Study.Status.READY)  # nobody has been let in
    study.refresh_from_db()
    made(study, listeners=6)
    assert simulation.state_of(study) == "done"
    sessions = study.sessions.all()
    assert {session.kind for session in sessions} == {SIMULATED}
    assert sessions.filter(finished__isnull=False).count() == 6
    assert sorted(session.place for session in sessions) == list(range(6))
    assert Rating.objects.filter(trial__session__study=study).count() == 6 * 3 * 5
    assert not sessions.filter(trials__finished=None).exists()


@pytest.mark.parametrize("listeners", some([16, 40], (16).__eq__))
def test_grades_follow_the_qualities_that_were_asked_for(study: Study, listeners: int) -> None:
    qualities = {"opus-9k": 80.0, "bpgan-2k": 40.0, "anchor35": 15.0, "anchor70": 60.0}
    made(study, listeners=listeners, qualities=qualities, items=0.0, use=0.0)
    means = rating_frame(study, SIMULATED).groupby("system")["score"].mean()
    for slug, quality in qualities.items():
        # Of 40 listeners 80 grades with a spread of 13.
        assert means[slug] == pytest.approx(quality, abs=4 * (40 / listeners) ** 0.5)
    assert means["original"] > 97


def test_the_same_seed_gives_the_same_grades_and_another_does_not(study: Study) -> None:
    def grades(seed: int) -> list[float]:
        made(study, listeners=3, seed=seed)
        return rating_frame(study, SIMULATED).sort_values(["system", "item"])["score"].tolist()

    first = grades(1)
    assert grades(1) == first
    assert grades(2) != first


def test_careless_listeners_miss_the_hidden_reference(study: Study) -> None:
    made(study, listeners=6, careless=1.0)
    frame = rating_frame(study, SIMULATED)
    assert frame.loc[frame["system"] == "original", "score"].mean() < 80


def test_they_are_never_among_real_listeners(study: Study, client: Client, alice: User) -> None:
    listen(study, {"original": 100, "bpgan-2k": 1})
    made(study)
    real = rating_frame(study)
    assert real["assessor"].nunique() == 1
    assert set(real.loc[real["system"] == "bpgan-2k", "score"]) == {1}
    assert live_sessions(study).count() == 1
    counted = selectors.studies_of(alice).get()
    assert (counted.started_count, counted.finished_count) == (1, 1)
    client.force_login(alice)
    csv = client.get(reverse("ratings_csv", args=[study.pk])).getvalue().decode()
    codes = study.sessions.filter(kind=SIMULATED).values_list("assessor__code", flat=True)
    assert not any(code in csv for code in codes)


def test_a_real_session_does_not_stand_in_their_way_nor_they_in_its(study: Study) -> None:
    made(study)
    assert start_session(study).place == 0


def test_one_click_deletes_them_and_nothing_else(study: Study, client: Client, alice: User) -> None:
    kept = listen(study)
    made(study)
    client.force_login(alice)
    client.post(reverse("study_simulation_discard", args=[study.pk]))
    assert list(study.sessions.all()) == [kept]
    assert kept.trials.first().ratings.count() == 5
    study.refresh_from_db()
    assert study.simulation == {}


def test_simulating_again_replaces_them(study: Study) -> None:
    made(study, listeners=4)
    made(study, listeners=2)
    assert study.sessions.count() == 2


def test_a_message_that_comes_twice_makes_nobody_twice(study: Study) -> None:
    made(study, listeners=3)
    simulate(str(study.pk))
    assert study.sessions.count() == 3


def test_another_worker_goes_on_where_one_died(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation.start(study, {"listeners": 3})
    answer = Listener.answer
    second = Listener(study, 1).bias

    def die(listener: Listener, trial: Trial, systems: Mapping[int, str]) -> None:
        answer(listener, trial, systems)
        if listener.bias == second and trial.position > 1:
            raise KeyboardInterrupt  # in the middle of the second listener

    with monkeypatch.context() as patch:
        patch.setattr(simulation, "_HELD_SECONDS", 0.0)  # each trial by itself
        patch.setattr(Listener, "answer", die)
        with pytest.raises(KeyboardInterrupt):
            simulate(str(study.pk))
    assert Simulation.count_made(study) == 1
    unfinished = study.sessions.get(finished=None)
    assert simulation.state_of(study) == "running"
    simulate(str(study.pk))
    assert Simulation.count_made(study) == 1  # it is the dead worker's while its lease runs
    Simulation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.sweep()
    simulate(str(study.pk))
    study.refresh_from_db()
    assert Simulation.count_made(study) == study.sessions.count() == 3
    assert not Session.objects.filter(pk=unfinished.pk).exists()
    assert simulation.state_of(study) == "done"


def test_a_listener_that_kills_every_worker_is_given_up(
    study: Study, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """As many workers may die of one as of any step; meanwhile no result counts what it left behind."""
    settings.JOB_MAX_ATTEMPTS = 3
    simulation.start(study, {"listeners": 3})
    answer = Listener.answer

    def die(listener: Listener, trial: Trial, systems: Mapping[int, str]) -> None:
        answer(listener, trial, systems)
        if trial.position > 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(simulation, "_HELD_SECONDS", 0.0)
    monkeypatch.setattr(Listener, "answer", die)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            simulate(str(study.pk))
        assert study.sessions.filter(trials__finished__isnull=False).exists()
        assert rating_frame(study, "simulated").empty
        Simulation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
    assert Simulation.objects.get().status == "failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases let writers queue")
def test_listeners_are_let_in_between_simulated_ones(study: Study) -> None:
    simulation.start(study, {"listeners": 8})

    def work() -> None:
        try:
            simulation.run(str(study.pk))
        finally:
            connection.close()

    # As SQLite does for whoever waits: look now and then whether the lock is free.
    found = []
    worker = threading.Thread(target=work)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0)) as other:
        worker.start()
        while worker.is_alive():
            try:
                other.execute("BEGIN IMMEDIATE")
                other.rollback()
                found.append(True)
            except sqlite3.OperationalError:
                found.append(False)
            time.sleep(0.02)
        worker.join()
    assert Simulation.count_made(study) == 8
    locked = max((sum(1 for _ in group) for free, group in groupby(found) if not free), default=0)
    assert sum(found) > len(found) / 10, f"free {sum(found)} times of {len(found)}, locked {locked} in a row"


def test_asking_anew_takes_the_claim_away(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation.start(study, {"listeners": 3})
    listen_once = simulation._listen

    def interrupted(row: Simulation, session: Session, number: int) -> bool:
        listen_once(row, session, number)
        simulation.start(study, {"listeners": 2})
        return True

    with monkeypatch.context() as patch:
        patch.setattr(simulation, "_listen", interrupted)
        assert simulation.run(str(study.pk)) == 1
    assert not study.sessions.exists()
    assert simulation.run(str(study.pk)) == 2
    simulation.start(study, {"listeners": 2})
    row = jobs.claim(Simulation, study.pk)
    assert row is not None
    assert simulation.discard(study) == 0  # and taking it back
    assert simulation._start_next(row) is None
    study.refresh_from_db()
    assert (study.simulation, simulation.state_of(study)) == ({}, "")


def test_a_failure_is_shown_with_its_log_and_can_be_retried(
    study: Study, monkeypatch: pytest.MonkeyPatch, client: Client, alice: User
) -> None:
    def fall(row: Simulation, session: Session, number: int) -> bool:
        raise ZeroDivisionError("no")

    simulation.start(study, {"listeners": 2})
    with monkeypatch.context() as patch:
        patch.setattr(simulation, "_listen", fall)
        simulate(str(study.pk))
    client.force_login(alice)
    page = client.get(reverse("study_trying", args=[study.pk])).content.decode()
    assert "The simulation failed: Something went wrong here (ZeroDivisionError)." in page
    assert "ZeroDivisionError: no" in page  # the log
    assert "hx-get" not in page
    client.post(reverse("job_retry", args=["simulation", study.pk]))
    simulate(str(study.pk))
    assert study.sessions.count() == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"listeners": 0}, "whole number from 1"),
        ({"listeners": 1000}, "whole number from 1"),
        ({"careless": 1.5}, "from 0 to 1"),
        ({"bias": float("nan")}, "from 0 to 40"),
        ({"qualities": {"mp3": 50}}, "not in the study"),
        ({"qualities": {"opus-9k": 101}}, "from 0 to 100"),
    ],
)
def test_what_makes_no_sense_is_refused(study: Study, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        simulation.start(study, asked)
    assert study.sessions.count() == 0


def test_qualities_start_from_the_objective_scores(study: Study) -> None:
    found = simulation.usual_qualities(study)
    assert found["original"] == 100
    # PESQ-WB 4.6 - 3/2 and 4.6 - 4/2 in these tests
    assert (found["opus-9k"], found["bpgan-2k"]) == (58, 44)


def test_the_page_tells_how_many_assessors_an_interval_takes(
    study: Study, client: Client, alice: User
) -> None:
    client.force_login(alice)
    url = reverse("study_setup", args=[study.pk, "check"])
    assert "Assessors for" not in client.get(url).content.decode()
    made(study, listeners=8)
    html = client.get(url, {"half_width": "4"}).content.decode()
    needed = simulation.plan_assessors(study, 4.0).assessors
    assert needed
    assert f"<strong>{needed} listeners</strong>" in html
    assert simulation.plan_assessors(study, 2.0).assessors > needed
    assert "8 simulated listeners, no people." in html


def test_the_form_starts_a_simulation_for_its_owner_alone(
    client: Client, study: Study, alice: User, bob: User
) -> None:
    url = reverse("study_simulate", args=[study.pk])
    sent = {"listeners": "2", "bias": "3", "careless": "0", "quality-opus-9k": "70"}
    client.force_login(bob)
    assert client.post(url, sent).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 302
    assert client.post(url, sent).status_code == 302
    study.refresh_from_db()
    assert study.simulation["listeners"] == 2
    assert study.simulation["qualities"]["opus-9k"] == 70
    assert "hx-get" in client.get(reverse("study_trying", args=[study.pk])).content.decode()
    client.post(url, sent | {"bias": "much"})
    page = client.get(reverse("study_setup", args=[study.pk, "check"])).content.decode()
    assert "“much” is not a number" in page


@pytest.fixture
def by_method(alice: User, processed: Callable[..., Clip]) -> Callable[..., Study]:
    def make(method: str, **options: Any) -> Study:
        study = create_study(
            alice,
            "A study",
            [processed(alice) for _ in range(2)],
            SYSTEMS,
            method=method,
            options=options,
            seed=7,
        )
        open_unrendered(study)
        study.refresh_from_db()
        return study

    return make


@pytest.mark.parametrize("method", some(sorted(set(METHODS) - {"mushra"}), {"abx", "acr"}.__contains__))
def test_they_take_tests_of_every_method(
    by_method: Callable[..., Study], method: str, client: Client, alice: User
) -> None:
    options = {"trials": 2} if method == "abx" else {}
    study = made(
        by_method(method, **options), listeners=6, qualities={"opus-9k": 75.0, "bpgan-2k": 40.0}, items=0.0
    )
    assert study.sessions.filter(kind=SIMULATED, finished__isnull=False).count() == 6
    assert not Trial.objects.filter(finished=None).exists()
    client.force_login(alice)
    page = client.get(reverse("study_setup", args=[study.pk, "check"])).content.decode()
    assert "6 simulated listeners, no people." in page
    assert ("Listeners for a 95\xa0% interval" in page) == METHODS[method].takes_grades
    trials = study.sessions.first().trials
    trained, graded = (trials.filter(item__training=training).count() for training in (True, False))
    assert f"<dt>Training</dt><dd>{trained} trial" in page
    assert f"2 items, {graded} trials, " in page or graded == 2
    assert "Systems per trial" not in page
    results = client.get(reverse("results", args=[study.pk]), {"kind": "simulated"}).content.decode()
    assert "Nobody heard anything" in results
    if METHODS[method].takes_grades:
        assert simulation.plan_assessors(study, 0.5).assessors
        frame = score_frame(study, SIMULATED)
        means = frame.groupby("system")["score"].mean()
        assert means["opus-9k"] > means["bpgan-2k"] + 0.5


@pytest.mark.parametrize("listeners", some([5, 10], (5).__eq__))
def test_who_compares_hears_what_lies_far_apart_and_guesses_what_does_not(
    by_method: Callable[..., Study], listeners: int
) -> None:
    qualities = {"opus-9k": 100.0, "bpgan-2k": 20.0}
    study = made(by_method("abx", trials=6), qualities=qualities, items=0.0, listeners=listeners)
    right: dict[str, list[bool]] = {}
    for row in choice_rows(study, SIMULATED):
        right.setdefault(next(iter({row.a, row.b} - {"original"})), []).append(row.correct is True)
    assert sum(right["bpgan-2k"]) / len(right["bpgan-2k"]) > 0.99  # 8 standard deviations apart
    share = sum(right["opus-9k"]) / len(right["opus-9k"])  # like the original: a coin
    assert len(right["opus-9k"]) == 12 * listeners
    assert share == pytest.approx(0.5, abs=0.13 * (10 / listeners) ** 0.5)

    study = made(by_method("ab", no_preference=True), qualities=qualities, items=0.0, listeners=listeners + 2)
    assert {row.chosen for row in choice_rows(study, SIMULATED)} == {"opus-9k"}


def test_blocks_are_tried_as_planned(make_study: Callable[..., Study]) -> None:
    study = make_study(clips=6)
    study.design = {"items_per_session": 2}
    update_study(study, ["design"])
    made(study, listeners=6)
    blocks = list(study.sessions.values_list("block", flat=True))
    assert sorted(blocks) == [0, 0, 1, 1, 2, 2]
    assert rating_frame(study, SIMULATED).groupby(["item", "system"]).size().nunique() == 1
