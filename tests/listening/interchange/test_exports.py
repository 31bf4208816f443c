"""Exports: every grade with what belongs to it, webMUSHRA's columns, and no formulas."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pytest

from evaluation.models import Rendition, Score
from listening.interchange import exports
from listening.models import Rating, Stimulus, Study
from listening.session.sessions import begin, start_session
from tests.listening.conftest import grade, listen, system_of

GRADES = {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": 80, "bpgan-2k": 64}


def read(rows: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exports.csv_text(rows))))


def test_ratings_have_a_row_each_with_all_that_belongs_to_them(study: Study) -> None:
    session = listen(study, GRADES, comment='crackles, in 3\nand "4"')
    rows = read(exports.ratings_rows(study))
    assert list(rows[0]) == exports.RATINGS_COLUMNS
    assert len(rows) == Rating.objects.count() == 15
    assert [row["training"] for row in rows] == ["1"] * 5 + ["0"] * 10
    for row in rows:
        trial = session.trials.get(position=row["trial"])
        assert row["system"] == system_of(trial.order[int(row["presented"]) - 1])
        assert row["item"] == str(trial.item.position)
        assert row["clip"] == trial.item.clip.title
        assert row["score"] == str(GRADES[row["system"]])
        assert row["assessor"] == session.assessor.code
        assert row["comment"] == 'crackles, in 3\nand "4"'
        assert all(row[moment] for moment in ("session_finished", "trial_finished", "created", "updated"))
    assert [row["presented"] for row in rows] == ["1", "2", "3", "4", "5"] * 3
    bpgan = next(row for row in rows if row["system"] == "bpgan-2k")
    assert [float(bpgan[name]) for name in ("kbps", "pesq_nb", "pesq_wb", "stoi")] == pytest.approx(
        [6, 2.5, 2.6, 0.6]
    )


def test_other_metrics_have_columns_of_their_own(study: Study) -> None:
    listen(study, GRADES)
    graded = Rendition.objects.filter(system="opus-9k", stimuli__item__training=False).distinct()
    for rendition in graded:
        Score.objects.create(rendition=rendition, metric="polqa", value=3.25, status=Score.Status.DONE)
        Score.objects.create(rendition=rendition, metric="visqol", value=4.5, status=Score.Status.DONE)
    Stimulus.objects.filter(system="bpgan-2k").update(objective={"haaqi": 0.5, "polqa": 2})
    rows = read(exports.ratings_rows(study))
    assert list(rows[0]) == [*exports.RATINGS_COLUMNS, "visqol", "polqa", "haaqi"]
    found = {
        (row["system"], row["visqol"], row["polqa"], row["haaqi"]) for row in rows if row["training"] == "0"
    }
    assert ("opus-9k", "4.5", "3.25", "") in found
    assert ("bpgan-2k", "", "2.0", "0.5") in found
    assert ("original", "", "", "") in found


def test_unfinished_sessions_are_in_ratings_and_not_in_mushra(study: Study) -> None:
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1))
    grade(session.trials.get(position=2), finish=False)
    rows = read(exports.ratings_rows(study))
    assert len(rows) == 10
    assert {row["session_finished"] for row in rows} == {""}
    assert [bool(row["trial_finished"]) for row in rows] == [True] * 5 + [False] * 5
    assert read(exports.mushra_rows(study)) == []


def test_mushra_csv_is_webmushras(study: Study) -> None:
    sessions = [listen(study, GRADES, comment="ok"), listen(study, GRADES)]
    text = exports.csv_text(exports.mushra_rows(study))
    assert text.splitlines()[0] == (
        "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment"
    )
    frame = pd.read_csv(io.StringIO(text))
    assert len(frame) == 2 * 2 * 5  # training left out
    assert set(frame["rating_stimulus"]) == {"reference", "anchor35", "anchor70", "opus-9k", "bpgan-2k"}
    assert set(frame["session_uuid"]) == {str(session.pk) for session in sessions}
    assert frame.groupby("trial_id").size().tolist() == [10, 10]
    means = frame.groupby("rating_stimulus")["rating_score"].mean()
    assert means.to_dict() == {"reference": 100, **{slug: GRADES[slug] for slug in list(GRADES)[1:]}}
    assert (frame["rating_time"] >= 0).all()


def test_nothing_gives_a_header(study: Study) -> None:
    assert exports.csv_text(exports.ratings_rows(study)).count("\n") == 1
    assert exports.csv_text(exports.mushra_rows(study)).count("\n") == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_texts_do_not_become_formulas_and_numbers_stay(start: str) -> None:
    text = exports.csv_text([[start + "cmd|' /C calc'!A0", -1.5, "plain", None]])
    ((cell, number, plain, nothing),) = csv.reader(io.StringIO(text, newline=""))
    assert cell == "'" + start + "cmd|' /C calc'!A0"
    assert (number, plain, nothing) == ("-1.5", "plain", "")


def test_comments_of_listeners_are_safe_in_both_files(study: Study) -> None:
    listen(study, comment='=HYPERLINK("http://evil.example")')
    for rows, column in (
        (exports.ratings_rows(study), "comment"),
        (exports.mushra_rows(study), "rating_comment"),
    ):
        assert {row[column][:2] for row in read(rows)} == {"'="}


def test_queries_do_not_grow_with_ratings(study: Study, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        listen(study)
    with django_assert_max_num_queries(8):
        exports.csv_text(exports.ratings_rows(study))
