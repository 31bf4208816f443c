"""Results and exports of ABX, preference, BS.1116, ACR, DCR and CCR."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from listening.columns.studies import AnalysisSettings
from listening.interchange import exports
from listening.methods import METHODS, NO_PREFERENCE
from listening.models import Analysis, Session, Stimulus, Study, Trial
from listening.results import heavy, methods
from listening.results.choosing import abx, choice_rows
from listening.results.grading import comparison_frame, diff_frame
from listening.results.methods import VIEWS
from listening.session.choices import save_choice
from listening.session.grading import graded_signals
from listening.session.ratings import finish_trial, save_rating, save_ratings
from listening.session.sessions import begin, start_session
from listening.tasks import make_analysis
from tests.listening.conftest import Answer, system_of, take
from tests.rows import some

QUALITY = {"original": 5, "opus-9k": 4, "bpgan-2k": 2, "celp-8k": 3}


def systems_in(trial: Trial) -> dict[str, str]:
    """What is behind each key of a trial."""
    stimuli = Stimulus.objects.in_bulk([entry["stimulus"] for entry in trial.order])
    return {entry["key"]: stimuli[entry["stimulus"]].system for entry in trial.order}


def parts(trial: Trial) -> dict[str, str]:
    systems = systems_in(trial)
    return {entry.get("role", ""): systems[entry["key"]] for entry in trial.order}


def key(trial: Trial, role: str) -> str:
    return next(entry["key"] for entry in trial.order if entry.get("role") == role)


def right(trial: Trial) -> None:
    systems = parts(trial)
    save_choice(trial, key(trial, "A" if systems["A"] == systems["X"] else "B"), 1)


def wrong(trial: Trial) -> None:
    systems = parts(trial)
    save_choice(trial, key(trial, "B" if systems["A"] == systems["X"] else "A"), 1)


def always_a(trial: Trial) -> None:
    save_choice(trial, key(trial, "A"), 1)


def prefer(trial: Trial) -> None:
    systems = parts(trial)
    save_choice(trial, key(trial, "A" if QUALITY[systems["A"]] > QUALITY[systems["B"]] else "B"), 1)


def grade(trial: Trial) -> None:
    quality = {key: QUALITY[system] for key, system in systems_in(trial).items()}
    scores = {entry["key"]: quality[entry["key"]] for entry in graded_signals(trial)}
    if trial.session.study.method == "ccr":
        first, second = (quality[each["key"]] for each in trial.order)
        scores = {key: max(-3, min(3, second - first)) for key in scores}
    save_ratings(trial, scores)


def results(study: Study) -> dict[str, Any]:
    """What the page shows when a worker has computed the tests."""
    return methods.context_of(study, "real", heavy.compute(study, "real", "none"))


def read(study: Study, name: str, **options: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exports.table(study, name, **options).decode())))


def test_abx_counts_right_answers_by_x(hold: Callable[..., Study]) -> None:
    study = hold("abx", right, trials=6)
    context = abx(study)
    assert [(pair["row"].correct, pair["row"].n) for pair in context["pairs"]] == [(48, 48), (48, 48)]
    assert {pair["first"] for pair in context["pairs"]} == {"Original"}
    assert context["answer"].startswith("2 of 2 pairs were told apart")
    assert len(context["assessors"]) == 8
    assert context["listeners"] == 4
    assert "48 of 48" in context["svg"]


def test_who_answers_a_every_time_is_right_by_chance(hold: Callable[..., Study]) -> None:
    study = hold("abx", always_a, systems=("bpgan-2k",), trials=10, listeners=5)
    context = abx(study)
    (pair,) = context["pairs"]
    assert pair["row"].n == 100
    assert 33 <= pair["row"].correct <= 67  # 3.5 standard deviations
    assert "no difference was shown" in context["answer"]


def test_preference_ranks_as_listeners_prefer(hold: Callable[..., Study]) -> None:
    study = hold("ab", prefer, systems=("opus-9k", "bpgan-2k", "celp-8k"))
    context = results(study)
    assert {
        (pair["first"], pair["second"]): (pair["row"].first_votes, pair["row"].second_votes)
        for pair in context["pairs"]
    } == {
        ("Opus 9k", "CELP 8k (Speex)"): (8, 0),
        ("Opus 9k", "BPGAN 2k"): (8, 0),
        ("CELP 8k (Speex)", "BPGAN 2k"): (8, 0),
    }
    assert any("no bound" in warning for warning in context["warnings"])  # all of one mind
    # Four listeners of one mind: a sign test over them has p = 0.125, however often each voted.
    assert context["answer"].startswith("No verdict is possible on all 3 pairs")

    def torn(trial: Trial) -> None:
        if trial.session.number % 2 and trial.item.position == 1:
            always_a(trial)
        elif trial.item.position == 2 and trial.session.number == 2:
            save_choice(trial, NO_PREFERENCE, 1)
        else:
            prefer(trial)

    mixed = results(
        hold("ab", torn, systems=("opus-9k", "bpgan-2k", "celp-8k"), listeners=8, no_preference=True)
    )
    assert next(each["title"] for each in mixed["scale"]) == "Opus 9k"
    assert mixed["answer"].startswith("Undecided: all 3 pairs")  # two items stand for all of their kind
    assert all(each["row"].low_assessors is not None for each in mixed["scale"])


def test_bs1116_subtracts_the_hidden_reference_of_the_same_trial(hold: Callable[..., Study]) -> None:
    study = hold("bs1116", grade)
    frame = diff_frame(study)
    assert len(frame) == 4 * 2 * 2
    assert set(frame["reference"]) == {5.0}
    context = results(study)
    assert [(each["system"]["title"], each["row"].mean) for each in context["rows"]] == [
        ("Opus 9k", -1.0),
        ("BPGAN 2k", -3.0),
    ]
    assert context["kept"] == 4
    assert context["answer"].startswith("An impairment was shown for none of 2 systems. No test was possible")


def test_bs1116_corrects_for_the_number_of_systems(hold: Callable[..., Study]) -> None:
    """The experts' figures stand beside those of all listeners, and p is of a family of three."""
    scores = {"opus-9k": (-3, -1, -3, 0), "bpgan-2k": (1, -1, 0, 0), "celp-8k": (1, 0, -1, 1)}

    def noisy(trial: Trial) -> None:
        tested = next(slug for slug in map(system_of, graded_signals(trial)) if slug != "original")
        apart = scores[tested][(trial.session.number - 1) % 4] / 10
        for entry in graded_signals(trial):
            lower = (system_of(entry) == "original") == (apart > 0)
            save_rating(trial, entry["key"], round(5 - abs(apart) * lower, 1), 1)

    context = results(hold("bs1116", noisy, systems=("opus-9k", "bpgan-2k", "celp-8k")))
    row = context["rows"][0]["row"]
    # Both items alike: Student's t of -0.3, -0.1, -0.3 and 0 over four listeners is -2.333, p = 0.1018.
    assert row.p == pytest.approx(0.1018, abs=1e-4)
    assert row.p_adjusted == pytest.approx(3 * 0.1018, abs=3e-4)
    assert "for none of 3 systems" in context["answer"]
    assert "here all listeners are included" in " ".join(context["warnings"])
    assert len(context["pairs"]) == 3


