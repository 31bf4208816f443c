"""Imported results as studies: nothing of the file is lost, and benjsta comes out as its authors have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from scipy.stats import spearmanr

from evaluation.analysis import statistics
from listening.interchange import exports
from listening.interchange.imports import ImportProblem, read_results
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.scores import metric_slug, read_scores
from listening.interchange.imports.storing import (
    Decisions,
    methods_of,
    personal_questions,
    store,
)
from listening.models import Answer, Choice, Rating, Session, Stimulus, Study, Trial
from listening.results.frames import rating_frame
from listening.results.objective_frame import objective_frame

HEADER = "session_test_id,email,age,session_uuid,trial_id,"
HEADER += "rating_stimulus,rating_score,rating_time,rating_comment\n"
SMALL = HEADER + (
    "t,a@b.c,31,u1,one,reference,100,6000,fine\nt,a@b.c,31,u1,one,C1,40,6000,\n"
    "t,a@b.c,31,u1,two,C1,45,7000,\nt,d@e.f,44,u2,one,C1,33.5,5000,\n"
)


def keep(owner: User, text: str, method: str = "mushra", **decisions: object) -> Study:
    reading = read_results(text.encode())
    mapping = suggest(reading.systems)
    return store(owner, reading, Decisions("Old test", method, mapping, **decisions), "mushra.csv")  # type: ignore[arg-type]


def test_a_study_with_everything_of_the_file(alice: User) -> None:
    study = keep(alice, SMALL)
    assert (study.status, study.method, study.systems) == (Study.Status.CLOSED, "mushra", ["C1"])
    assert study.imported["systems"] == {"reference": "original", "C1": "C1"}
    assert [item.title for item in study.items.all()] == ["one", "two"]
    sessions = list(study.sessions.order_by("number"))
    assert [session.label for session in sessions] == ["u1", "u2"]
    assert {session.kind for session in sessions} == {Session.Kind.IMPORTED}
    first = Trial.objects.get(session=sessions[0], item__name="one")
    assert first.comment == "fine"
    assert first.started is not None
    assert first.finished is not None
    assert (first.finished - first.started).total_seconds() == 6
    assert [Stimulus.objects.get(pk=entry["stimulus"]).system for entry in first.order] == ["original", "C1"]
    frame = rating_frame(study)
    assert sorted(frame["score"]) == [33.5, 40, 45, 100]
    assert len(list(exports.ratings_rows(study))) == 5


def test_who_somebody_is_stays_out_unless_it_is_wanted(alice: User) -> None:
    assert personal_questions(read_results(SMALL.encode())) == ["email"]
    study = keep(alice, SMALL)
    assert set(Answer.objects.filter(session__study=study).values_list("question", flat=True)) == {"age"}
    assert [one["name"] for one in study.questionnaire] == ["age"]
    assert any("email" in note for note in study.imported["notes"])
    kept = keep(alice, SMALL, keep_personal=True)
    assert Answer.objects.filter(session__study=kept, question="email").count() == 2


def test_choices_become_trials_with_roles(alice: User) -> None:
    text = (
        "session_test_id,trial_id,choice_reference,choice_non_reference,choice_answer,choice_time,choice_comment\n"
        "t,p,reference,C1,correct,5,\nt,p,reference,C2,incorrect,5,\nt,p,reference,C3,undecided,5,\n"
    )
    study = keep(alice, text, "abx")
    trials = list(Trial.objects.filter(session__study=study).order_by("position"))
    assert [[entry["role"] for entry in trial.order] for trial in trials] == [["A", "B", "X"]] * 3
    chosen = [choice.chosen and choice.chosen.system for choice in Choice.objects.order_by("trial__position")]
    assert chosen == ["original", "C2", None]


def test_pairs_of_bs1116_are_trials_of_two(alice: User) -> None:
    text = (
        "session_test_id,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
        "rating_non_reference_score,rating_time,choice_comment\n"
        "t,a,reference,C1,5.0,3.2,100,hm\nt,a,reference,C2,4.5,5,100,\n"
    )
    study = keep(alice, text, "bs1116")
    trials = Trial.objects.filter(session__study=study)
    assert [[entry["role"] for entry in trial.order] for trial in trials] == [["B", "C"]] * 2
    assert Rating.objects.filter(trial__in=trials, stimulus__system="original").count() == 2


def test_a_scale_that_is_not_the_methods_is_said(alice: User) -> None:
    text = "listener,item,system,score\n1,a,C1,5\n1,a,C2,1\n"
    study = keep(alice, text)
    assert any("from 1 to 5" in note for note in study.imported["notes"])
    assert "acr" in methods_of(read_results(text.encode()))
    assert "acr" not in methods_of(read_results((text + "1,a,C3,60\n").encode()))


def test_two_systems_are_not_one(alice: User) -> None:
    reading = read_results(SMALL.encode())
    with pytest.raises(ImportProblem, match="cannot both be original"):
        store(alice, reading, Decisions("x", "mushra", {"reference": "original", "C1": "original"}), "f")
    assert not Study.objects.exists()


def test_names_that_mean_something_here() -> None:
    assert suggest(["Reference", "hidden_ref", "Anchor", "LP3.5", "anchor70", "bpgan-2k", "C1"]) == {
        "Reference": "original", "hidden_ref": "hidden_ref", "Anchor": "Anchor", "LP3.5": "anchor35",
        "anchor70": "anchor70", "bpgan-2k": "bpgan-2k", "C1": "C1",
    }  # fmt: skip


def test_a_table_of_scores_is_joined_by_names(alice: User) -> None:
    reading = read_results(SMALL.encode())
    scores = read_scores(b"item,system,PESQ-WB,mos\none,C1,2.5,3\ntwo,C1,,3\n", reading)
    assert scores.values == {("one", "C1"): {"pesq_wb": 2.5}, ("two", "C1"): {}}
    assert metric_slug("pesq", "pesq_wb_vs_mushra.csv") == "pesq_wb"
    for text, line, column, part in (
        (b"item,system,pesq\nthree,C1,2\n", 2, 1, "No item"),
        (b"item,system,pesq\none,C9,2\n", 2, 2, "No system"),
        (b"item,system,pesq\none,C1,many\n", 2, 3, "not a number"),
        (b"item,system,pesq\none,C1,2\none,C1,3\n", 3, 2, "twice"),
        (b"item,pesq\none,2\n", 1, None, "one for systems"),
        (b"item,system,mushra\none,C1,2\n", 1, None, "No column has the scores of a metric"),
    ):
        with pytest.raises(ImportProblem, match=part) as caught:
            read_scores(text, reading)
        assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.shared
def test_benjsta(alice: User, shared: Path) -> None:
    folder = shared / "reference" / "ratings"
    expected = json.loads((folder / "EXPECTED.json").read_text())["benjsta_unfiltered"]
    reading = read_results((folder / "benjsta" / "ratings_formated.csv").read_bytes())
    table = "pesq_wb_vs_mushra.csv"
    scores = read_scores((folder / "benjsta" / table).read_bytes(), reading, table)
    decisions = Decisions("benjsta", "mushra", suggest(reading.systems))
    study = store(alice, reading, decisions, "ratings_formated.csv", scores)
    frame = rating_frame(study)
    assert len(frame) == 1512
    labels = dict(study.sessions.values_list("assessor__code", "label"))
    dropped = [labels[str(one.assessor)] for one in statistics.screen_hidden_reference(frame) if one.excluded]
    assert sorted(map(int, dropped)) == expected["screen"]["hr_below90_gt15pct"] == [6, 17]
    for name, figures in expected["summary"].items():
        grades = frame.loc[frame["system"] == study.imported.systems[name], "score"]
        assert (len(grades), grades.mean()) == (figures["n"], pytest.approx(figures["mean"], abs=1e-3))
    objective = objective_frame(study)
    assert set(objective["metric"]) == {"pesq_wb"}
    assert len(objective) == 128
    kept = frame[~frame["assessor"].map(labels).isin(["6", "17"])]
    means = kept.groupby(["item", "system"], as_index=False)["score"].mean()
    joined = objective.merge(means, on=["item", "system"])
    joined = joined[joined["system"] != "original"]
    # The published file of means has them without the screened listeners.
    assert len(joined) == 112
    assert spearmanr(joined["value"], joined["score"]).statistic == pytest.approx(-0.12, abs=0.01)


@pytest.mark.shared
def test_real_files_become_studies(alice: User, shared: Path) -> None:
    ratings = shared / "reference" / "ratings"
    for path, grades, listeners, items in (
        (ratings / "difftransfer" / "listening_test_results.csv", 408, 17, 8),
        (ratings / "s4drc_golisten" / "mushra_golisten.csv", 836, 19, 11),
        (ratings / "benjsta" / "ratings_formated_filtered_long.csv", 1368, 19, 16),
    ):
        reading = read_results(path.read_bytes())
        study = store(alice, reading, Decisions(path.stem, "mushra", suggest(reading.systems)), path.name)
        frame = rating_frame(study)
        assert (len(frame), frame["assessor"].nunique(), frame["item"].nunique()) == (
            grades,
            listeners,
            items,
        )
