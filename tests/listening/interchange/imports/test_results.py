"""Other tools' results: each format is read, or refused with line and column."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listening.interchange.imports import ImportProblem, read_results

NEW = "session_test_id,email,age,session_uuid,trial_id,"
NEW += "rating_stimulus,rating_score,rating_time,rating_comment\n"
OLD = "session_test_id,age,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"


def refusal(text: str | bytes, **choices: str) -> ImportProblem:
    with pytest.raises(ImportProblem) as caught:
        read_results(text.encode() if isinstance(text, str) else text, choices)
    return caught.value


def test_mushra_csv_with_everything_that_real_ones_have() -> None:
    text = (
        "\ufeff" + NEW + "\n"
        't,a@b.c,31,u1,one,reference,100,6000,"loud, and\nclear"\n'
        "t,a@b.c,31,u1,one,C1, 40 ,6000,\n"
        "\n"
        "t,d@e.f,44,u2,one,reference,95,5000,\n"
        "t,d@e.f,44,u2,one,C1,33.5,5000,\n"
    )
    reading = read_results(text.encode())
    assert (reading.format, reading.methods) == ("webmushra-mushra", ("mushra", "acr"))
    assert reading.assessors == ["u1", "u2"]
    assert [grade.score for grade in reading.grades] == [100, 40, 95, 33.5]
    assert [grade.line for grade in reading.grades] == [3, 5, 7, 8]
    assert reading.grades[0].comment == "loud, and\nclear"
    assert reading.grades[0].milliseconds == 6000
    assert reading.answers["u2"] == {"email": "d@e.f", "age": "44"}
    assert any("2 blank lines" in note for note in reading.notes)


def test_sessions_without_ids_are_reconstructed_and_it_is_said() -> None:
    rows = [
        "t,20,a,C1,1,9,", "t,20,a,C2,2,9,", "t,20,b,C1,3,9,",
        "t,30,a,C1,4,9,",  # another age
        "t,30,a,C1,5,9,",  # the same recording again: somebody else of that age
    ]  # fmt: skip
    reading = read_results((OLD + "\n".join(rows)).encode())
    assert [(grade.assessor, grade.score) for grade in reading.grades] == [
        ("Listener 1", 1), ("Listener 1", 2), ("Listener 1", 3), ("Listener 2", 4), ("Listener 3", 5),
    ]  # fmt: skip
    assert any("no session ids" in note and "3 listeners" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("rows", "line", "column", "part"),
    [
        ("t,e,1,u,a,C1,fine,1,\n", 2, 7, "'fine' is not a number"),
        ("t,e,1,u,a,C1,inf,1,\n", 2, 7, "'inf' is not a number"),
        ("t,e,1,u,a,C1,101,1,\n", 2, None, "outside -3 to 100"),
        ("t,e,1,u,a,,50,1,\n", None, None, "1 row names no system, and is left out: line 2"),
        ("t,e,1,u,a,C1,50,1,,,extra\n", 2, 10, "11 cells, the header has 9"),
        ("t,e,1,u,a,C1,50\n", 2, 7, "7 cells"),
        ("t,e,1,u,a,C1,50,1,\nt,e,1,u,a,C1,60,1,\n", 3, None, "in line 2 already (50, here 60)"),
        ("t,e,1,u,a,C1,50,1,\nt,e,2,u,a,C2,60,1,\n", 3, 3, "answered '1' before and '2' here"),
        ('t,e,1,u,a,C1,50,1,"open\n', 2, None, "not a row of a table"),
        (f"t,e,1,u,a,{'C' * 65},50,1,\n", 2, None, "65 characters"),
        ("", None, None, "not a single grade"),
    ],
)
def test_bad_rows_are_refused_by_line_and_column(
    rows: str, line: int | None, column: int | None, part: str
) -> None:
    problem = refusal(NEW + rows)
    assert (problem.line, problem.column) == (line, column)
    assert part in str(problem)


def test_paired_comparison() -> None:
    text = (
        "session_test_id,trial_id,choice_reference,choice_non_reference,choice_answer,choice_time,choice_comment\n"
        "t,p,reference,C1,correct,5,\nt,p,reference,C2,incorrect,5,\nt,p,reference,C3,undecided,5,\n"
        "t,q,reference,C3,unknown,5,\n"
    )
    reading = read_results(text.encode())
    assert [verdict.chosen for verdict in reading.verdicts] == ["reference", "C2", ""]
    assert any("line 5" in note for note in reading.notes)
    problem = refusal(text + "t,q,reference,C4,maybe,5,\n")
    assert (problem.line, problem.column) == (6, 5)


def test_bs1116() -> None:
    text = (
        "session_test_id,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
        "rating_non_reference_score,rating_time,choice_comment\n"
        "t,a,reference,C1,5.0,3.2,100,hm\nt,a,reference,C2,4.5,5,100,\n"
    )
    reading = read_results(text.encode())
    assert reading.methods == ("bs1116",)
    assert [(g.system, g.score, g.trial) for g in reading.grades] == [
        ("reference", 5.0, "C1"), ("C1", 3.2, "C1"), ("reference", 4.5, "C2"), ("C2", 5.0, "C2"),
    ]  # fmt: skip


def test_likert_of_one_and_of_several_scales() -> None:
    one = "session_test_id,trial_id,stimuli_rating,stimuli,rating_time\nt,a, 4 ,C1,5\nt,a, 2 ,C2,5\n"
    assert [grade.score for grade in read_results(one.encode()).grades] == [4, 2]
    two = "session_test_id,trial_id,stimuli_rating1,stimuli_rating2,stimuli,rating_time\nt,a,4,1,C1,5\n"
    first = read_results(two.encode())
    assert first.grades[0].score == 4
    assert any("import the file again for stimuli_rating2" in note for note in first.notes)
    assert read_results(two.encode(), {"attribute": "stimuli_rating2"}).grades[0].score == 1


PYMUSHRA = [
    {"questionaire_uuid": "u1", "questionaire_age": 20, "responses_stimulus": "reference",
     "responses_score": 100.0, "responses_time": 5000, "responses_comment": None, "wm_id": "a",
     "wm_type": "mushra", "wm_testId": "t", "wm_date": "2024"},
    {"questionaire_uuid": "u1", "questionaire_age": 20, "responses_stimulus": "C1",
     "responses_score": 12.0, "responses_time": 5000, "responses_comment": "", "wm_id": "a",
     "wm_type": "mushra", "wm_testId": "t", "wm_date": "2024"},
    {"questionaire_uuid": "u1", "questionaire_age": 20, "responses_stimulus": "x", "responses_score": 1,
     "responses_time": 1, "responses_comment": "", "wm_id": "b", "wm_type": "spatial", "wm_testId": "t",
     "wm_date": "2024"},
]  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    return "\n".join([";".join(names), *(";".join(str(row[name] or "") for name in names) for row in rows)])


@pytest.mark.parametrize(
    "text",
    [
        as_csv(PYMUSHRA),
        json.dumps(PYMUSHRA),
        json.dumps({name: {str(i): row[name] for i, row in enumerate(PYMUSHRA)} for name in PYMUSHRA[0]}),
        json.dumps(
            {
                str(tuple(name.split("_", 1))): {str(i): row[name] for i, row in enumerate(PYMUSHRA)}
                for name in PYMUSHRA[0]
            }
        ),
    ],
    ids=["csv", "rows", "columns", "pairs"],
)
def test_pymushra(text: str) -> None:
    reading = read_results(text.encode())
    assert reading.format == "pymushra"
    assert [(g.assessor, g.item, g.system, g.score) for g in reading.grades] == [
        ("u1", "a", "reference", 100), ("u1", "a", "C1", 12),
    ]  # fmt: skip
    assert reading.answers == {"u1": {"age": "20"}}
    assert any("1 of type spatial" in note for note in reading.notes)


def test_pymushras_database() -> None:
    session = {
        "testId": "t", "uuid": "u7", "participant": {"name": ["age"], "response": ["31"]},
        "trials": [{"id": "a", "type": "mushra", "responses": [{"stimulus": "C1", "score": 5, "time": 7}]}],
    }  # fmt: skip
    reading = read_results(json.dumps({"_default": {"1": session}}).encode())
    assert [(g.assessor, g.item, g.system, g.score) for g in reading.grades] == [("u7", "a", "C1", 5)]
    assert reading.answers == {"u7": {"age": "31"}}


def test_broken_and_foreign_json() -> None:
    assert (refusal('{"a": 1,\n  b}').line, refusal('{"a": 1,\n  b}').column) == (2, 3)
    assert "neither one of pymushra's" in str(refusal('{"a": 1}'))
    lists = '{"ref_videos": [], "dis_videos": [{"content_id": 0, "os": [3, 4]}]}'
    assert "lists of opinion scores" in str(refusal(lists))
    nested = '[{"listener": "1", "item": "a", "system": "X", "score": 3, "meta": {"b": 1}}]'
    assert "in the way: meta." in str(refusal(nested))
    twice = '[{"listener": "1", "item": "a", "system": "X", "score": 3, "score": 4}]'
    assert "'score' occurs twice" in str(refusal(twice))
    assert "nested too deeply" in str(refusal("[" * 100_000))


GOLISTEN = (
    '"","Tags","","x"\n"","Sound filename","","1-a.wav","1-b.wav","2-a.wav","2-b.wav"\n'
    '"Name","Date","Headphones?","","","","","Time (s)"\n'
)


def test_golisten_with_and_without_its_extra_rows() -> None:
    reading = read_results((GOLISTEN + '"T","2024","yes","1","2","3","4"\n').encode())
    assert [(g.item, g.system, g.score) for g in reading.grades] == [
        ("1", "a", 1), ("1", "b", 2), ("2", "a", 3), ("2", "b", 4),
    ]  # fmt: skip
    assert reading.answers == {"Listener 1": {"Headphones?": "yes"}}
    short = "\n".join(line for line in GOLISTEN.splitlines() if "Sound" in line)
    assert len(read_results((short + '\n"T","2024","","1","2","3",""\n').encode()).grades) == 3
    whole = read_results((short + '\n"T","2024","","1","2","3","4"\n').encode(), {"rule": "whole"})
    assert whole.items == ["Item 1"]
    assert len(whole.systems) == 4
    problem = refusal(GOLISTEN + '"T","2024","","1","2","loud","4"\n')
    assert (problem.line, problem.column, problem.heading) == (4, 6, "2-a.wav")


XML = (
    '<?xml version="1.0"?>\n<MUSHRA><info subjectName="{who}" testName="t"/><trials>\n'
    '<trial trialName="castanets" trialSeconds="12.5" referencePlays="3">\n'
    '<testFile fileName="castanets_reference.wav" plays="2" score="100"/>\n'
    '<testFile fileName="castanets_LP35.wav" plays="2" score="{score}"/>\n</trial></trials></MUSHRA>'
)


def test_netflix_one_and_many() -> None:
    reading = read_results(XML.format(who="Ann", score=12).encode())
    assert [(g.assessor, g.item, g.system, g.score, g.line) for g in reading.grades] == [
        ("Ann", "castanets", "reference", 100, 4), ("Ann", "castanets", "LP35", 12, 5),
    ]  # fmt: skip
    assert reading.grades[0].milliseconds == 12_500
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for who in ("Ann", "Ben"):
            archive.writestr(f"results/{who}.xml", XML.format(who=who, score=30))
    assert read_results(packed.getvalue()).assessors == ["Ann", "Ben"]
    problem = refusal(XML.format(who="Ann", score="loud"))
    assert (problem.line, problem.column) == (5, 1)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE MUSHRA [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE MUSHRA SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE MUSHRA [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_xml_with_a_dtd_is_refused(declaration: str) -> None:
    text = f"<?xml version='1.0'?>\n{declaration}\n<MUSHRA>&b;&x;</MUSHRA>"
    problem = refusal(text)
    assert "DTD or entities" in str(problem)
    assert problem.line == 2


def test_tidy_tables_by_their_headings() -> None:
    text = "Listener;Signal;Condition;Rating;Lab\n1;s;Reference;99,5;x\n1;s;A;3;x\n"
    reading = read_results(text.encode())
    assert [grade.score for grade in reading.grades] == [99.5, 3]
    assert any("semicolons" in note for note in reading.notes)
    assert any("Lab" in note for note in reading.notes)
    assert "No format" in str(refusal("a,b\n1,2\n"))


def test_windows_text_is_read_and_said() -> None:
    text = "listener,item,system,score\nMüller,a,b,1\n".encode("cp1252")
    reading = read_results(text)
    assert reading.assessors == ["Müller"]
    assert any("Line 2 is not UTF-8" in note for note in reading.notes)
    assert read_results("listener,item,system,score\nÄ,a,b,1\n".encode("utf-16")).assessors == ["Ä"]
    assert refusal(b"a,b\n\0").line == 2


def test_lists_that_do_not_match() -> None:
    header = "signal,condition,ratings,participant_ids,file\n"
    problem = refusal(header + 's,c,"[1, 2]","[1]",x/y.wav\n')
    assert (problem.line, problem.column) == (2, 4)
    assert refusal(header + 's,c,"[1, [2]]","[1, 2]",x/y.wav\n').column == 3
    assert refusal(header + 's,c,1; 2,"[1, 2]",x/y.wav\n').column == 3


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["50", " 4 ", "reference", "C1", "1e999", "-1", '"', "", "u1", "correct", "[1, 2]", "nan", "1_0"]
)
HEADERS = st.sampled_from(
    [
        NEW.strip().split(","),
        OLD.strip().split(","),
        ["trial_id", "choice_reference", "choice_non_reference", "choice_answer", "choice_time"],
        ["trial_id", "stimuli_rating", "stimuli", "rating_time"],
        ["", "Sound filename", "a-b.wav", "c-d.wav"],
        ["wm_id", "wm_type", "responses_stimulus", "responses_score", "questionaire_uuid"],
        ["signal", "condition", "ratings", "participant_ids", "file"],
        ["listener", "item", "system", "score"],
    ]
)


@settings(max_examples=100)
@given(HEADERS, st.lists(st.lists(CELLS, max_size=9), max_size=6), st.sampled_from(",;\t"))
def test_any_table_ends_in_data_or_in_a_named_problem(
    header: list[str], rows: list[list[str]], separator: str
) -> None:
    text = "\n".join(separator.join(cells) for cells in [header, *rows])
    ends_well(text.encode("utf-8", "replace"))


@settings(max_examples=100)
@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_end_in_data_or_in_a_named_problem(content: bytes) -> None:
    ends_well(content)


@settings(max_examples=100)
@given(st.integers(0, len(XML) - 1), st.sampled_from(["<", ">", '"', "&", "x", "\x01", ""]))
def test_any_damage_to_xml_ends_in_data_or_in_a_named_problem(place: int, mark: str) -> None:
    text = XML[:place] + mark + XML[place + 1 :]
    ends_well(text.replace("{who}", "Ann").replace("{score}", "5").encode())


def ends_well(content: bytes) -> None:
    """Anything else that is raised fails the test by itself."""
    try:
        reading = read_results(content)
    except ImportProblem as refused:
        problem = refused
    else:
        assert len(reading.grades) + len(reading.verdicts) > 0
        return
    assert problem.message
    assert problem.line is None or problem.line >= 1


def test_a_header_without_end_is_cut_short() -> None:
    problem = str(refusal("hello" * 100 + "\n1\n"))
    assert "hello" in problem
    assert len(problem) < 200