def test_no_system_is_highest_where_another_has_the_same(hold: Callable[..., Study]) -> None:
    def alike(trial: Trial) -> None:
        for entry in graded_signals(trial):
            score = 5 if system_of(entry) == "original" else 3 + trial.session.number % 2
            save_rating(trial, entry["key"], score, 1)

    context = results(hold("acr", alike))
    assert "have the same MOS: 3.50" in context["answer"]
    assert "highest" not in context["answer"]
    assert "No test was possible" in context["answer"]


def test_mean_opinion_scores_have_tests_and_intervals_within_the_scale(hold: Callable[..., Study]) -> None:
    def high(trial: Trial) -> None:
        for entry in graded_signals(trial):
            good = system_of(entry) != "bpgan-2k"
            save_rating(trial, entry["key"], (5 if trial.session.number > 1 else 4) if good else 2, 1)

    study = hold("acr", high)
    context = results(study)
    assert context["rows"][1]["over_listeners"] == "3.95 to 5.00"  # 4.75 ± 0.80 by hand
    assert context["question"].margin == pytest.approx(0.2)  # 5 % of 1 to 5
    (pair,) = context["pairs"]
    assert (pair["verdict"], pair["decimals"]) == ("better", 2)
    assert context["answer"].startswith("Opus 9k has the highest MOS of 2 systems: 4.75")
    assert "Opus 9k is better than BPGAN 2k (2.75 points" in context["answer"]
    assert "neighbours in rank" in context["differences_svg"]
    assert "5 listeners" in context["data"]["ordinal"]["problem"]
    study.analysis = AnalysisSettings(population="these", margin=3)
    study.save()
    again = results(study)
    assert again["question"].margin == 3
    assert "for these items only" in again["answer"]


