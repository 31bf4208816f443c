"""What an import of a configuration would make: every element is named, nothing becomes something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.reference import lowpass
from listening.columns.drafts import FoundRecording
from listening.interchange.imports import ImportProblem
from listening.interchange.imports.configuration import read_configuration
from listening.interchange.imports.content import Configuration, NothingToImport
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.planning import make_plan
from listening.interchange.imports.recordings import Files, find_anchor, find_files
from tests.evaluation.conftest import make_speech

MUSHRA = {
    "type": "mushra", "id": "song", "name": "Song", "content": "Rate it.", "reference": "a/ref.wav",
    "createAnchor35": True, "createAnchor70": True, "stimuli": {"fast": "a/fast.wav", "slow": "a/slow.wav"},
}  # fmt: skip
ACR = [
    {"value": value, "label": word}
    for value, word in enumerate(("Bad", "Poor", "Fair", "Good", "Excellent"), 1)
]


def page(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**MUSHRA, **changes}.items() if value is not None}


def likert(name: str, path: str, **changes: Any) -> dict[str, Any]:
    return page(
        type="likert_single_stimulus",
        id=name,
        reference=f"{name}.wav",
        stimuli={"C1": path},
        response=ACR,
        createAnchor35=None,
        createAnchor70=None,
        **changes,
    )


def text_of(*pages: Any, **settings: Any) -> str:
    return yaml.safe_dump({"testname": "T", "testId": "t", **settings, "pages": list(pages)}, sort_keys=False)


def plan_of(
    text: str,
    group: str = "",
    answers: dict[str, str] | None = None,
    *,
    equal: tuple[tuple[str, ...], ...] = (),
    **facts: Any,
) -> Plan:
    """A plan whose recordings all exist; those in a tuple of `equal` sound the same."""
    configuration = read_configuration(text)
    return make_plan(configuration, *recordings(configuration, equal, **facts), group, answers)


def recordings(
    configuration: Configuration, equal: tuple[tuple[str, ...], ...] = (), **facts: Any
) -> tuple[Files, list[FoundRecording]]:
    paths = list(
        dict.fromkeys(
            path for page in configuration.pages for path in (page.reference, *page.stimuli.values())
        )
    )
    sounds = {path: same[0] for same in equal for path in same}
    known = {"rate": 48_000, "channels": 1, "seconds": 1.0, **facts}
    return Files({path: path for path in paths}, {}, frozenset()), [
        FoundRecording(path=path, file=path, sha256=path, sound=sounds.get(path, path), **known)
        for path in paths
    ]


def said(plan: Plan, kind: str, part: str) -> list[int]:
    """The lines of the notes of a kind that contain a text."""
    return [note.line for note in plan.notes if note.kind == kind and part in note.text]


def doubt(plan: Plan, key: str) -> Any:
    return next(doubt for doubt in plan.doubts if doubt.key == key)


# -- Everything is named

EVERYTHING: dict[str, Any] = {
    "testname": "Everything", "testId": "e", "language": "fr", "bufferSize": 512, "stopOnErrors": False,
    "showButtonPreviousPage": True, "remoteService": "x.php",
    "pages": [
        {"type": "generic", "id": "hello", "name": "Hello", "content": "<b>Listen</b>."},
        {"type": "consent", "id": "may we", "name": "Consent", "mustConsent": False, "content": "You may "
                                                                                                "stop."},
        {"type": "volume", "id": "loud", "name": "V", "content": "Set it.", "stimulus": "v.wav",
         "defaultVolume": 1},
        {"type": "questionnaire", "id": "q", "name": "Q", "content": "Some questions.", "questions": [
            {"type": "number", "name": "age", "label": "Age", "min": 1, "max": 99, "default": 3,
             "optional": True},
            {"type": "classcode", "name": "class", "label": "Class"}]},
        page(id="training", showWaveform=False, enableLooping=False, loopByDefault=False),
        ["random",
         page(id="one", strict=False, randomize=False, showConditionNames=True, switchBack=True),
         [page(id="two", maxStimuli=1, mustRate=False, mustPlayback="ended", createAnchor70=False)]],
        page(id="pair", type="paired_comparison", unforced="Neither", stimuli={"fast": "a/fast.wav"}),
        page(id="fine", type="bs1116", stimuli={"fast": "a/fast.wav"}, includeReference=False),
        {**likert("mos", "a/fast.wav"), "response": [
            {**answer, "img": "off.png", "imgSelected": "on.png"} for answer in ACR]},
        {"type": "spatial", "id": "room", "stimuli": {"C1": "a/fast.wav"}, "views": [{"view": "front"}]},
        {"type": "finish", "name": "Bye", "content": "Thanks.", "showResults": True, "writeResults": False,
         "showErrors": True, "popupContent": "Sent.", "questionnaire": [
             {"type": "likert", "name": "g", "label": "G",
              "response": [{"value": False, "label": "no"}, "yes"]},
             {"type": "text", "name": "mail", "label": "Mail"}]},
    ],
}  # fmt: skip


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in list(value.values()):
            yield from mappings(each)
    elif isinstance(value, list):
        for each in value:
            yield from mappings(each)


def is_named(plan: Plan, key: str, line: int) -> bool:
    """Whether the report names a key with its line: as a note, or in one on what it is part of."""
    return any(
        (note.line == line and re.search(rf"\b{key}\b", note.text)) or f"{key} ({line}" in note.text
        for note in plan.notes
        if note.kind != "taken"
    )


@settings(max_examples=25)
@given(
    st.integers(0, 500),
    st.sampled_from([0, "word", True, None, [], ["a", "b"], {"inner": 1}, [{"deep": {"deeper": []}}]]),
    st.integers(0, 3),
)
def test_an_unknown_key_anywhere_is_named_with_its_line(place: int, value: Any, group: int) -> None:
    tree = yaml.safe_load(yaml.safe_dump(EVERYTHING))
    # What a stimulus is called is not a setting: any key there is a system.
    holders = [each for each in mappings(tree) if not set(each) <= {"fast", "slow", "C1"}]
    holders[place % len(holders)]["zzUnknown"] = value
    text = yaml.safe_dump(tree, sort_keys=False)
    line = next(number for number, row in enumerate(text.split("\n"), 1) if "zzUnknown" in row)
    groups = plan_of(text).groups
    assert is_named(plan_of(text, groups[group % len(groups)].key), "zzUnknown", line)


KNOWN = ("response", "unforced", "defaultVolume", "mustConsent", "img", "testId", "writeResults",
         "createAnchor35", "showResults", "optional", "stimulus", "strict")  # fmt: skip


@settings(max_examples=20)
@given(st.integers(0, 500), st.sampled_from(KNOWN), st.integers(0, 3))
def test_a_known_key_in_another_place_is_named_with_its_line(place: int, key: str, group: int) -> None:
    tree = yaml.safe_load(yaml.safe_dump(EVERYTHING))
    holders = [each for each in mappings(tree) if key not in each and not set(each) <= {"fast", "slow", "C1"}]
    holders[place % len(holders)][key] = "zzValue"
    text = yaml.safe_dump(tree, sort_keys=False)
    line = next(number for number, row in enumerate(text.split("\n"), 1) if "zzValue" in row)
    groups = plan_of(text).groups
    plan = plan_of(text, groups[group % len(groups)].key)
    at = [note.text for note in plan.notes if note.line == line or f"{key} ({line}" in note.text]
    assert [text for text in at if key in text]


def test_every_known_key_is_named_or_part_of_what_is_made() -> None:
    """Over all groups each key of the file is either in the study or in the report with its line."""
    text = yaml.safe_dump(EVERYTHING, sort_keys=False)
    #: What items, texts and questions are made of.
    made = {
        "type", "id", "reference", "stimuli", "pages", "questions", "questionnaire", "response", "options",
        "label", "value", "min", "max", "optional", "fast", "slow", "C1", "name", "content",
    }  # fmt: skip
    for group in plan_of(text).groups:
        plan = plan_of(text, group.key)
        for line, row in enumerate(text.split("\n"), 1):
            for key in re.findall(r"(?:^|[ -])(\w+):(?: |$)", row):
                named = any(note.line == line for note in plan.notes) or any(
                    f"{key} ({line}" in note.text for note in plan.notes
                )
                assert named or key in made, (group.key, line, key)


@pytest.mark.parametrize(
    ("place", "key", "value", "kind"),
    [
        ("test", "bufferSize", 256, "left_out"),
        ("test", "stopOnErrors", True, "left_out"),
        ("test", "showButtonPreviousPage", True, "left_out"),
        ("test", "showButtonPreviousPage", False, "taken"),
        ("test", "remoteService", "write.php", "left_out"),
        ("test", "language", "xx", "changed"),
        ("page", "enableLooping", False, "changed"),
        ("page", "enableLooping", True, "taken"),
        ("page", "showWaveform", False, "changed"),
        ("page", "strict", False, "changed"),
        ("page", "strict", True, "taken"),
        ("page", "randomize", False, "changed"),
        ("page", "switchBack", True, "changed"),
        ("page", "maxStimuli", 2, "left_out"),
        ("page", "mustRate", False, "changed"),
        ("page", "showConditionNames", True, "changed"),
        ("page", "createAnchor35", False, "changed"),
        ("page", "createAnchor70", "perhaps", "left_out"),
        ("page", "createAnchor70", 1, "taken"),
        ("page", "createAnchor70", "yes", "taken"),
        ("page", "createAnchor70", 0, "changed"),
        ("page", "createAnchor70", "no", "changed"),
        ("page", "createAnchor70", None, "changed"),
        ("page", "mustRate", "yes", "taken"),
        ("page", "mustRate", 0, "changed"),
        ("page", "showConditionNames", "off", "taken"),
        ("page", "randomize", None, "taken"),
        ("page", "content", ["a", "b"], "left_out"),
        ("end", "showResults", True, "left_out"),
        ("end", "showResults", False, "taken"),
        ("end", "writeResults", False, "changed"),
        ("volume", "defaultVolume", 0.4, "left_out"),
        ("volume", "stimulus", "v.wav", "left_out"),
        ("consent", "mustConsent", False, "changed"),
    ],
)
def test_settings_are_told_with_their_lines(place: str, key: str, value: Any, kind: str) -> None:
    """Each in one way: an anchor that the page asks for with 1 was called unexpected, and made."""
    parts: dict[str, dict[str, Any]] = {
        "consent": {"type": "consent"}, "volume": {"type": "volume"}, "page": page(),
        "end": {"type": "finish"},
    }  # fmt: skip
    test = {key: value} if place == "test" else {}
    if place != "test":
        parts[place] = {**parts[place], key: value}
    text = text_of(*parts.values(), **test)
    line = next(number for number, row in enumerate(text.split("\n"), 1) if f" {key}:" in f" {row}")
    plan = plan_of(text)
    assert [note.kind for note in plan.notes if note.line == line and key in note.text] == [kind]


@pytest.mark.parametrize(("place", "when"), [(0, "before"), (2, "after"), (4, "after")])
def test_a_questionnaire_may_stand_anywhere(place: int, when: str) -> None:
    pages: list[Any] = [
        {"type": "generic", "content": "a"},
        page(id="one"),
        page(id="two"),
        {"type": "finish"},
    ]
    pages.insert(place, {"type": "questionnaire", "questions": [{"type": "text", "name": "n", "label": "L"}]})
    plan = plan_of(text_of(*pages))
    assert [(asked["name"], asked["when"]) for asked in plan.questionnaire] == [("n", when)]
    assert len(said(plan, "changed", "not between them")) == (place == 2)


def test_answers_are_kept_as_they_are_written() -> None:
    """YAML 1.1 reads ``no`` as false and 1_0 as ten."""
    question = (
        "{type: likert, name: q, label: L, response: [{value: no, label: No}, {value: 1_0, label: on}]}"
    )
    pages = yaml.safe_dump([page(id="5_030.01")], sort_keys=False).replace("'5_030.01'", "5_030.01")
    text = f"pages:\n{pages}- {{type: finish, questionnaire: [{question}]}}\n"
    plan = plan_of(text)
    assert plan.questionnaire[0]["choices"] == [
        {"value": "no", "label": "No"}, {"value": "1_0", "label": "on"}
    ]  # fmt: skip
    assert [item.page.id for item in plan.items] == ["5_030.01"]


@pytest.mark.parametrize("indent", ["\t", "\t\t"])
def test_tabs_at_the_beginnings_of_lines_are_mended(indent: str) -> None:
    rows = [
        "pages:",
        "-\ttype: bs1116",
        "\tid: one",
        "\treference: r.wav",
        "\tstimuli:",
        f"\t{indent}x: x.wav",
    ]
    plan = plan_of("\n".join(rows))
    assert [dict(item.stimuli) for item in plan.items] == [{"x": "x.wav"}]
    assert said(plan, "changed", "the tabs of these lines as spaces it is: 2, 3, 4, 5, 6") == [0]
    with pytest.raises(ImportProblem, match="cannot start any token"):  # nobody knows how wide a tab is
        plan_of("\n".join([*rows, "-   type: finish", "    name: N", "\tcontent: c"]))


def test_of_what_cannot_be_imported_everything_is_left_out() -> None:
    spatial = {"type": "spatial", "stimuli": {"C1": "a.wav"}}
    text = text_of({"type": "generic", "content": "x"}, ["random", spatial], language="de", odd=[1, {"a": 2}])
    with pytest.raises(NothingToImport) as caught:
        plan_of(text)
    for line, row in enumerate(text.split("\n"), 1):
        for key in re.findall(r"(?:^|[ -])(\w+):(?: |$)", row):
            told = [note for note in caught.value.notes if f"{key} ({line}" in note.text]
            assert [note.kind for note in told] == ["left_out"] or key == "pages", (key, line)


def test_known_keys_in_other_places_are_named() -> None:
    plan = plan_of(text_of(page(response=5, id={"a": "b"}, mustConsent=True, questionnaire=7)))
    named = ("response", "id", "mustConsent", "questionnaire")
    assert all(said(plan, "left_out", f"the setting {key} is not expected there") for key in named)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"name": "n" * 200}, ""),
        ({"name": "n" * 201}, "its name has 201 characters; 200 at most"),
        ({"label": "l" * 500}, ""),
        ({"label": "l" * 501}, "it has 501 characters; 500 at most"),
        ({"type": "likert", "response": ["a" * 500, "b"]}, ""),
        ({"type": "likert", "response": ["a" * 501, "b"]}, "one of its answers has 501 characters"),
        ({"type": "dropdown", "options": [{"value": "v" * 501, "label": "V"}, "b"]}, "501 characters"),
    ],
)
def test_nothing_of_a_question_is_cut(question: dict[str, Any], reason: str) -> None:
    asked = {"type": "text", "name": "n", "label": "L", **question}
    text = text_of(page(), {"type": "finish", "questionnaire": [asked]})
    plan = plan_of(text)
    line = next(number for number, row in enumerate(text.split("\n"), 1) if "- type: finish" in row) + 2
    if reason:
        assert (plan.questionnaire, said(plan, "left_out", reason)) == ([], [line])
    else:
        found = plan.questionnaire[0]
        assert (found.name, found.label) == (asked["name"], asked["label"])
        assert [choice.value for choice in found.choices] == asked.get("response", [])


def test_what_is_cut_is_said() -> None:
    plan = plan_of(text_of(page(id="i" * 201), testname="n" * 201, testId="t" * 31))
    assert len(said(plan, "changed", "its first 200 characters")) == 1
    assert len(said(plan, "changed", "its first 30 characters")) == 1
    assert len(said(plan, "changed", "its id is cut")) == 1


def test_links_and_what_plain_text_cannot_tell() -> None:
    text = '<p>Read <a href="https://example.org/x">this</a></p><img src="a.png"><audio></audio><img>'
    plan = plan_of(text_of({"type": "generic", "name": "N", "content": text}, page(content="")))
    assert plan.texts["instructions"] == "N\n\nRead this (https://example.org/x)"
    assert said(plan, "left_out", "2 pictures, 1 recording in its text")


def test_the_report_does_not_leave_out_what_is_imported() -> None:
    """It said of every page, imported ones too, that it was left out."""
    plan = plan_of(text_of(page(id="one"), page(id="two"), page(id="other", stimuli={"third": "x.wav"})))
    again = [note for note in plan.notes if "Import the file again" in note.text]
    assert [note.text.split(":")[0] for note in again] == ["other"]
    assert len(said(plan, "taken", "an item with fast, slow")) == 2


@pytest.mark.parametrize(
    ("pages", "orders"),
    [
        ("a b", ["a, b"]),
        ("[random a b]", []),
        ("[random [a b] [c d]]", ["a, b", "c, d"]),
        ("[random [a b] c]", ["a, b"]),
        ("[[random a b] [random c d]]", ["(a, b), (c, d)"]),
        ("[random [a [random b c]] d]", ["a, (b, c)"]),
        ("a [random b c] d", ["a, (b, c), d"]),
        ("training1 [random a b]", []),
        ("[random [training1 a] b]", []),
    ],
)
def test_orders_that_a_random_list_keeps_are_named(pages: str, orders: list[str]) -> None:
    """webMUSHRA shuffles the entries of a random list, and not what is in those that are lists."""
    quoted = re.sub(r"\w+", lambda match: f'"{match[0]}"', pages).replace(" ", ", ")

    def build(entry: Any) -> Any:
        if isinstance(entry, list):
            return [build(each) for each in entry]
        return entry if entry == "random" else page(id=entry, content="")

    plan = plan_of(text_of(*build(yaml.safe_load(f"[{quoted}]"))))
    found = [re.search("shows (.*) in this order", note.text) for note in plan.notes]
    assert [match[1] for match in found if match] == orders


def test_pages_called_the_same_get_names_of_their_own() -> None:
    plan = plan_of(text_of(page(), page(), page(id="song (2)")))
    assert [item.page.id for item in plan.items] == ["song", "song (2)", "song (2) (2)"]
    assert len(said(plan, "changed", "called like the page")) == 2


# -- Nothing becomes something else


def test_one_key_need_not_be_one_system() -> None:
    files = {"s1": "s1_anna.wav", "s2": "s2_ben.wav", "s3": "s3_anna.wav"}
    text = text_of(*(likert(name, path) for name, path in files.items()))
    plan = plan_of(text)
    assert [(group.systems, [page.id for page in group.pages]) for group in plan.groups] == [
        (("anna",), ["s1", "s3"]), (("ben",), ["s2"]),
    ]  # fmt: skip
    asked = next(doubt for doubt in plan.doubts if doubt.key.startswith("names:"))
    assert asked.answer == asked.default == "files"
    kept = plan_of(text, "", {asked.key: "keys"})
    assert [group.systems for group in kept.groups] == [("C1",)]


def test_keys_that_are_swapped_between_pages_are_found() -> None:
    text = text_of(
        page(id="p1", reference="i1.wav", stimuli={"A": "i1_opus.wav", "B": "i1_amr.wav"}),
        page(id="p2", reference="i2.wav", stimuli={"A": "i2_amr.wav", "B": "i2_opus.wav"}),
    )
    plan = plan_of(text)
    assert plan.systems == ["amr", "opus"]
    assert [dict(item.stimuli) for item in plan.items] == [
        {"opus": "i1_opus.wav", "amr": "i1_amr.wav"}, {"amr": "i2_amr.wav", "opus": "i2_opus.wav"},
    ]  # fmt: skip


def test_keys_whose_files_agree_are_not_asked_about() -> None:
    pages = [
        page(id=f"p{n}", reference=f"i{n}/ref.wav", stimuli={"C1": f"i{n}/x_c1.wav", "C2": f"i{n}/x_c2.wav"})
        for n in range(4)
    ]
    assert not [doubt for doubt in plan_of(text_of(*pages)).doubts if doubt.key.startswith("names:")]


PAIR = {"type": "paired_comparison", "createAnchor35": None, "createAnchor70": None}


@pytest.mark.parametrize(
    ("changes", "equal", "method", "why"),
    [
        ({"content": "Which is the reference?"}, (), "abx", ""),
        ({"content": "Which one do you prefer?"}, (), "ab", "asks for a preference"),
        ({"content": "", "unforced": "No preference"}, (), "ab", "asks for a preference"),
        ({"content": ""}, (("a/ref.wav", "a/slow.wav"),), "ab", "is the reference itself"),
    ],
)
def test_a_preference_is_not_taken_for_abx(changes: Any, equal: Any, method: str, why: str) -> None:
    text = text_of(page(**PAIR, **changes))
    plan = plan_of(text, equal=equal)
    asked = doubt(plan, "method:paired_comparison")
    assert (plan.method.slug, asked.default) == (method, method)
    assert why in asked.text
    assert all(option.consequence for option in asked.options)
    other = {"ab": "abx", "abx": "ab"}[method]
    assert plan_of(text, "", {"method:paired_comparison": other}, equal=equal).method.slug == other
    if method == "ab":
        assert plan.options == {"pairs": "reference", "no_preference": "unforced" in changes}
    if equal:
        assert plan.systems == ["fast"]
        assert doubt(plan, "use:slow").default == "leave"


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("Choose your favourite.", True),
        ("Pick your favorite version", True),
        ("Which sounds best?", True),
        ("Which of the two do you like most?", True),
        ("Which is more pleasant?", True),
        ("Welches klingt besser?", True),
        ("Welche Version würden Sie bevorzugen?", True),
        ("Welche gefällt Ihnen?", True),
        ("Welche Aufnahme ziehen Sie vor?", True),
        ("Lequel préférez-vous ?", True),
        ("Quel enregistrement sonne mieux ?", True),
        ("¿Cuál prefiere?", True),
        ("Quale preferisci?", True),
        ("Welke heeft uw voorkeur?", True),
        ("どちらが好きですか", True),
        ("أيهما تفضل؟", True),
        ("Which is the reference?", False),
        ("Welche Aufnahme ist das Original?", False),
        ("Which one is identical to the reference?", False),
        ("Quelle est la référence ?", False),
        ("Choose the version that differs.", False),
    ],
)
@pytest.mark.parametrize("place", ["content", "name", "unforced", "before", "test"])
def test_a_question_for_a_preference_is_found_in_any_language_and_place(
    words: str, asks: bool, place: str
) -> None:
    own = {place: words} if place in ("content", "name", "unforced") else {}
    pages: list[Any] = [page(**PAIR, **{"content": "", "name": "P", **own})]
    if place == "before":
        pages.insert(0, {"type": "generic", "content": words})
    plan = plan_of(text_of(*pages, **({"testname": words} if place == "test" else {})))
    asked = doubt(plan, "method:paired_comparison")
    assert (asked.default, "asks for a preference" in asked.text) == ("ab" if asks else "abx", asks)


def test_answers_in_other_words_are_not_taken_for_acr() -> None:
    words = [{"value": n, "label": f"{n} stars"} for n in range(1, 6)]
    text = text_of(likert("s1", "s1_a.wav") | {"response": words}, page())
    plan = plan_of(text)
    assert [group.method for group in plan.groups] == ["mushra"]
    asked = next(doubt for doubt in plan.doubts if doubt.key.startswith("method:likert"))
    assert (asked.default, asked.line) == ("leave", said(plan, "left_out", "left out as you decided")[0])
    assert {group.method for group in plan_of(text, "", {asked.key: "acr"}).groups} == {"mushra", "acr"}


def test_opinion_is_not_given_a_reference_to_grade() -> None:
    plan = plan_of(text_of(likert("s1", "s1_a.wav")))
    assert (plan.method.slug, plan.options) == ("acr", {"hidden_reference": False})
    hidden = likert("s1", "s1_a.wav")
    hidden["stimuli"]["C2"] = "s1.wav"
    plan = plan_of(text_of(hidden))
    assert (plan.systems, plan.options) == (["C1"], {"hidden_reference": True})


def test_a_reference_that_opinion_would_grade_too_is_not_called_the_same_here() -> None:
    plan = plan_of(text_of(likert("s1", "s1_a.wav") | {"includeReference": True}))
    assert plan.options == {"hidden_reference": False}
    assert not said(plan, "taken", "includeReference")
    assert said(plan, "changed", "includeReference: true")
    assert said(plan, "changed", "The reference is not heard in ACR; the study's settings can add it")


def test_the_reference_and_own_anchors_are_not_systems_unless_they_are_wanted() -> None:
    text = text_of(page(stimuli={"a": "a.wav", "hidden": "copy.wav", "lp35": "low.wav"}))
    configuration = read_configuration(text)
    files, found = recordings(configuration, (("a/ref.wav", "copy.wav"),))
    low = next(each for each in found if each.path == "low.wav")
    low.like["a/ref.wav"] = "anchor35"
    plan = make_plan(configuration, files, found)
    assert plan.systems == ["a"]
    assert doubt(plan, "use:hidden").answer == doubt(plan, "use:lp35").answer == "leave"
    kept = make_plan(configuration, files, found, "", {"use:lp35": "keep"})
    assert kept.systems == ["a", "lp35"]


def test_a_system_that_is_the_reference_on_one_page_only_stays() -> None:
    text = text_of(
        page(id="p1"), page(id="p2", reference="b.wav", stimuli={"fast": "b.wav", "slow": "s.wav"})
    )
    plan = plan_of(text)
    assert plan.systems == ["fast", "slow"]
    assert doubt(plan, "use:fast").default == "keep"


@pytest.mark.parametrize("cutoff", [3500, 7000])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_an_own_anchor_is_found_by_its_sound(cutoff: int, rate: int) -> None:
    speech = make_speech(1.0, rate)
    speech += 0.01 * np.random.default_rng(1).standard_normal(speech.size).astype(np.float32)
    low = np.concatenate([np.zeros(9, np.float32), np.float32(0.8) * lowpass(speech, cutoff, rate)])
    assert find_anchor(speech, rate, low, rate) == {3500: "anchor35", 7000: "anchor70"}[cutoff]
    noisy = low[: speech.size] + 0.05 * np.random.default_rng(2).standard_normal(speech.size).astype(
        np.float32
    )
    assert find_anchor(speech, rate, noisy, rate) == ""
    assert find_anchor(speech, rate, speech, rate) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "training_1"},
        {"name": "Practice"},
        {"content": "This is for training only."},
        {"id": "Übung 2"},
        {"id": "warm-up"},
        {"storeResults": False},
        {"id": "example_001"},
        {"id": "TrainingPage1"},
        {"id": "pageTraining"},
        {"id": "Trainingsphase"},
        {"id": "pretest"},
        {"name": "Pre-Test 2"},
        {"id": "practice1"},
        {"id": "Vortest"},
        {"name": "Entraînement"},
        {"storeResults": 0},
    ],
)
def test_training_pages_do_not_become_graded_items(changes: dict[str, Any]) -> None:
    text = text_of(page(**{"id": "first", **changes}), page(id="second", content="Rate."))
    plan = plan_of(text)
    assert [item.training for item in plan.items] == [True, False]
    graded = plan_of(text, "", {plan.doubts[0].key: "graded"})
    assert [item.training for item in graded.items] == [False, False]
    left = plan_of(text, "", {plan.doubts[0].key: "leave"})
    assert [item.page.id for item in left.items] == ["second"]


@pytest.mark.parametrize("name", ["retrained_model", "strain", "protest", "constraint", "a_demonstration"])
def test_words_that_only_contain_training_do_not_make_a_page_of_it(name: str) -> None:
    assert [item.training for item in plan_of(text_of(page(id=name), page(id="two"))).items] == [False, False]


def test_a_test_of_training_pages_only_is_asked_about() -> None:
    plan = plan_of(text_of(page(id="training")))
    assert [item.training for item in plan.items] == [False]
    assert "So does every other page" in doubt(plan, f"page:{plan.items[0].page.line}").text


def test_more_than_nine_systems_are_asked_about() -> None:
    text = text_of(page(stimuli={f"s{n:02}": f"{n}.wav" for n in range(11)}))
    plan = plan_of(text)
    asked = doubt(plan, "blocks")
    assert (asked.default, len(plan.systems), plan.problems) == ("divide", 11, [])
    assert any("some of the systems" in option.consequence for option in asked.options)
    stopped = plan_of(text, "", {"blocks": "stop"})
    assert ["11 systems do not fit" in str(problem) for problem in stopped.problems] == [True]
    fewer = plan_of(text, "", {"use:s00": "leave", "use:s01": "leave"})
    assert len(fewer.systems) == 9
    assert len(said(fewer, "left_out", "left out as you decided")) == 2
    assert not [doubt for doubt in fewer.doubts if doubt.key == "blocks"]


def test_texts_about_pages_that_are_not_there_are_left_out() -> None:
    plan = plan_of(
        text_of(
            {"type": "generic", "id": "all", "content": "You will see two kinds of pages."},
            page(id="one"),
            page(id="two"),
            {"type": "generic", "id": "pairs", "content": "Now come pairs."},
            page(**{**PAIR, "id": "pair", "stimuli": {"x": "x.wav"}}),
            {"type": "generic", "id": "end", "content": "The last page follows."},
        )
    )
    assert plan.texts["instructions"] == "Rate it."
    assert [doubt.answer for doubt in plan.doubts if doubt.kind == "text"] == ["no", "yes", "no", "no"]


def test_texts_that_differ_between_pages_are_asked_about() -> None:
    text = text_of(page(id="one", content="Rate the timbre."), page(id="two", content="Rate the space."))
    plan = plan_of(text)
    asked = [doubt for doubt in plan.doubts if doubt.kind == "text"]
    assert ([doubt.answer for doubt in asked], "instructions" in plan.texts) == (["no", "no"], False)
    assert plan_of(text, "", {asked[1].key: "yes"}).texts["instructions"] == "Rate the space."


# -- Audio and limits


@pytest.mark.parametrize(
    ("rate", "channels", "study", "part"),
    [
        (48_000, 1, 48_000, ""),
        (44_100, 2, 44_100, ""),
        (96_000, 1, 48_000, "resampled from 96000 Hz to 48000 Hz"),
        (8_000, 1, 16_000, "resampled from 8000 Hz to 16000 Hz"),
    ],
)
def test_recordings_keep_their_rate_and_channels_or_are_named(
    rate: int, channels: int, study: int, part: str
) -> None:
    plan = plan_of(text_of(page()), rate=rate, channels=channels)
    assert (plan.rate, plan.channels) == (study, channels)
    named = [note.text for note in plan.notes if note.kind == "changed" and ".wav: it" in note.text]
    assert len(named) == (3 if part else 0)
    assert all(part in text for text in named)


@pytest.mark.parametrize(
    ("odd", "channels", "part"),
    [
        ("a/fast.wav", 2, "a/fast.wav: its two channels are mixed to one, because its reference is mono"),
        ("a/ref.wav", 2, "a/fast.wav: it is mono, its reference stereo: it is put alike into both channels"),
    ],
)
def test_channels_that_do_not_fit_are_named(odd: str, channels: int, part: str) -> None:
    configuration = read_configuration(text_of(page()))
    files, found = recordings(configuration)
    found = [each.model_copy(update={"channels": channels}) if each.path == odd else each for each in found]
    assert len(said(make_plan(configuration, files, found), "changed", part)) == 1


def test_outputs_of_another_length_are_named() -> None:
    configuration = read_configuration(text_of(page()))
    files, found = recordings(configuration)
    lengths = {"a/fast.wav": 1.2, "a/slow.wav": 0.9}
    found = [each.model_copy(update={"seconds": lengths.get(each.path, 1.0)}) for each in found]
    plan = make_plan(configuration, files, found)
    assert said(plan, "changed", "a/fast.wav: it is 200 ms longer than its reference and cut at its end")
    assert said(
        plan, "changed", "a/slow.wav: it is 100 ms shorter than its reference and filled up with silence"
    )


def test_limits_are_problems_of_the_plan() -> None:
    many = plan_of(text_of(*(page(id=f"p{n}") for n in range(61))))
    assert "61 graded items are too many" in str(many.problems[0])
    with pytest.raises(ImportProblem, match="61 graded items"):
        many.check()
    systems = plan_of(text_of(page(stimuli={f"s{n}": f"{n}.wav" for n in range(41)})))
    assert "41 systems are too many" in str(systems.problems[0])
    pairs = [
        page(**{**PAIR, "id": f"p{n}", "stimuli": {f"s{m}": f"{m}.wav" for m in range(18)}})
        for n in range(60)
    ]
    assert "1080 trials" in str(plan_of(text_of(*pairs)).problems[0])
    assert "characters" in str(plan_of(text_of(page(stimuli={"x" * 61: "x.wav"}))).problems[0])
    assert "silent" in str(plan_of(text_of(page()), silent=True).problems[0])


def test_a_system_has_one_output_for_a_recording() -> None:
    plan = plan_of(
        text_of(page(id="one"), page(id="two", stimuli={"fast": "b/fast.wav", "slow": "a/slow.wav"}))
    )
    assert ["fast of a/ref.wav is b/fast.wav here" in str(problem) for problem in plan.problems] == [True]


def test_unknown_answers_and_groups_are_refused_by_name() -> None:
    text = text_of(page())
    for group, answers, part in (
        ("", {"colour": "red"}, "'colour' is not a question"),
        ("", {"page:3": "perhaps"}, "'perhaps' is not one of"),
        ("mushra:x", {}, "no group 'mushra:x'"),
    ):
        line = plan_of(text).items[0].page.line
        with pytest.raises(ImportProblem, match=part):
            plan_of(text, group, {key.replace(":3", f":{line}"): value for key, value in answers.items()})


def test_two_recordings_are_never_one_file() -> None:
    files = find_files(["x/opus/s1.wav", "x/amr/s1.wav", "x/opus/s2.wav"], ["opus/s1.wav", "opus/s2.wav"])
    assert dict(files.found) == {"x/opus/s1.wav": "opus/s1.wav", "x/opus/s2.wav": "opus/s2.wav"}
    assert "opus/s1.wav may be x/opus/s1.wav" in files.missing["x/amr/s1.wav"]
    assert not find_files(["a/s.wav", "b/s.wav"], ["s.wav"]).found


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/lab/a%20b/%C3%BC.wav?v=2",
        "C:\\lab\\a b\\ü.wav",
        "/var/lab/a b/ü.wav",
        "./a b/Ü.WAV",
        "a b/u\u0308.wav",
    ],
)
def test_paths_of_any_kind_are_found(path: str) -> None:
    assert find_files([path], ["zip/a b/ü.wav", "zip/other/ü.wav"]).found == {path: "zip/a b/ü.wav"}
