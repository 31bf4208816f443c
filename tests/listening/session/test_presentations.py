"""What each method draws for a session: signals, sides, orders, all from the seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from evaluation.refusals import Refusal
from listening.methods import METHODS
from listening.methods.pairs import list_pairs
from listening.models import Session, Stimulus, Study
from listening.session.orders import draw_trials
from listening.session.presentations import arrange, present
from listening.session.sessions import start_session
from listening.study.errors import StudyError
from listening.study.studies import create_study
from tests.listening.conftest import SYSTEMS, open_unrendered, system_of

Orders = list[list[tuple[str, str]]]


def make_stimuli(study: Study) -> list[Stimulus]:
    return list(study.items.get(position=1).stimuli.select_related("item"))


def heard(orders: list[list[dict[str, str]]]) -> Orders:
    """Role and system of each signal of each trial."""
    return [[(entry.get("role", ""), system_of(entry)) for entry in order] for order in orders]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_draws_the_same_trials(method: str, make_study: Callable[..., Study]) -> None:
    stimuli = make_stimuli(make_study(1))
    options = METHODS[method].defaults
    first, again = (present(method, stimuli, random.Random(3), options=options) for _ in range(2))
    assert heard(first) == heard(again)
    keys = [entry["key"] for order in [*first, *again] for entry in order]
    assert len(set(keys)) == len(keys)  # but no key twice
    assert all(len(order) <= METHODS[method].max_signals for order in first)


def test_abx_draws_x_balanced_and_the_sides_by_themselves(make_study: Callable[..., Study]) -> None:
    study = make_study(1)
    stimuli = [row for row in make_stimuli(study) if row.system in ("original", "bpgan-2k")]
    letters: list[str] = []
    for seed in range(200):
        orders = heard(present("abx", stimuli, random.Random(seed), options={"trials": 10}))
        assert len(orders) == 10
        for a, b, x in orders:
            assert {a[0], b[0], x[0]} == {"A", "B", "X"}
            assert {a[1], b[1]} == {"original", "bpgan-2k"}
        assert Counter(x for _, _, (_, x) in orders) == {"original": 5, "bpgan-2k": 5}
        letters.append("".join("A" if x[1] == a[1] else "B" for a, _, x in orders))
    # The right letter is a fair coin in each trial, whatever came before: not 5 of 10 each time.
    right_is_a = [word.count("A") for word in letters]
    assert len(set(right_is_a)) > 4
    assert abs(sum(right_is_a) / 2000 - 0.5) < 3 * 0.5 / 2000**0.5
    assert abs(sum(word[0] == word[1] for word in letters) / 200 - 0.5) < 3 * 0.5 / 200**0.5


def test_abx_asks_about_each_pair_in_a_block_of_its_own(make_study: Callable[..., Study]) -> None:
    stimuli = make_stimuli(make_study(1))
    tested = ["anchor35", "anchor70", *SYSTEMS]
    for pairs, count in (("reference", 4), ("systems", 6), ("all", 10), ([["original", "opus-9k"]], 1)):
        orders = heard(present("abx", stimuli, random.Random(1), options={"pairs": pairs, "trials": 3}))
        blocks = [frozenset((a[1], b[1])) for a, b, _ in orders]
        assert len(orders) == 3 * count
        assert blocks == [pair for pair in dict.fromkeys(blocks) for _ in range(3)]
        assert set(blocks) == {frozenset(pair) for pair in list_pairs(pairs, tested)}
    training = present("abx", stimuli, random.Random(1), options={"trials": 3}, training=True)
    assert len(training) == 4


@pytest.mark.parametrize(("method", "options"), [("ab", {"pairs": "all"}), ("ccr", {})])
def test_sides_are_balanced_within_a_session_and_over_sessions(
    method: str, options: dict[str, str], make_study: Callable[..., Study]
) -> None:
    study = make_study(4)
    first: Counter[tuple[int, str, str]] = Counter()
    for turn in range(4):
        session: Counter[tuple[str, str]] = Counter()
        for item in study.items.filter(training=False):
            stimuli = list(item.stimuli.select_related("item"))
            orders = heard(present(method, stimuli, random.Random(turn), options=options, turn=turn))
            for (_, left), (_, right) in orders:
                if left != right:
                    first[item.position, left, right] += 1
                    session[left, right] += 1
        assert set(session.values()) == {2}  # of four items, two each way round
    assert set(first.values()) == {2}  # of four sessions, two each way round


def test_bs1116_hides_the_reference_as_b_or_c(make_study: Callable[..., Study]) -> None:
    stimuli = make_stimuli(make_study(1))
    places: Counter[str] = Counter()
    for seed in range(100):
        orders = heard(present("bs1116", stimuli, random.Random(seed)))
        assert {frozenset(system for _, system in order) for order in orders} == {
            frozenset(("original", slug)) for slug in ["anchor35", "anchor70", *SYSTEMS]
        }
        for order in orders:
            assert [role for role, _ in order] == ["B", "C"]
            places[next(role for role, system in order if system == "original")] += 1
    assert abs(places["B"] / places.total() - 0.5) < 3 * 0.5 / places.total() ** 0.5


def test_acr_grades_the_original_only_as_a_hidden_reference(make_study: Callable[..., Study]) -> None:
    stimuli = make_stimuli(make_study(1))
    for hidden in (True, False):
        orders = present("acr", stimuli, random.Random(1), options={"hidden_reference": hidden})
        systems = [system for order in heard(orders) for _, system in order]
        assert sorted(systems) == sorted(
            ["anchor35", "anchor70", *SYSTEMS, *(["original"] if hidden else [])]
        )


def test_trials_mix_and_no_item_follows_itself() -> None:
    trials = [(item, [{"key": f"{item}{n}"}]) for item in "abc" for n in range(6)]
    seen = set()
    for seed in range(100):
        arranged = arrange("acr", trials, random.Random(seed))
        assert sorted(order[0]["key"] for _, order in arranged) == sorted(t[1][0]["key"] for t in trials)
        assert all(one != other for (one, _), (other, _) in pairwise(arranged))
        seen.add(arranged[0][1][0]["key"])
    assert len(seen) > 14  # of 18
    lopsided = [("a", [{"key": n}]) for n in range(4)] + [("b", [{"key": n}]) for n in range(3)]
    for seed in range(50):
        assert [item for item, _ in arrange("dcr", lopsided, random.Random(seed))] == list("abababa")
    one = [("a", [{"key": n}]) for n in range(3)]
    assert len(arrange("dcr", one, random.Random(1))) == 3
    assert arrange("abx", trials, random.Random(1)) == trials


@pytest.mark.parametrize("method", METHODS)
def test_a_study_of_each_method_draws_its_session(method: str, alice, processed) -> None:  # type: ignore[no-untyped-def]
    clips = [processed(alice), processed(alice)]
    study = create_study(alice, "A study", clips, SYSTEMS, method=method, seed=5)
    assert study.method == method
    options = METHODS[method].read_options(study.method_options)
    assert study.method_options == dict(METHODS[method].defaults)
    always = METHODS[method].always
    assert set(Stimulus.objects.values_list("system", flat=True)) == {*always, *SYSTEMS}
    open_unrendered(study)
    session = start_session(Study.objects.get(pk=study.pk))
    graded = session.trials.filter(item__training=False)
    assert graded.count() == 2 * METHODS[method].trials_per_item(options, study.systems)
    training = list(session.trials.filter(item__training=True))
    assert [trial.position for trial in training] == list(range(1, len(training) + 1))
    again = draw_trials(Session.objects.get(pk=session.pk))
    assert [heard([trial.order]) for trial in again] == [heard([t.order]) for t in session.trials.all()]
    assert METHODS[method].seconds_per_item(options, study.systems, 8.0) > 8


def test_anchors_are_systems_like_others_outside_mushra(alice, processed) -> None:  # type: ignore[no-untyped-def]
    study = create_study(
        alice, "A study", [processed(alice)], ["anchor35", "original", "bpgan-2k"], method="acr"
    )
    assert study.systems == ["anchor35", "bpgan-2k"]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("mushra", {"trials": 3}, "MUSHRA has no option 'trials'"),
        ("abx", {"trials": 0}, "whole number from 1 to 50"),
        ("abx", {"trials": True}, "whole number from 1 to 50"),
        ("abx", {"pairs": "some"}, "one of reference, systems, all"),
        ("abx", {"pairs": []}, "one of reference, systems, all"),
        ("ab", {"pairs": [["opus-9k", "opus-9k"]]}, "two different systems"),
        ("ab", {"pairs": [["opus-9k", "mp3"]]}, "'mp3', which is not in the study"),
        ("ab", {"pairs": [["opus-9k", "bpgan-2k"], ["bpgan-2k", "opus-9k"]]}, "listed twice"),
        ("ab", {"no_preference": "yes"}, "true or false"),
        ("acr", {"plays": "twice"}, "one of free, once"),
    ],
)
def test_options_that_mean_nothing_are_refused(method: str, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(Refusal, match=message):
        METHODS[method].clean_options(options, SYSTEMS)


def test_one_system_alone_makes_no_pair_of_systems(alice, processed) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal, match="at least two"):
        create_study(
            alice, "A study", [processed(alice)], ["bpgan-2k"], method="ab", options={"pairs": "systems"}
        )
    study = create_study(alice, "A study", [processed(alice)], ["bpgan-2k"], method="ab")
    assert study.method_options["pairs"] == "reference"
    with pytest.raises(StudyError, match="no method 'bs1534'"):
        create_study(alice, "A study", [processed(alice)], ["bpgan-2k"], method="bs1534")