@pytest.mark.parametrize("method", ["acr", "dcr"])
def test_opinion_scores_are_means_of_votes(hold: Callable[..., Study], method: str) -> None:
    context = results(hold(method, grade))
    assert {each["system"]["slug"]: each["row"].mean for each in context["rows"]} == {
        "original": 5.0,
        "opus-9k": 4.0,
        "bpgan-2k": 2.0,
    }
    assert context["rows"][1]["votes"] == [0, 8, 0, 0, 0]
    assert "No test was possible against BPGAN 2k" in context["answer"]  # all differences are alike
    assert "highest MOS" not in context["answer"]


def test_cmos_is_against_the_reference_whichever_was_first(hold: Callable[..., Study]) -> None:
    study = hold("ccr", grade)
    frame = comparison_frame(study)
    assert set(frame["sign"]) == {1, -1}
    context = results(study)
    assert {each["system"]["slug"]: each["row"].mean for each in context["rows"]} == {
        "original": 0.0,
        "opus-9k": -1.0,
        "bpgan-2k": -3.0,
    }
    assert context["order"].mean == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("method", "answer"),
    some(
        [("abx", right), ("ab", prefer), *((method, grade) for method in ("bs1116", "acr", "dcr", "ccr"))],
        lambda row: row[0] in ("abx", "bs1116", "acr"),
    ),
)
def test_the_results_page_and_figure_of_each_method(
    client: Client, alice: Any, hold: Callable[..., Study], method: str, answer: Answer
) -> None:
    study = hold(method, answer, listeners=2)
    assert METHODS[method].analysis in VIEWS
    url, figure = reverse("results", args=[study.pk]), reverse("method_figure", args=[study.pk, "svg"])
    assert client.get(figure).status_code == 302
    client.force_login(alice)
    html = client.get(url).content.decode()
    assert '<p class="answer" id="answer">' in html
    assert "<svg" in html
    # No pair is tested in a request: a worker does it, once for this state of the data.
    assert "Waiting for a worker." in html
    assert "An impairment was shown" not in html
    row = Analysis.objects.get(study=study)
    assert Analysis.objects.count() == 1
    make_analysis(row.pk)
    html = client.get(url).content.decode()
    assert "not computed yet" not in html
    assert "Waiting for a worker." not in html
    graded = METHODS[method].takes_grades
    assert ("Expertise of listeners" in html) is graded
    assert ("Companion: logistic mixed model" in html) is not graded
    assert ("An impairment was shown" in html) is (method == "bs1116")
    lines = client.get(figure, {"figure": "listeners"})
    assert lines.status_code == (200 if graded else 404)
    assert "BS.1534" not in html  # only MUSHRA is
    assert "MUSHRA" not in html.replace("webMUSHRA", "")
    saved = client.get(figure)
    assert (saved.status_code, saved["Content-Type"]) == (200, "image/svg+xml")
    assert client.get(figure, {"kind": "pilot"}).status_code == 404  # nobody was there
    assert client.get(figure, {"kind": "x"}).status_code == 404
    empty = client.get(url, {"kind": "pilot"}).content.decode()
    assert "Nobody has finished a trial yet." in empty


