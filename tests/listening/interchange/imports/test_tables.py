"""Tables as people publish them: missing answers, other headings, wide forms, spreadsheets' habits."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from listening.interchange.exports.webmushra import SIMULATED_PREFIX
from listening.interchange.imports import ImportProblem, Reading, read_results
from listening.interchange.imports.reading import Grade
from listening.interchange.imports.storing import scale_note
from listening.interchange.imports.table import as_name, is_missing, parse_number

#: Two listeners, two items, two systems; what every form below holds.
GRADES = {
    ("p1", "piano", "ref"): 100, ("p1", "piano", "codecA"): 71.5, ("p1", "voice", "ref"): 98,
    ("p1", "voice", "codecA"): 80, ("p2", "piano", "ref"): 99, ("p2", "piano", "codecA"): 69,
    ("p2", "voice", "ref"): 97, ("p2", "voice", "codecA"): 77,
}  # fmt: skip


def grades_of(reading: Reading) -> dict[tuple[str, str, str], float]:
    return {(row.assessor, row.item, row.system): row.score for row in reading.grades}


def tidy(heading: str = "listener,item,system,score", separator: str = ",", decimal: str = ".") -> str:
    rows = [separator.join([*cell, str(score).replace(".", decimal)]) for cell, score in GRADES.items()]
    return "\n".join([heading.replace(",", separator), *rows]) + "\n"


def widen(table: str, headings: str, cells: str) -> str:
    """The table with more columns, the same in each row."""
    head, *rows = table.splitlines()
    return "\n".join([f"{head},{headings}", *(f"{row},{cells}" for row in rows)]) + "\n"


WIDE = "participant,item,ref,codecA\np1,piano,100,71.5\np1,voice,98,80\np2,piano,99,69\np2,voice,97,77\n"
CROSS = "subject,piano_ref,piano_codecA,voice_ref,voice_codecA\np1,100,71.5,98,80\np2,99,69,97,77\n"
LISTENERS = (
    "stimulus,condition,p1,p2\npiano,ref,100,99\npiano,codecA,71.5,69\nvoice,ref,98,97\nvoice,codecA,80,77\n"
)
JOINED = "rater,stimulus,rating\n" + "".join(
    f"{who},{item}_{system}.wav,{score}\n" for (who, item, system), score in GRADES.items()
)
INDEXED = ",listener,item,system,score\n" + "".join(
    f"{number},{','.join(cell)},{score}\n" for number, (cell, score) in enumerate(GRADES.items())
)
ROW_NAMES = "listener,item,system,score\n" + "".join(
    f"{number},{','.join(cell)},{score}\n" for number, (cell, score) in enumerate(GRADES.items(), 1)
)
RECORDS = [
    {"listener": who, "item": item, "system": system, "score": score}
    for (who, item, system), score in GRADES.items()
]


@pytest.mark.parametrize(
    "content",
    [
        tidy(),
        tidy(separator=";", decimal=","),
        tidy(separator="\t"),
        tidy(separator="|"),
        "sep=;\n" + tidy(separator=";", decimal=","),
        "# MUSHRA of 2024, cleaned\n#\n" + tidy(),
        tidy().replace("\n", "\n\n", 1),
        tidy().replace("\n", "\r\n"),
        tidy().replace("\n", "\r"),
        "\ufeff" + tidy(),
        tidy('"Participant ID","Item name","System","MUSHRA score"'),
        tidy("PARTICIPANT,SIGNAL,CONDITION,RATING"),
        tidy("subject_id,utterance,codec,grade"),
        tidy("worker,clip,method,mos"),
        tidy("Rater.Id,stimulus,condition,vote"),
        tidy("listener,trial,stimulus,value"),
        tidy().replace(",71.5", ',"71,5"'),
        tidy().replace("100", "100 %").replace("77", "77%"),
        tidy() + "Mean,,,86.4\nSD,,,12.1\n",
        tidy() + "p1,piano,ref,100\n",
        widen(tidy("session_id,item,system,score"), "timestamp,age", "2024-01-01,31"),
        tidy("Proband,Signal,Codec,Rating"),
        tidy(separator=" "),
        widen(WIDE, "mean,SD", "80,3"),
        INDEXED,
        ROW_NAMES,
        WIDE,
        WIDE.replace(",", ";").replace(".", ","),
        widen(WIDE.replace("participant,item", "Participant,Item"), "Age,Time (s)", "31,12"),
        CROSS,
        CROSS + "average,99.5,70.25,97.5,78.5\n",
        LISTENERS,
        JOINED,
        json.dumps(RECORDS),
        json.dumps({name: {str(i): row[name] for i, row in enumerate(RECORDS)} for name in RECORDS[0]}),
    ],
)  # fmt: skip
def test_the_same_grades_in_many_forms(content: str) -> None:
    assert grades_of(read_results(content.encode())) == GRADES


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_same_grades_in_many_encodings(encoding: str) -> None:
    content = tidy().replace("voice", "vöice").encode(encoding)
    expected = {(who, item.replace("voice", "vöice"), of): score for (who, item, of), score in GRADES.items()}
    assert grades_of(read_results(content)) == expected


@pytest.mark.parametrize(
    "word", ["", "NA", "na", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "—", "#N/A", "."]
)
@pytest.mark.parametrize("form", ["tidy", "wide", "mushra", "likert", "golisten", "lists", "pymushra", "xml"])
def test_a_missing_answer_is_one_of_its_row(form: str, word: str) -> None:
    mushra = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"
    quoted = f"'{word}'"
    content = {
        "tidy": f"listener,item,system,score\nu,a,C1,4\nu,a,C2,{word}\n",
        "wide": f"listener,item,C1,C2\nu,a,4,{word}\nv,a,4,3\n",
        "mushra": f"{mushra}t,u,a,C1,4,1,\nt,u,a,C2,{word},NA,\n",
        "likert": f"session_test_id,session_uuid,trial_id,stimuli_rating,stimuli,rating_time\n"
        f"t,u,a,4,C1,1\nt,u,a,{word},C2,1\n",
        "golisten": f'"","Sound filename","","a-C1.wav","a-C2.wav"\n"T","2024","","4","{word}"\n',
        "lists": 'signal,condition,ratings,participant_ids\na,C1,"[4]","[1]"\n'
        f'a,C2,"[{quoted}, 3]","[1, 2]"\n',
        "pymushra": "wm_id;wm_type;responses_stimulus;responses_score;questionaire_uuid\n"
        f"a;mushra;C1;4;u\na;mushra;C2;{word};u\n",
        "xml": '<MUSHRA><info subjectName="u"/><trials><trial trialName="a">'
        '<testFile fileName="C1" score="4"/>\n'
        f'<testFile fileName="C2" score="{word}"/></trial></trials></MUSHRA>',
    }[form]
    reading = read_results(content.encode())
    assert [(blank.item, blank.system) for blank in reading.blanks] == [("a", "C2")]
    assert (reading.grades[0].system, reading.grades[0].score) == ("C1", 4)
    line = reading.blanks[0].line
    assert any(note.startswith("1 answer is missing") and f"line {line}" in note for note in reading.notes)


@pytest.mark.parametrize(
    "content",
    [
        "listener,item,system,score,comment\nu,a,C1,4,fine\nu,a,C2,NA,silent\n",
        "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_comment\n"
        "t,u,a,C1,4,fine\nt,u,a,C2,,silent\n",
        "session_test_id,session_uuid,trial_id,stimuli_rating,stimuli,rating_comment\n"
        "t,u,a,4,C1,fine\nt,u,a,,C2,silent\n",
        "session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer,"
        "choice_comment\nt,u,a,R,C1,correct,fine\nt,u,a,R,C2,NA,silent\n",
        "session_test_id,session_uuid,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
        "rating_non_reference_score,choice_comment\nt,u,a,R,C1,5,4,fine\nt,u,a,R,C2,,,silent\n",
        "wm_id;wm_type;responses_stimulus;responses_score;questionaire_uuid;responses_comment\n"
        "a;mushra;C1;4;u;fine\na;mushra;C2;;u;silent\n",
    ],
)
def test_a_comment_of_a_missing_answer_is_named(content: str) -> None:
    """It was gone without a word."""
    notes = read_results(content.encode()).notes
    assert [note for note in notes if "Comments" in note] == [
        "Comments of missing answers are left out: line 3."
    ]


def test_who_or_what_has_no_answer_at_all_is_named() -> None:
    text = "listener,item,system,score\nu,a,C1,4\nv,a,C1,NA\nu,b,C1,NA\nu,a,C2,NA\n"
    notes = " ".join(read_results(text.encode()).notes)
    assert "3 answers are missing" in notes
    assert "lines 3, 4, 5" in notes
    for words in ("listener v", "item b", "system C2"):
        assert words in notes


def test_missing_answers_of_pairs() -> None:
    pairs = (
        "session_test_id,session_uuid,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
    )
    pairs += (
        "rating_non_reference_score,rating_time,choice_comment\nt,u,a,ref,C1,5,3,1,\nt,u,b,ref,C1,NA,4,1,\n"
    )
    reading = read_results(pairs.encode())
    assert [grade.item for grade in reading.grades] == ["a", "a"]
    assert [(blank.line, blank.system) for blank in reading.blanks] == [(3, "ref")]
    assert any(
        "the grade 4 of C1 is left out" in note and note.startswith("Line 3") for note in reading.notes
    )
    choices = "session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer\n"
    choices += "t,u,a,ref,C1,correct\nt,u,b,ref,C1,NA\nt,u,c,ref,C1,\n"
    reading = read_results(choices.encode())
    assert [verdict.item for verdict in reading.verdicts] == ["a"]
    assert [(blank.item, blank.line) for blank in reading.blanks] == [("b", 3), ("c", 4)]
    assert any("2 answers are missing" in note and "lines 3, 4" in note for note in reading.notes)


def test_numbers_of_spreadsheets() -> None:
    for text, number in (
        ("4", 4),
        ("4.0", 4),
        ("4,5", 4.5),
        ("-1", -1),
        ("−1", -1),
        ("85 %", 85),
        ("1e1", 10),
        (".5", 0.5),
    ):
        assert parse_number(text) == number
    for text in ("4.5.1", "1_0", "inf", "1e999", "four", "4,5,1", "0x10"):
        with pytest.raises(ValueError, match=text[:1]):
            parse_number(text)
    with pytest.raises(ValueError, match="1,000"):
        parse_number("1,000", decimal_comma=False)
    assert parse_number("41,5", decimal_comma=False) == 41.5
    assert [as_name(text) for text in ("2.0", "17.00", "2.5", "a.0", " x ")] == ["2", "17", "2.5", "a.0", "x"]
    assert not is_missing("0")


def test_listeners_that_a_spreadsheet_made_numbers_of() -> None:
    reading = read_results(b"pid,signal,condition,score\n2.0,a,C1,4\n3,a,C1,5\n2,a,C2,3\n")
    assert reading.assessors == ["2", "3"]


def test_the_researcher_says_which_column_is_which() -> None:
    text = "Wer,Was,Womit,Wieviel\np1,piano,ref,100\np1,piano,codecA,71\n"
    with pytest.raises(ImportProblem, match="No format that can be read has this header") as caught:
        read_results(text.encode())
    assert set(caught.value.fields) == {"file", "listener", "item", "system", "score"}
    assert caught.value.options["listener"] == ["", "Wer", "Was", "Womit", "Wieviel"]
    chosen = {"listener": "Wer", "item": "Was", "system": "Womit", "score": "Wieviel"}
    assert len(read_results(text.encode(), chosen).grades) == 2
    with pytest.raises(ImportProblem, match="There is no column 'Wen'") as caught:
        read_results(text.encode(), chosen | {"listener": "Wen"})
    assert set(caught.value.fields) == {"listener"}


def test_several_attributes_are_refused_by_name_until_one_is_chosen() -> None:
    text = "worker,clip,system,speech,background,overall\nw1,c1,noisy,3,1,2\nw1,c1,enhanced,4,4,4\n"
    with pytest.raises(ImportProblem, match=r"ITU-T P\.835") as caught:
        read_results(text.encode())
    problem = caught.value
    assert (problem.line, problem.column, problem.heading) == (1, 4, "speech")
    assert "speech, background, overall" in str(problem)
    assert problem.options == {"attribute": ["speech", "background", "overall"]}
    assert "attribute" in problem.fields
    reading = read_results(text.encode(), {"attribute": "overall"})
    assert [grade.score for grade in reading.grades] == [2, 4]
    assert any("not taken: speech, background" in note for note in reading.notes)


@pytest.mark.parametrize("items", ["aa", "ab"])
def test_attributes_in_a_column_are_refused_by_name_until_one_is_chosen(items: str) -> None:
    """With an item of its own each, they were one attribute."""
    text = (
        f"listener,dimension,item,system,score\n1,timbre,{items[0]},C1,40\n1,space,{items[1]},C1,70\n"
        f"2,timbre,{items[0]},C1,45\n2,,{items[1]},C1,72\n"
    )
    with pytest.raises(ImportProblem, match="Several attributes are graded: timbre, space") as caught:
        read_results(text.encode())
    problem = caught.value
    assert (problem.line, problem.column, problem.heading) == (1, 2, "dimension")
    assert problem.options == {"attribute": ["timbre", "space"]}
    assert list(problem.fields) == ["attribute"]
    reading = read_results(text.encode(), {"attribute": "timbre"})
    assert [grade.score for grade in reading.grades] == [40, 45]
    assert any("this takes timbre" in note and "lines 3, 5" in note for note in reading.notes)


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("listener,item,system,rank", "p,a,C1,first", "ranking"),
        ("listener,item,system_a,system_b,preferred", "p,a,C1,C2,C1", "paired comparison"),
        ("listener,item,system,transcript", "p,a,C1,hello", "intelligibility"),
        # Their numbers were taken as grades.
        ("listener,item,system,rank", "p,a,C1,1", "ranking"),
        ("listener,item,system,azimuth_deg", "p,a,C1,30", "localisation"),
        ("listener,item,system,words_correct", "p,a,C1,55", "intelligibility"),
        ("listener,item,system,correct", "p,a,C1,1", "right and wrong answers"),
        ("listener,item,rank_A,rank_B", "p,a,1,2", "ranking"),
    ],
)
def test_what_has_no_method_is_refused_by_its_name(header: str, row: str, name: str) -> None:
    with pytest.raises(ImportProblem, match=name) as caught:
        read_results(f"{header}\n{row}\n".encode())
    assert caught.value.line == 1
    assert "Import grades of one attribute" in str(caught.value)


def test_a_scale_that_no_method_has_is_refused_by_its_line() -> None:
    with pytest.raises(ImportProblem, match=r"Line 3: The grade 250 .* Convert") as caught:
        read_results(b"listener,item,system,score\np,a,C1,40\np,a,C2,250\n")
    assert caught.value.line == 3


def test_several_tests_in_one_file_are_named_and_one_can_be_chosen() -> None:
    header = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"
    text = header + "pilot,u,a,C1,10,1,\nmain,v,a,C1,90,1,\nmain,v,a,C2,80,1,\n"
    reading = read_results(text.encode())
    assert len(reading.grades) == 3
    assert any(
        "2 tests" in note and "pilot with 1 row," in note and "main with 2 rows" in note
        for note in reading.notes
    )
    assert reading.options["test"] == ["", "pilot", "main"]
    one = read_results(text.encode(), {"test": "main"})
    assert grades_of(one) == {("v", "a", "C1"): 90, ("v", "a", "C2"): 80}
    assert any("left out: 1 row of others" in note for note in one.notes)
    with pytest.raises(ImportProblem, match="There is no test 'other'"):
        read_results(text.encode(), {"test": "other"})


def test_rows_that_repeat_a_grade_are_named_and_others_refused() -> None:
    reading = read_results(tidy().encode() + b"p1,piano,ref,100\n")
    assert any("1 row repeats a grade" in note and "line 10" in note for note in reading.notes)
    with pytest.raises(ImportProblem, match=r"in line 2 already \(100, here 90\)"):
        read_results(tidy().encode() + b"p1,piano,ref,90\n")


def test_every_column_is_used_or_named() -> None:
    reading = read_results(b"no,listener,item,system,score,age,lab\n1,p,a,C1,40,31,x\n2,p,a,C2,50,31,x\n")
    assert any(note == "These columns were not needed: no, age, lab." for note in reading.notes)
    wide = read_results(b"listener,item,C1,C2,age,lab\np,a,40,50,31,x\n")
    assert wide.systems == ["C1", "C2"]
    assert "These columns were not needed: lab." in wide.notes
    assert any(
        note.startswith("The column age is left out: it is called like data of the") for note in wide.notes
    )
    xml = '<MUSHRA><info subjectName="u" testName="t"/><trials><trial trialName="a" referencePlays="3">'
    xml += '<testFile fileName="C1" plays="2" score="4"/></trial></trials></MUSHRA>'
    notes = " ".join(read_results(xml.encode()).notes)
    assert "info testName, testFile plays, trial referencePlays" in notes
    lists = read_results(b'signal,condition,ratings,participant_ids,age\na,C1,"[4]","[1]",31\n')
    assert any("age" in note for note in lists.notes)
    golisten = '"","Tags","","x"\n"","Sound filename","","a-C1.wav","a-C2.wav"\n"T","2024","","4","5"\n'
    notes = " ".join(read_results(golisten.encode()).notes)
    assert "row of tags" in notes
    assert "date of each answer" in notes


def test_a_workbook_is_refused_with_what_to_send() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(ImportProblem, match="spreadsheet"):
        read_results(packed.getvalue())


def test_a_table_of_means_has_no_listener() -> None:
    with pytest.raises(ImportProblem, match="No format") as caught:
        read_results(b"item,system,score\na,C1,40\n")
    assert "listener" in caught.value.fields


HEAD = "listener,item,system,score"


@pytest.mark.parametrize("mark", ["1", "TRUE", "true", "Yes", "x", "training", "Practice", "ja"])
def test_grades_of_training_are_left_out_whatever_marks_them(mark: str) -> None:
    text = f"{HEAD},Training\n1,s0,A,20,{mark}\n1,s0,B,80,{mark}\n1,s1,A,30,\n1,s1,B,60,no\n"
    reading = read_results(text.encode())
    assert [(grade.item, grade.system, grade.score) for grade in reading.grades] == [
        ("s1", "A", 30),
        ("s1", "B", 60),
    ]
    assert "2 grades of training were left out." in reading.notes


def test_a_column_that_is_no_mark_of_training_or_kind_is_named_and_leaves_nothing_out() -> None:
    text = f"{HEAD},training,kind\n1,s,A,20,5,expert\n1,s,B,80,12,naive\n"
    reading = read_results(text.encode())
    assert len(reading.grades) == 2
    told = " ".join(reading.notes)
    assert "training" in told
    assert "kind" in told


def test_pilots_are_left_out_and_people_are_not_made_simulated() -> None:
    text = f"{HEAD},kind\n1,s,A,20,real\n1,s,B,80,real\n2,s,A,1,pilot\n2,s,B,2,pilot\n"
    reading = read_results(text.encode())
    assert {grade.assessor for grade in reading.grades} == {"1"}
    assert "2 grades of a pilot were left out." in reading.notes
    assert not reading.simulated
    with pytest.raises(ImportProblem, match="separately") as refused:
        read_results(
            f"{HEAD},kind\n1,s,A,20,real\n1,s,B,80,real\n2,s,A,1,simulated\n2,s,B,2,simulated\n".encode()
        )
    assert refused.value.line == 2


@pytest.mark.parametrize("name", ["Max", "Min", "N", "Sd", "Mean", "Var"])
def test_a_complete_grade_is_no_summary_whoever_gave_it(name: str) -> None:
    text = f"{HEAD}\nAnna,s1,A,20\nAnna,s1,B,80\n{name},s1,A,30\n{name},s1,B,60\n"
    reading = read_results(text.encode())
    assert {grade.assessor for grade in reading.grades} == {"Anna", name}
    assert len(reading.grades) == 4
    text = f"system,item,listener,score\nopus,s,1,20\nopus,s,2,30\n{name},s,1,40\n{name},s,2,50\n"
    assert {grade.system for grade in read_results(text.encode()).grades} == {"opus", name}


def test_a_listener_who_is_called_like_a_figure_stays_and_the_figure_goes() -> None:
    wide = "listener,A,B\n1,20,30\n2,40,70\n"
    assert {grade.assessor for grade in read_results((wide + "Max,55,10\n").encode()).grades} == {
        "1",
        "2",
        "Max",
    }
    for row in ("Max,40,70", "min,20,30", "N,2,2", "sum,60,100", "SD,14.14,28.28", "Mean,30,50"):
        reading = read_results((wide + row + "\n").encode())
        assert {grade.assessor for grade in reading.grades} == {"1", "2"}, row
        assert any("line 4" in note for note in reading.notes), row


MUSHRA_HEAD = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score"


def test_no_listener_is_made_up_for_a_row_without_a_session_id() -> None:
    rows = "t,u1,s,reference,100\nt,,s,A,20\nt,u2,s,reference,90\nt,u2,s,A,30\n"
    with pytest.raises(ImportProblem, match="no session id") as refused:
        read_results(f"{MUSHRA_HEAD}\n{rows}".encode())
    assert (refused.value.line, refused.value.heading) == (3, "session_uuid")


def test_no_person_of_a_mushra_file_is_made_simulated() -> None:
    made = f"{SIMULATED_PREFIX}t,u2,s"
    rows = f"t,u1,s,reference,100\nt,u1,s,A,20\n{made},reference,90\n{made},A,30\n"
    with pytest.raises(ImportProblem, match="separately") as refused:
        read_results(f"{MUSHRA_HEAD}\n{rows}".encode())
    assert refused.value.line == 4


@pytest.mark.parametrize(
    ("times", "said"),
    [(1, "1 repetition of the header was skipped."), (2, "2 repetitions of the header were skipped.")],
)
def test_notes_count_in_english(times: int, said: str) -> None:
    head = tidy().splitlines()[0]
    assert said in read_results((tidy() + f"{head}\n" * times).encode()).notes
    reading = read_results(tidy().encode())
    reading.grades = [Grade("p", f"i{n}", "A", 200, line=n) for n in range(times)]
    outside = "1 grade lies outside" if times == 1 else "2 grades lie outside"
    assert scale_note(reading, "mushra").startswith(outside)
