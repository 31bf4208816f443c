"""Which system is the reference and which are anchors: suggested, set, and told with what follows."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from listening.interchange.imports import ImportProblem, read_results
from listening.interchange.imports.roles import check_mapping, consequences, roles_of, suggest_for
from listening.interchange.imports.storing import Decisions, store
from listening.models import Stimulus
from listening.results.frames import rating_frame

MUSHRA = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"
BY_ITEM = MUSHRA + (
    "x,L1,a,a_ref,100,900,\nx,L1,a,sysA,70,900,\nx,L1,b,b_ref,99,900,\nx,L1,b,sysA,64,900,\n"
    "x,L2,a,a_ref,98,900,\nx,L2,a,sysA,81,900,\nx,L2,b,b_ref,97,900,\nx,L2,b,sysA,72,900,\n"
)


@pytest.mark.parametrize(
    "names",
    [("reference_a", "reference_b"), ("a_ref", "b_ref"), ("Hidden Reference 1", "Hidden Reference 2")],
)
def test_a_reference_with_another_name_in_each_item_is_one(alice: User, names: tuple[str, str]) -> None:
    reading = read_results(BY_ITEM.replace("a_ref", names[0]).replace("b_ref", names[1]).encode())
    suggested = suggest_for(reading)
    assert suggested == {names[0]: "original", "sysA": "sysA", names[1]: "original"}
    study = store(alice, reading, Decisions("x", "mushra", suggested), "x.csv")
    assert study.systems == ["sysA"]
    frame = rating_frame(study)
    assert frame.groupby("system")["score"].mean().to_dict() == {"original": 98.5, "sysA": 71.75}
    assert Stimulus.objects.filter(item__study=study, system="original").count() == 2
    assert any("another name in each item" in said for said in study.imported.consequences)


def test_two_systems_of_one_item_are_never_one() -> None:
    text = BY_ITEM + "x,L1,a,b_ref,90,900,\n"
    reading = read_results(text.encode())
    assert suggest_for(reading) == {name: name for name in reading.systems}
    with pytest.raises(ImportProblem, match="cannot both be original: both were heard in one item") as caught:
        check_mapping(reading, {"a_ref": "original", "b_ref": "original"})
    assert set(caught.value.fields) == {"systems.b_ref"}
    with pytest.raises(ImportProblem, match="no system 'c_ref' in the file") as caught:
        check_mapping(reading, {"c_ref": "original"})
    assert set(caught.value.fields) == {"systems.c_ref"}


def test_what_the_format_says_comes_first() -> None:
    pairs = (
        "session_test_id,session_uuid,trial_id,rating_reference,rating_non_reference,rating_reference_score,"
        "rating_non_reference_score,rating_time,choice_comment\nt,u,a,song,C1,5,3,1,\nt,u,a,song,reference,5,4,1,\n"
    )
    # A system that is called so is not the reference where the format names another one.
    assert suggest_for(read_results(pairs.encode())) == {
        "song": "original",
        "C1": "C1",
        "reference": "reference",
    }
    choices = "session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer\n"
    choices += "t,u,a,song1,C1,correct\nt,u,b,song2,C1,incorrect\n"
    assert suggest_for(read_results(choices.encode())) == {
        "song1": "original",
        "C1": "C1",
        "song2": "original",
    }


@pytest.mark.parametrize(
    ("mapping", "method", "said"),
    [
        ({"a": "a"}, "mushra", ["nobody is screened by it", "3.5 kHz or the 7 kHz anchor"]),
        ({"a": "original", "b": "anchor35"}, "mushra", ["7 kHz anchor"]),
        ({"a": "original", "b": "anchor35", "c": "anchor70"}, "mushra", []),
        ({"a": "a"}, "acr", ["no grade is compared with the original's"]),
        ({"a": "original"}, "acr", []),
        ({"a": "a"}, "bs1116", ["no difference grades"]),
        ({"a": "a"}, "abx", ["which of the two is the original is not known"]),
        ({"a": "a"}, "ab", ["compared and ranked as a system under test"]),
    ],
)
def test_what_follows_is_said_by_the_method(mapping: dict[str, str], method: str, said: list[str]) -> None:
    sentences = consequences(mapping, method)
    assert len(sentences) == len(said)
    assert all(words in sentence for words, sentence in zip(said, sentences, strict=True))


def test_roles_are_the_files_names() -> None:
    assert roles_of({"r1": "original", "r2": "original", "lp": "anchor35", "x": "x"}) == {
        "reference": ["r1", "r2"], "low_anchor": ["lp"], "mid_anchor": [],
    }  # fmt: skip