@pytest.mark.parametrize("method", some(["ab", "bs1116", "acr"], "acr".__eq__))
def test_pages_speak_for_items_like_these_where_the_tests_do(
    client: Client, alice: Any, hold: Callable[..., Study], method: str
) -> None:
    """One item is no sample of others, though the study's question is for items like these."""

    def grade_apart(trial: Trial) -> None:
        """Grade as QUALITY says, the odd listeners BPGAN 2k lower: tests need some spread."""
        for entry in graded_signals(trial):
            lower = trial.session.number % 2 and system_of(entry) == "bpgan-2k"
            save_rating(trial, entry["key"], QUALITY[system_of(entry)] - bool(lower), 1)

    def prefer_apart(trial: Trial) -> None:
        """As QUALITY says, the first listener the other way round: all of one mind are no sample."""
        systems = parts(trial)
        better = "A" if QUALITY[systems["A"]] > QUALITY[systems["B"]] else "B"
        worse = "B" if better == "A" else "A"
        save_choice(trial, key(trial, worse if trial.session.number == 1 else better), 1)

    client.force_login(alice)
    answer = grade_apart if METHODS[method].takes_grades else prefer_apart
    # Where AB's page and BS.1116's name what is random in the model.
    random = {"ab": "listeners and items random;", "bs1116": "listeners random, items too"}.get(method, "")
    for items in (1, 2):
        study = hold(method, answer, items=items)
        waits = client.get(reverse("results", args=[study.pk])).content.decode()
        assert ("Marker: share that prefers" in waits) is (method == "ab")  # no bar before the tests are done
        client.get(reverse("results", args=[study.pk]))
        make_analysis(Analysis.objects.get(study=study).pk)
        page = client.get(reverse("results", args=[study.pk])).content.decode()
        report = client.get(reverse("report", args=[study.pk])).content.decode()
        limits = report.split("4. Limits")[1].split("</section>")[0]
        for text in (page, report) if random else ():
            assert (random in text) is (items == 2)
        if method == "ab":
            # What the bars are over is said at the table alone, and of ties only where there can be some.
            assert "share that prefers the right one, with its 95 % interval. Dots" in page
            assert "counts as half a vote" not in page
            assert "ties are left out" not in page
        assert ("for items like these, as far as" in limits) is (items == 2)
        assert ("for these items only" in limits) is (items == 1)


def test_results_belong_to_their_owner_and_keep_kinds_apart(
    client: Client, bob: Any, hold: Callable[..., Study]
) -> None:
    study = hold("abx", right, trials=1, listeners=1)
    take(start_session(study, kind=Session.Kind.SIMULATED), always_a)
    assert len(choice_rows(study)) == 4
    assert len(choice_rows(study, "simulated")) == 4
    assert abx(study)["listeners"] == abx(study, "simulated")["listeners"] == 1
    assert len(read(study, "choices.csv")) == 6  # with training
    client.force_login(bob)
    assert client.get(reverse("method_figure", args=[study.pk, "svg"])).status_code == 404


def test_an_unfinished_trial_does_not_count(hold: Callable[..., Study]) -> None:
    study = hold("abx", right, trials=1, listeners=1)
    session = start_session(study)
    begin(session)
    for trial in session.trials.filter(item__training=True):
        right(trial)
        finish_trial(trial, "")
    right(session.trials.filter(item__training=False)[0])
    context = abx(study)
    assert (context["n"], context["uncounted"], context["listeners"]) == (4, 1, 1)


def test_abx_as_webmushra_writes_it(hold: Callable[..., Study]) -> None:
    study = hold("abx", always_a, systems=("bpgan-2k",), trials=2, listeners=2)
    rows = read(study, "paired_comparison.csv")
    assert list(rows[0]) == [
        "session_test_id", "trial_id", "choice_reference", "choice_non_reference", "choice_answer",
        "choice_time", "choice_comment",
    ]  # fmt: skip
    tidy = [row for row in read(study, "choices.csv") if row["training"] == "0"]
    assert len(rows) == len(tidy) == 8
    for row, answer in zip(rows, tidy, strict=True):
        assert row["choice_reference"] == ("reference" if answer["x"] == "original" else answer["x"])
        assert row["choice_answer"] == ("correct" if answer["correct"] == "1" else "incorrect")
        assert answer["chosen"] == answer["a"]
        assert int(row["choice_time"]) >= 0


