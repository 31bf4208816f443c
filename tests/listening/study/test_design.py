"""Who hears what in which order, and whose place is free."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from codec.registry import SYSTEMS as KNOWN
from evaluation.models import Clip
from listening.models import Session, Study, Trial
from listening.session.orders import draw_trials
from listening.session.ratings import save_events
from listening.session.sessions import begin, start_session
from listening.study import design as designs
from listening.study.contents import method_of
from listening.study.design import live_sessions
from listening.study.errors import StudyError
from listening.study.studies import ALWAYS, create_study
from tests.listening.conftest import SYSTEMS, grade, open_unrendered, system_of

ALL = {*ALWAYS, *SYSTEMS}
TWELVE = [slug for slug in KNOWN if slug not in ALWAYS][:12]


@pytest.fixture
def designed(alice: User, processed: Callable[..., Clip]) -> Callable[..., Study]:
    """Make an open study with a design."""

    def make(clips: int = 6, systems: list[str] = SYSTEMS, **design: Any) -> Study:
        made = [processed(alice, systems) for _ in range(clips)]
        study = create_study(alice, "Designed", made, systems, seed=70_007_007, design=design)
        open_unrendered(study)
        study.refresh_from_db()
        return study

    return make


def heard(session: Session) -> list[tuple[int, list[str]]]:
    """Items and signals of the graded trials, in order."""
    return [
        (trial.item.position, [system_of(entry) for entry in trial.order])
        for trial in session.trials.select_related("item").filter(item__training=False)
    ]


def test_without_a_design_items_and_signals_are_balanced_over_sessions(
    make_study: Callable[..., Study],
) -> None:
    study = make_study(clips=4)
    orders = [heard(start_session(study)) for _ in range(20)]  # 5 signals: two squares of 5
    for start in range(0, 20, 4):
        for place in range(4):
            assert len({order[place][0] for order in orders[start : start + 4]}) == 4
    followers = Counter(
        pair for order in orders for pair in itertools.pairwise(order) for pair in [(pair[0][0], pair[1][0])]
    )
    assert set(followers.values()) == {5}
    for item in range(1, 5):
        shown = [systems for order in orders for position, systems in order if position == item]
        for start in range(0, 20, 5):
            for place in range(5):
                assert {systems[place] for systems in shown[start : start + 5]} == ALL
        beside = Counter(pair for systems in shown for pair in itertools.pairwise(systems))
        assert set(beside.values()) == {4}
        assert len(beside) == 20


def test_items_are_shared_out_equally(designed: Callable[..., Study]) -> None:
    study = designed(clips=6, items_per_session=4)
    plan = designs.plan_of(study)
    assert len(plan.items) == 3
    sessions = [start_session(study) for _ in range(2 * plan.blocks)]
    assert [session.block for session in sessions] == [0, 1, 2, 0, 1, 2]
    items = Counter(position for session in sessions for position, _ in heard(session))
    assert items == Counter(dict.fromkeys(range(1, 7), 4))
    assert all(len(heard(session)) == 4 for session in sessions)


def test_more_systems_than_a_trial_holds_are_shared_out(designed: Callable[..., Study]) -> None:
    study = designed(clips=2, systems=TWELVE)
    assert study.design == {"systems_per_trial": 9}
    plan = designs.plan_of(study)
    sessions = [start_session(study) for _ in range(plan.blocks)]
    cells = Counter()
    for session in sessions:
        for position, systems in heard(session):
            assert len(systems) == 12
            assert set(ALWAYS) <= set(systems)
            cells.update((position, system) for system in systems if system in TWELVE)
    assert len(cells) == 2 * 12  # every item through every system
    assert len(set(cells.values())) == 1


def test_each_listener_compares_all_systems_where_there_are_items_enough(
    designed: Callable[..., Study],
) -> None:
    session = start_session(designed(clips=4, systems=TWELVE))
    assert {system for _, systems in heard(session) for system in systems} == {*ALWAYS, *TWELVE}


def test_training_shows_every_system(designed: Callable[..., Study]) -> None:
    study = designed(clips=2, systems=TWELVE)
    for _ in range(4):
        session = start_session(study)
        training = session.trials.filter(item__training=True)
        assert {system_of(entry) for trial in training for entry in trial.order} == {
            *ALWAYS,
            *TWELVE,
        }
        assert all(len(trial.order) <= 12 for trial in training)
        assert [trial.position for trial in training] == [1, 2]


def test_blocks_are_filled_evenly(designed: Callable[..., Study]) -> None:
    study = designed(clips=6, items_per_session=2)
    blocks = Counter(start_session(study).block for _ in range(10))
    assert sorted(blocks.values()) == [3, 3, 4]


def test_a_session_can_be_drawn_again_from_what_is_stored(designed: Callable[..., Study]) -> None:
    session = start_session(designed(clips=6, items_per_session=4))

    def order(trials: list[Trial]) -> list[Any]:
        return [(trial.item_id, [entry["stimulus"] for entry in trial.order]) for trial in trials]

    assert order(draw_trials(session)) == order(list(session.trials.all()))


def age(session: Session, hours: float) -> None:
    """Let all that a session has to show lie `hours` back."""
    then = timezone.now() - timedelta(hours=hours)
    Session.objects.filter(pk=session.pk).update(created=then)
    Session.objects.filter(pk=session.pk).exclude(instructed=None).update(instructed=then)
    session.trials.exclude(started=None).update(started=then)
    session.trials.exclude(finished=None).update(finished=then)
    for trial in session.trials.all():
        trial.ratings.update(updated=then)


def test_a_drop_outs_place_is_filled_first_and_nothing_is_lost(study: Study) -> None:
    sessions = [start_session(study) for _ in range(4)]
    assert [session.place for session in sessions] == [0, 1, 2, 3]
    late = sessions[1]
    begin(late)
    grade(late.trials.get(position=1))
    for session in sessions:
        age(session, 25)
    for session in (sessions[0], sessions[2], sessions[3]):
        Session.objects.filter(pk=session.pk).update(finished=timezone.now())
    refill = start_session(study)
    assert refill.place == 1
    assert heard(refill) == heard(late)  # the balance of those who finish stays as planned
    late.refresh_from_db()
    assert late.abandoned is not None
    assert start_session(study).place == 4
    for trial in late.trials.filter(finished=None):  # comes back all the same
        grade(trial)
    late.refresh_from_db()
    assert late.finished is not None
    assert late.trials.first().ratings.count() == len(ALL)


@pytest.mark.parametrize("sign", ["grade", "trial", "instructions", "stage"])
def test_any_sign_of_the_listener_keeps_the_place(study: Study, sign: str) -> None:
    session = start_session(study)
    age(session, 30)
    assert list(designs.stale_sessions(study)) == [session]
    if sign == "grade":
        begin(session)
        grade(session.trials.first(), finish=False)
        Session.objects.update(instructed=timezone.now() - timedelta(hours=30))
    elif sign == "trial":
        begin(session)
        opened = {"sequence": 1, "kind": "open", "milliseconds": 0, "detail": {}}
        save_events(session.trials.first(), [opened])
        Session.objects.update(instructed=timezone.now() - timedelta(hours=30))
    elif sign == "instructions":
        begin(session)
    else:
        session.stages.create(name="volume")
    assert not designs.stale_sessions(study).exists()
    assert start_session(study).place == 1


def test_who_was_screened_out_leaves_the_place(study: Study) -> None:
    first = start_session(study)
    Session.objects.filter(pk=first.pk).update(screened_out=timezone.now())
    assert start_session(study).place == 0
    assert live_sessions(study).count() == 1


def test_hours_until_a_place_is_free_are_the_designs(designed: Callable[..., Study]) -> None:
    study = designed(clips=2, drop_out_hours=2)
    session = start_session(study)
    age(session, 1.5)
    assert start_session(study).place == 1
    age(session, 2.5)
    assert start_session(study).place == 0


def test_kinds_have_places_of_their_own(study: Study) -> None:
    assert start_session(study, kind=Session.Kind.PILOT).place == 0
    assert start_session(study).place == 0
    assert start_session(study, kind=Session.Kind.SIMULATED).place == 0
    assert start_session(study).place == 1


def test_two_who_join_at_once_get_two_places(transactional_db: None, study: Study) -> None:
    places: list[int | None] = []
    gate = threading.Barrier(6)

    def join() -> None:
        gate.wait()
        try:
            places.append(start_session(study).place)
        finally:
            connection.close()

    threads = [threading.Thread(target=join) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(place for place in places if place is not None) == list(range(6))


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"items_per_session": 0}, "whole number from 1"),
        ({"items_per_session": 1.5}, "whole number from 1"),
        ({"systems_per_trial": True}, "whole number from 1"),
        ({"drop_out_hours": -1}, "more than 0 and at most a year"),
        ({"groups": 2}, "the only keys are drop_out_hours, items_per_session, systems_per_trial"),
        ([], "no other keys than drop_out_hours, items_per_session, systems_per_trial"),
    ],
)
def test_a_design_of_another_shape_is_refused(
    alice: User, processed: Callable[..., Clip], design: Any, message: str
) -> None:
    if design == []:
        with pytest.raises(StudyError, match=message):
            designs.fit_design(design, method_of("mushra"), 2, 2)  # type: ignore[attr-defined]
        return
    with pytest.raises(StudyError, match=message):
        create_study(alice, "Designed", [processed(alice)], SYSTEMS, design=design)


def test_what_shares_nothing_out_is_not_kept(designed: Callable[..., Study]) -> None:
    assert designed(clips=2, items_per_session=2, systems_per_trial=5, drop_out_hours=24).design == {}
