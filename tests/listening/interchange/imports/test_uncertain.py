"""What tables leave open: each element is mapped, asked about, or named with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from listening.interchange.imports import ImportProblem, Reading, read_results
from listening.interchange.imports.roles import check_mapping, suggest_for
from listening.interchange.imports.scores import read_scores
from listening.interchange.imports.storing import methods_of
from listening.methods import REFERENCE

TIDY = "listener,item,system,score\n"
MUSHRA = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score\n"
#: Three listeners, two items, two systems.
BODY = (
    "1,a,X,81\n1,a,Y,40\n1,b,X,70\n1,b,Y,35\n2,a,X,77\n2,a,Y,51\n2,b,X,68\n2,b,Y,20\n3,a,X,90\n3,a,Y,44\n"
    "3,b,X,60\n3,b,Y,31\n"
)


def read(text: str, choices: Mapping[str, str] | None = None) -> Reading:
    return read_results(text.encode(), choices)


def taken(reading: Reading) -> dict[str, str]:
    """What is taken of each thing that is open, by key."""
    return {doubt.key: doubt.answer for doubt in reading.doubts}


def scores(reading: Reading) -> list[float]:
    return [grade.score for grade in reading.grades]


def says(reading: Reading, *words: str) -> bool:
    return any(all(each in note for each in words) for note in reading.notes)


@pytest.mark.parametrize(
    ("table", "name", "lines"),
    [
        # In the middle: (81 + 77 + 90) / 3, (40 + 51 + 44) / 3, (70 + 68 + 60) / 3, (35 + 20 + 31) / 3.
        (
            TIDY + BODY[:36]
            + "Overall,a,X,82.67\nOverall,a,Y,45\nOverall,b,X,66\nOverall,b,Y,28.67\n" + BODY[36:],
            "Overall",
            "lines 6, 7, 8, 9",
        ),
        # Standard deviation of 20, 40, 30 and of 30, 70, 50.
        ("listener,A,B\n1,20,30\nStd,10,20\n2,40,70\n3,30,50\n", "Std", "line 3"),
        ("listener,A,B\n1,20,30\nMittelwert,30,50\n2,40,70\n3,30,50\n", "Mittelwert", "line 3"),
        ("listener,A,B\nTotal,60,45\n1,10,20\n2,30,5\n3,20,20\n", "Total", "line 2"),
        # Of the rows above it, not of all.
        ("listener,A,B\n1,20,30\n2,40,70\nn,2,2\n3,30,50\n4,31,52\n", "n", "line 4"),
        # Without a word for it: means of 20, 40, 33; 30, 71, 50; 41, 20, 10.
        ("listener,A,B,C\n1,20,30,41\n2,40,71,20\n3,33,50,10\nX̄,31,50.33,23.67\n", "X̄", "line 5"),
        # Another figure than those of the file, but nobody is called so.
        ("listener,A,B\n1,20,30\n2,40,70\nAverage,31,55\n3,30,50\n", "Average", "line 4"),
        # An item and a system: (50 + 60 + 40) / 3, (55 + 65 + 45) / 3; (50 + 40) / 2 and (61 + 30) / 2.
        (
            f"{TIDY}1,a,X,50\n1,b,X,60\n1,c,X,40\n1,All,X,50\n1,a,Y,55\n1,b,Y,65\n1,c,Y,45\n1,All,Y,55\n",
            "All",
            "lines 5, 9",
        ),
        (f"{TIDY}1,a,X,50\n1,a,Y,40\n1,a,Mean,45\n2,a,X,61\n2,a,Y,30\n2,a,Mean,45.5\n", "Mean", "lines 4, 7"),
    ],
)  # fmt: skip
def test_what_sums_up_a_table_is_no_part_of_it(table: str, name: str, lines: str) -> None:
    reading = read(table)
    (key,) = [key for key in taken(reading) if key.startswith("summary:")]
    assert key.endswith(f":{name}")
    assert name not in {*reading.assessors, *reading.items, *reading.systems}
    assert says(reading, f"“{name}” sums up", lines)
    kept = read(table, {key: "keep"})
    assert name in {*kept.assessors, *kept.items, *kept.systems}


def test_an_uncertain_summary_is_asked_about_and_kept() -> None:
    reading = read("listener,A,B\n1,20,30\n2,40,70\nMax,55,10\n")
    assert taken(reading)["summary:listener:Max"] == "keep"
    assert "Max" in reading.assessors


@pytest.mark.parametrize(
    ("table", "best", "expected"),
    [
        # 1 = very good ... 5 = bad: each is 6 less itself.
        ('"listener","item","system","score (1 = very good, 5 = bad)"\n1,a,X,1\n1,a,Y,4\n', "low", [5, 2]),
        (f"{TIDY}1,a,X,1 - Excellent\n1,a,Y,4 - Poor\n2,a,X,2 - Good\n", "low", [5, 2, 4]),
        (f"{TIDY}1,a,ref,1\n1,a,Y,4\n2,a,ref,2\n2,a,Y,5\n", "low", [5, 2, 4, 1]),
        (
            "session_test_id,session_uuid,trial_id,stimuli_rating,stimuli\nt,u,a,1,reference\nt,u,a,4,C\n",
            "low",
            [5, 2],
        ),
        (f"{TIDY}1,a,X,5 (excellent)\n1,a,Y,1 (bad)\n", "high", [5, 1]),
        ("listener;item;system;Urteil\n1;a;X;Sehr gut\n1;a;Y;Schlecht\n2;a;X;Gut\n", "high", [5, 1, 4]),
        (f"{TIDY}1,a,X,Fair\n1,a,Y,Excellent\n", "high", [3, 5]),
        ("評価者,音源,システム,評価\n1,a,X,非常に良い\n1,a,Y,悪い\n", "high", [5, 2]),
        (f"{TIDY}1,a,X,4\n1,a,Y,1\n", "high", [4, 1]),
        ("listener,item,system,cmos\n1,a,X,-2\n1,a,Y,1\n", "high", [-2, 1]),
    ],
)  # fmt: skip
def test_no_scale_is_turned_round_unsaid(table: str, best: str, expected: list[float]) -> None:
    reading = read(table)
    assert taken(reading)["scale:best"] == best
    assert scores(reading) == expected
    assert says(reading, "the best")
    for doubt in reading.doubts:
        assert all(option.consequence and "{" not in option.label for option in doubt.options), doubt
    other = {"low": "high", "high": "low"}[best]
    ends = 0 if "cmos" in table else 6
    assert scores(read(table, {"scale:best": other})) == [ends - score for score in expected]


@pytest.mark.parametrize(
    ("table", "answer", "expected"),
    [
        ('listener,item,system,"score (0-10)"\n1,a,X,2\n1,a,Y,9\n', "0..10", [20, 90]),
        (f"{TIDY}1,a,X,1\n1,a,Y,7\n2,a,X,4\n", "1..7", [0, 100, 50]),
        ("Proband;Stück;Verfahren;Note (1-6)\n1;a;X;1\n1;a;Y;6\n", "6..1", [100, 0]),
        (f"{TIDY}1,a,X,0.5\n1,a,Y,0.9\n", "0..1", [50, 90]),
    ],
)
def test_a_scale_that_no_method_has_is_asked_about(table: str, answer: str, expected: list[float]) -> None:
    reading = read(table)
    assert taken(reading)["scale:ends"] == "keep"
    assert scores(read(table, {"scale:ends": answer})) == expected
    with pytest.raises(ImportProblem, match="not one of keep") as refused:
        read(table, {"scale:ends": "0..3"})
    assert set(refused.value.fields) == {"answers.scale:ends"}


@pytest.mark.parametrize(
    ("heading", "grades", "method"),
    [
        ("mos", (2, 5), "acr"), ("score", (1, 4.5), "acr"), ("DMOS", (2, 5), "dcr"), ("cmos", (-2, 1), "ccr"),
        ("value", (-3, 3), "ccr"), ("score", (2, 80), "mushra"), ("mushra", (2, 5), "mushra"),
    ],
)  # fmt: skip
def test_the_method_is_suggested_by_heading_and_scale(
    heading: str, grades: tuple[float, float], method: str
) -> None:
    reading = read(f"listener,item,system,{heading}\n1,a,X,{grades[0]}\n1,a,Y,{grades[1]}\n")
    assert methods_of(reading)[0] == method
    assert says(reading, "is suggested as the method") == (method != "mushra")


@pytest.mark.parametrize(
    ("table", "kept", "left"),
    [
        # Odd cells are missing answers, and the column is a system.
        ("listener,item,A,B\n1,a,20,n.h.\n1,b,30,x\n2,a,40,-\n2,b,33,60\n3,a,33,66\n", ["A", "B"], {}),
        # Grades that change with the item, whatever the column is called.
        (
            "listener,item,Opus,SD,Seed,Mean,Name,Age\n1,a,80,60,20,71,22,30\n1,b,70,66,30,51,33,55\n"
            "2,a,81,70,28,44,61,30\n2,b,61,40,28,49,62,35\n",
            ["Opus", "SD", "Seed", "Mean", "Name", "Age"], {},
        ),
        # (20 + 30) / 2, (20 + 36) / 2, (20 + 31) / 2, (29 + 30) / 2.
        (
            "listener,item,A,B,sex code,Mean score,year\n1,a,20,30,1,25,1990\n1,b,20,36,1,28,1990\n"
            "2,a,20,31,2,25.5,1987\n2,b,29,30,2,29.5,1987\n",
            ["A", "B"],
            {"sex code": "rows of a listener", "Mean score": "mean of the other columns", "year": "no scale"},
        ),
        ("listener,trial order,item,A,B\n1,1,a,4,5\n1,2,b,1,5\n", ["A", "B"], {"trial order": "a number"}),
        ("listener,A,B,Age\n1,40,50,31\n2,41,51,24\n", ["A", "B"], {"Age": "data of the listener"}),
        (
            "listener,item,A,B,C,Remarks\n1,a,20,30,NA,\n2,a,22,33,NA,\n", ["A", "B", "C"],
            {"Remarks": "holds nothing"},
        ),
    ],
)  # fmt: skip
def test_every_column_of_a_wide_table_is_a_system_or_named(
    table: str, kept: list[str], left: dict[str, str]
) -> None:
    reading = read(table)
    roles = {key.removeprefix("column:"): value for key, value in taken(reading).items() if "column:" in key}
    assert [name for name, role in roles.items() if role == "system"] == kept
    assert {*reading.systems, *(blank.system for blank in reading.blanks)} == set(kept)
    for name, why in left.items():
        assert roles[name] == "out"
        assert says(reading, f"column {name} is left out", why)
    without = read(table, {f"column:{kept[0]}": "out"})
    assert kept[0] not in without.systems
    assert says(without, f"column {kept[0]} is left out", "as you decided")


def test_a_column_that_sums_up_listeners_is_none() -> None:
    # Standard deviations of 10, 20, 33 and of 40, 50, 61.
    table = "item,system,L1,L2,L3,SD,Mean score\na,X,10,20,33,11.53,21\na,Y,40,50,61,10.50,50.33\n"
    reading = read(table)
    assert reading.assessors == ["L1", "L2", "L3"]
    assert says(reading, "column SD is left out", "standard deviation of the other columns")
    assert "Mean score" in read(table, {"column:Mean score": "listener"}).assessors


def test_two_attributes_are_asked_about_whatever_they_are_called() -> None:
    for heading in ("score", "quality", "mos"):
        table = (
            f"listener,item,system,{heading},intelligible,pesq,expertise\n1,a,X,3,4,2.1,5\n1,a,Y,4,1,3.3,5\n"
        )
        table += "2,a,X,2,4,2.1,1\n2,a,Y,5,2,3.3,1\n"
        reading = read(table)
        assert reading.options["attribute"] == [heading, "intelligible"]
        assert says(reading, "not taken: intelligible")
        assert says(reading, "not needed", "pesq, expertise")
        assert scores(read(table, {"attribute": "intelligible"})) == [4, 1, 4, 2]


@pytest.mark.parametrize("word", ["", "NA", "NaN", "null", "-"])
def test_a_row_that_names_nobody_or_nothing_is_named_and_counted(word: str) -> None:
    reading = read(f"{TIDY}{word},a,X,30\n{word},a,Y,40\n2,{word},X,20\n2,a,Y,50\n2,a,X,51\n")
    assert (reading.assessors, reading.items) == (["2"], ["a"])
    assert says(reading, "2 rows name no listener", "lines 2, 3")
    assert says(reading, "1 row names no item", "line 4")
    reading = read(f"{MUSHRA}t,u,{word},X,30\nt,u,a,X,40\n")
    assert reading.items == ["a"]
    assert says(reading, "1 row names no item", "line 2")


def test_the_count_of_missing_answers_is_complete() -> None:
    pairs = "session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer\n"
    pairs += "t,u,a,ref,C,correct\nt,u,a,ref,D,NA\nt,v,a,ref,C,\nt,v,a,ref,D,incorrect\n"
    reading = read(pairs)
    assert [(blank.line, blank.system) for blank in reading.blanks] == [(3, "D"), (4, "C")]
    assert reading.missing == 2
    head = (
        "session_test_id,session_uuid,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
    )
    head += "rating_non_reference_score\n"
    reading = read(
        f"{head}t,u,a,ref,C,5,NA\nt,u,a,ref,D,4.5,4\nt,v,a,ref,C,NA,NA\nt,v,a,ref,D,5,3\nt,w,a,ref,C,5,2\n"
    )
    assert [(blank.line, blank.system) for blank in reading.blanks] == [(2, "C"), (4, "ref"), (4, "C")]
    assert says(reading, "Line 2: the grade 5 of ref is left out")
    # Two grades each of u's and v's pair with C, and of w's with D.
    assert reading.missing == 6


@pytest.mark.parametrize(
    ("item", "default"),
    [
        ("training1", "training"), ("TrainingPage1", "training"), ("Trainingsphase", "training"),
        ("pretest", "training"), ("practice1", "training"), ("Übung_2", "training"), ("練習1", "training"),
        ("entraînement", "training"), ("warm-up", "training"), ("train", "graded"), ("Probe_3", "graded"),
    ],
)  # fmt: skip
def test_items_of_training_are_no_results(item: str, default: str) -> None:
    reading = read(f"{MUSHRA}t,u,{item},C,5\nt,u,a,C,50\n")
    assert taken(reading)[f"training:{item}"] == default
    assert (item in reading.items) == (default == "graded")
    assert says(reading, item, "line 2") == (default == "training")
    assert item in read(f"{MUSHRA}t,u,{item},C,5\nt,u,a,C,50\n", {f"training:{item}": "graded"}).items


def test_items_that_only_begin_like_it_are_no_training() -> None:
    assert not taken(read(f"{MUSHRA}t,u,trained,C,5\nt,u,pretty,C,50\n"))


def test_a_phase_of_training_is_asked_about() -> None:
    table = "listener,phase,item,system,score\n1,Trainingsphase,a,X,30\n1,main,a,Y,40\n1,main,a,X,10\n"
    assert scores(read(table)) == [40, 10]
    assert says(read(table), "training", "line 2")
    with pytest.raises(ImportProblem, match="graded X of a in line 2 already"):
        read(table, {"phase:phase": "graded"})


@pytest.mark.parametrize(
    ("names", "reference", "left"),
    [
        (("reference", "hidden_reference"), "hidden_reference", ["reference"]),
        (("ref_a", "ref_b"), "ref_a", ["ref_b"]),
        (("Referenz", "original", "Reference 2"), "Referenz", ["Reference 2", "original"]),
    ],
)
def test_a_second_reference_of_an_item_is_not_ranked(
    names: tuple[str, ...], reference: str, left: list[str]
) -> None:
    table = MUSHRA + "".join(f"t,u,a,{name},9{place}\n" for place, name in enumerate(names)) + "t,u,a,C,50\n"
    reading = read(table)
    assert suggest_for(reading) == {reference: REFERENCE, "C": "C"}
    assert says(reading, f"{reference} is taken as the hidden reference", f"{', '.join(left)} ")
    everything = read(table, {"role:reference": "all"})
    assert set(suggest_for(everything)) == {*names, "C"}
    other = read(table, {"role:reference": f"is:{left[0]}"})
    assert suggest_for(other) == {left[0]: REFERENCE, "C": "C"}


@pytest.mark.parametrize(
    ("names", "slug"),
    [(("LP35", "lp3.5"), "anchor35"), (("lp70", "anchor70"), "anchor70"), (("anchor35", "LP35"), "anchor35")],
)
def test_a_second_anchor_of_an_item_is_not_ranked(names: tuple[str, str], slug: str) -> None:
    first, second = names
    table = f"{MUSHRA}t,u,a,reference,99\nt,u,a,{first},20\nt,u,a,{second},25\nt,u,a,C,50\n"
    reading = read(table)
    assert taken(reading) == {f"role:{slug}": f"is:{first}"}
    assert suggest_for(reading) == {"reference": REFERENCE, first: slug, "C": "C"}
    assert says(reading, f"{first} is taken as the", f"{second} is left out: line 4")
    other = read(table, {f"role:{slug}": f"is:{second}"})
    assert suggest_for(other) == {"reference": REFERENCE, second: slug, "C": "C"}
    everything = read(table, {f"role:{slug}": "all"})
    assert everything.systems == ["reference", first, second, "C"]
    # A system that is called like the anchor's slug is the anchor; else the two would become one.
    given = check_mapping(everything, suggest_for(everything))
    anchor = slug if slug in names else first
    assert [name for name in names if given[name] == slug] == [anchor]


def test_references_that_never_meet_are_one_whatever_they_are_called() -> None:
    table = f"{MUSHRA}t,u,a,reference,99\nt,u,a,C,50\nt,u,b,hidden_reference,98\nt,u,b,C,51\n"
    assert suggest_for(read(table)) == {"reference": REFERENCE, "C": "C", "hidden_reference": REFERENCE}
    joined = "rater,stimulus,rating\n" + "".join(
        f"p,{system}_{item}.wav,{score}\n"
        for system, score in (("ref", 100), ("codec1", 50))
        for item in "ab"
    )
    assert (read(joined).items, read(joined).systems) == (["a", "b"], ["ref", "codec1"])


@pytest.mark.parametrize(
    ("rows", "listeners", "systems", "open_"),
    [
        ("1,a,1.0,80\n1,a,2,40\n", ["1"], ["1.0", "2"], {}),
        ("1,a,1.0,80\n1,a,2,40\n1,b,1,81\n", ["1"], ["1", "2"], {"same:system:1": "one"}),
        ("P1,a,X,50\np1 ,a,Y,60\nP 1,b,Y,40\n", ["P1"], ["X", "Y"], {"same:listener:P1": "one"}),
        ("P1,a,X,50\np1,a,X,60\n", ["P1", "p1"], ["X"], {"same:listener:P1": "apart"}),
        ("1,a,none,50\n1,a,Y,30\n", ["1"], ["none", "Y"], {}),
        # The same letter, once as one character and once as two.
        ("1,a,\u00e9,50\n2,a,e\u0301,30\n", ["1", "2"], ["\u00e9"], {"same:system:\u00e9": "one"}),
    ],
)
def test_names_stay_as_they_are_or_it_is_asked(
    rows: str, listeners: list[str], systems: list[str], open_: dict[str, str]
) -> None:
    reading = read(TIDY + rows)
    assert (reading.assessors, reading.systems, taken(reading)) == (listeners, systems, open_)


def test_names_of_scores_may_be_spelled_as_a_spreadsheet_does() -> None:
    reading = read(f"{TIDY}1,1.0,2.0,80\n1,1.0,3.0,40\n")
    found = read_scores(b"item,system,pesq_wb\n1,2,2.5\n1.0,3.0,3\n", reading)
    assert found.values == {("1.0", "2.0"): {"pesq_wb": 2.5}, ("1.0", "3.0"): {"pesq_wb": 3}}


def test_what_numbers_mean_is_said_or_asked() -> None:
    assert scores(read(f"{TIDY}1,a,X,1.e1\n1,a,Y,2.5e1\n")) == [10, 25]  # no label e1 of a grade 1
    mixed = read("listener;item;system;score\n1;a;X;1,5\n1;a;Y;1.234\n2;a;X;3,5\n")
    assert scores(mixed) == [1.5, 1.234, 3.5]
    assert says(mixed, "commas and points are mixed", "a point in line 3")
    table = f"{TIDY}1,a,X,20%\n1,a,Y,0.4\n2,a,X,35 %\n"
    assert scores(read(table)) == [20, 40, 35]
    assert says(read(table), "percentages", "line 3")
    assert scores(read(table, {"scale:percent": "same"})) == [20, 0.4, 35]
    code = TIDY + "".join(
        f"{who},{item},{of},{3 + (who + item) % 3}\n" for who in range(3) for item in range(3) for of in "XY"
    )
    reading = read(f"{code}9,0,X,99\n9,0,Y,3\n")
    assert [(blank.line, blank.system) for blank in reading.blanks] == [(20, "X")]
    assert says(reading, "99 is taken as a missing answer: line 20")
    assert 99 in scores(read(f"{code}9,0,X,99\n9,0,Y,3\n", {"code:99": "grade"}))
    assert scores(read(f"{TIDY}1,a,X,20\n1,a,Y,-9\n2,a,X,35\n")) == [20, 35]


def test_a_name_is_no_label_unless_it_is_wanted() -> None:
    table = "name,item,system,score\nAnna,a,X,20\nAnna,a,Y,44\nBen,a,X,35\n"
    assert read(table).assessors == ["Listener 1", "Listener 2"]
    assert read(table, {"people:name": "keep"}).assessors == ["Anna", "Ben"]
    beside = read("listener,name,item,system,score\n7,Anna,a,X,20\n7,Anna,a,Y,44\n")
    assert beside.assessors == ["7"]
    assert says(beside, "not needed", "name")


CELLS = {
    ("p1", "a", "ref"): 100, ("p1", "a", "A"): 40, ("p1", "b", "ref"): 99, ("p1", "b", "A"): 50,
    ("p2", "a", "ref"): 98, ("p2", "a", "A"): 45, ("p2", "b", "ref"): 97, ("p2", "b", "A"): 55,
}  # fmt: skip


@pytest.mark.parametrize(
    "table",
    [
        # Two rows of headings, merged cells, titles, units.
        ",a,,b,\nlistener,ref,A,ref,A\np1,100,40,99,50\np2,98,45,97,55\n",
        ",ref,,A,\nlistener,a,b,a,b\np1,100,99,40,50\np2,98,97,45,55\n",
        f"{TIDY}p1,a,ref,100\n,,A,40\n,b,ref,99\n,,A,50\np2,a,ref,98\n,,A,45\n,b,ref,97\n"
        ",,A,55\nMean,,,73\n",
        "listener,item,ref,A\np1,a,100,40\n,b,99,50\np2,a,98,45\n,b,97,55\n",
        "Results of 2024,,,\n,,,\nListener,Item,ref,A\n,,(0-100),(0-100)\np1,a,100,40\np1,b,99,50\n"
        "p2,a,98,45\np2,b,97,55\n",
        'ResponseId,a_ref,a_A,b_ref,b_A\nResponse ID,How?,How good?,How then?,How now?\n"{""I"":""r""}",'
        '"{""I"":""1""}","{""I"":""2""}","{""I"":""3""}","{""I"":""4""}"\np1,100,40,99,50\np2,98,45,97,55\n',
        # Headings of other languages, with units.
        *(
            f"{heads}\n" + "".join(f"{';'.join(cell)};{score},0\n" for cell, score in CELLS.items())
            for heads in (
                "Hörer;Stück;Verfahren;Bewertung (0-100)", "Versuchsperson;Satz;Bedingung;Note",
                "Auditeur;Extrait;Système;Note", "Sujet;Séquence;Codeur;Évaluation",
                "評価者ID;音源;方式;評点", "被験者;楽曲;手法;スコア（0〜100）",
                "\ufeffVP;Signal;Kodierer;Urteil [Punkte]",
            )
        ),
    ],
)  # fmt: skip
def test_the_same_grades_as_laboratories_write_them(table: str) -> None:
    found = {(row.assessor, row.item, row.system): row.score for row in read(table).grades}
    assert found == CELLS


def test_several_tests_in_one_file_can_be_told_apart() -> None:
    reading = read("study,listener,item,system,score\nA,1,a,X,50\nA,1,a,Y,40\nB,2,a,X,51\nB,2,a,Y,44\n")
    assert reading.options["test"] == ["", "A", "B"]
    rows = [
        {"questionaire_uuid": who, "responses_stimulus": "C", "responses_score": score, "wm_id": "a",
         "wm_type": "mushra", "wm_testId": test} for test, who, score in (("t1", "u", 40), ("t2", "v", 60))
    ]  # fmt: skip
    assert read(json.dumps(rows)).options["test"] == ["", "t1", "t2"]
    assert says(read(json.dumps(rows)), "2 tests (t1, t2)")
    assert scores(read(json.dumps(rows), {"test": "t2"})) == [60]


def test_an_answer_to_nothing_is_refused_by_its_name() -> None:
    with pytest.raises(ImportProblem, match="'column:Z' is not a question of this file") as refused:
        read(f"{TIDY}1,a,X,50\n1,a,Y,5\n").check_answers(["column:Z"])
    assert set(refused.value.fields) == {"answers.column:Z"}