def test_preference_as_webmushra_writes_it(hold: Callable[..., Study]) -> None:
    def answer(trial: Trial) -> None:
        if trial.item.position == 2:
            save_choice(trial, NO_PREFERENCE, 1)
        else:
            prefer(trial)

    study = hold("ab", answer, pairs="all", no_preference=True, listeners=1)
    rows = read(study, "paired_comparison.csv")
    assert {(row["choice_reference"], row["choice_non_reference"]) for row in rows} == {
        ("reference", "opus-9k"), ("reference", "bpgan-2k"), ("opus-9k", "bpgan-2k"),
    }  # fmt: skip
    assert sorted(row["choice_answer"] for row in rows) == ["correct"] * 3 + ["undecided"] * 3


def test_bs1116_as_webmushra_writes_it(hold: Callable[..., Study]) -> None:
    study = hold("bs1116", grade, listeners=1)
    rows = read(study, "bs1116.csv")
    assert list(rows[0]) == [
        "session_test_id", "trial_id", "rating_reference", "rating_non_reference",
        "rating_reference_score", "rating_non_reference_score", "rating_time", "choice_comment",
    ]  # fmt: skip
    assert {(row["rating_non_reference"], row["rating_non_reference_score"]) for row in rows} == {
        ("opus-9k", "4"), ("bpgan-2k", "2"),
    }  # fmt: skip
    assert {(row["rating_reference"], row["rating_reference_score"]) for row in rows} == {("reference", "5")}
    assert len(rows) == 4


def test_acr_as_webmushra_writes_it(hold: Callable[..., Study]) -> None:
    study = hold("acr", grade, listeners=1)
    text = exports.table(study, "lss.csv").decode()
    assert text.splitlines()[0] == "session_test_id,trial_id,stimuli_rating,stimuli,rating_time"
    rows = read(study, "lss.csv")
    assert {(row["stimuli"], row["stimuli_rating"]) for row in rows} == {
        ("reference", " 5 "), ("opus-9k", " 4 "), ("bpgan-2k", " 2 "),
    }  # fmt: skip
    assert len(rows) == 6


@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_its_files_and_no_others(method: str) -> None:
    names = {table.name for table in exports.bundle.tables_of(Study(method=method))}
    special = {"mushra.csv", "choices.csv", "paired_comparison.csv", "bs1116.csv", "lss.csv"}
    assert (
        names & special
        == {
            "mushra": {"mushra.csv"},
            "abx": {"choices.csv", "paired_comparison.csv"},
            "ab": {"choices.csv", "paired_comparison.csv"},
            "bs1116": {"bs1116.csv"},
            "acr": {"lss.csv"},
            "dcr": {"lss.csv"},
            "ccr": set(),
        }[method]
    )


@pytest.mark.parametrize(
    ("method", "answer", "name"),
    [("abx", right, "paired_comparison.csv"), ("bs1116", grade, "bs1116.csv"), ("acr", grade, "lss.csv")],
)
def test_what_is_exported_can_be_imported_again(
    alice: Any, hold: Callable[..., Study], method: str, answer: Answer, name: str
) -> None:
    from listening.interchange.imports.results import read_results

    study = hold(method, answer, listeners=1)
    content = exports.table(study, name)
    reading = read_results(content)
    assert method in reading.methods
    wanted = len(content.decode().splitlines()) - 1
    assert len(reading.verdicts or reading.grades) in (wanted, 2 * wanted)


@pytest.mark.parametrize(
    ("method", "answer", "name"),
    [
        ("abx", right, "paired_comparison.csv"),
        ("ab", prefer, "paired_comparison.csv"),
        ("bs1116", grade, "bs1116.csv"),
        ("dcr", grade, "lss.csv"),
    ],
)
def test_an_imported_study_has_the_same_results(
    client: Client, alice: Any, hold: Callable[..., Study], method: str, answer: Answer, name: str
) -> None:
    from listening.interchange.imports.results import read_results
    from listening.interchange.imports.storing import Decisions, store

    study = hold(method, answer, listeners=1)
    reading = read_results(exports.table(study, name))
    mapping = {system: "original" if system == "reference" else system for system in reading.systems}
    made = store(alice, reading, Decisions("Again", method, mapping), name)
    before, after = results(study), results(made)
    assert after["answer"] == before["answer"]
    assert after["n"] == before["n"]
    client.force_login(alice)
    html = client.get(reverse("results", args=[made.pk])).content.decode()
    assert "<svg" in html
