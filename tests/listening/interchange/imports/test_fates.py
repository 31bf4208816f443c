"""Each element of a configuration has exactly one fate: it is part of the study, told otherwise, or left out.

An element is a key with its line, found by a parser of its own. The report is read as people read it: a note
is about the key that it names in that line, or about those that it lists as ``key (line)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from listening.interchange.imports import ImportProblem
from listening.interchange.imports.content import Note
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.yaml_lines import load, quote_texts
from tests.listening.interchange.imports.test_configuration import REAL
from tests.listening.interchange.imports.test_planning import EVERYTHING, page, plan_of, text_of

MADE, LEFT_OUT = "made", "left_out"
#: Keys that the study consists of, if their page or question is part of it.
OF_PAGES = {"type", "id", "reference", "stimuli", "response", "label", "value", "name", "content",
            "questionnaire", "questions"}  # fmt: skip
OF_QUESTIONS = {"type", "name", "label", "optional", "min", "max", "response", "options", "value"}


@dataclass(frozen=True)
class Element:
    """A key in its line, and what it is in: the lines of a page, and of a question of it."""

    key: str
    line: int
    page: int
    question: int

    def __str__(self) -> str:
        return f"{self.key} ({self.line})"


def elements(text: str) -> Iterator[Element]:
    _tree, repairs = load(text)
    root = yaml.compose(quote_texts(text)[0] if repairs else text)
    yield from _inside(root, 0, 0)


def _inside(node: yaml.Node, page: int, question: int) -> Iterator[Element]:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _value in node.value]
        line = node.start_mark.line + 1
        if not page and "pages" not in keys:
            page = line
        elif page and {"type", "label"} <= set(keys):
            question = question or line
        for key, value in node.value:
            yield Element(key.value, key.start_mark.line + 1, page, question)
            yield from _inside(value, page, question)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _inside(each, page, question)


def is_listed(note: Note, element: Element) -> bool:
    return bool(re.search(rf"(?<![\w.-]){re.escape(element.key)} \({element.line}[:)]", note.text))


def is_about(note: Note, element: Element) -> bool:
    named = re.search(rf"(?<![\w.-]){re.escape(element.key)}(?![\w.-])", note.text.partition(" With it:")[0])
    return note.line == element.line and bool(named)


def fates(plan: Plan, element: Element) -> set[str]:
    """What the report and the plan say of an element; a part of something left out is left out with it."""
    listed = {note.kind for note in plan.notes if is_listed(note, element)}
    told = {note.kind for note in plan.notes if is_about(note, element)}
    items = {item.page.line: item for item in plan.items}
    asked = {note.line for note in plan.notes if ", asked " in note.text}
    if element.question:
        made = element.question in asked and element.key in OF_QUESTIONS
    elif element.page in items:
        page = items[element.page].page
        labels = {plan.group.labels.get((page.line, key), key) for key in page.stimuli} if plan.group else {}
        made = element.key in OF_PAGES or (element.key in page.lines and bool(labels))
    elif element.page:
        whole = [note for note in plan.notes if note.line == element.page and "With it:" in note.text]
        made = element.key in (OF_PAGES if not whole else {"questionnaire", "questions"})
    else:
        made = element.key == "pages"
    return listed or told or ({MADE} if made else set())


def check(text: str, group: str = "", answers: dict[str, str] | None = None) -> None:
    plan = plan_of(text, group, answers)
    here = {item.page.line for item in plan.items}
    pages = {page.line for page in plan.configuration.pages}
    every = list(elements(text))
    for element in every:
        found = fates(plan, element)
        assert len(found) == 1, f"{element} of the page in line {element.page}: {found or 'nothing'}"
        if element.page in pages - here:
            assert found == {LEFT_OUT}, f"{element} of a page that is left out: {found}"
        if element.page in here:
            listed = [note.text for note in plan.notes if is_listed(note, element) and "With it" in note.text]
            assert not listed or element.question or element.key not in OF_PAGES, (str(element), listed)
    asked = [note for note in plan.notes if ", asked " in note.text]
    assert len(asked) == len({note.line for note in asked}) == len(plan.questionnaire)
    for line in {element.page for element in every} - {0}:
        assert any(note.line == line for note in plan.notes), f"The page in line {line} is not in the report."


QUESTIONS = [{"type": "text", "name": "why", "label": "Why?"}, {"type": "odd", "name": "x", "label": "X"}]


def everywhere() -> dict[str, Any]:
    """A configuration with a question on every page of it."""
    tree: dict[str, Any] = yaml.safe_load(yaml.safe_dump(EVERYTHING))
    number = 0

    def ask(pages: list[Any]) -> None:
        nonlocal number
        for each in pages:
            if isinstance(each, list):
                ask(each)
            elif isinstance(each, dict):
                number += 1
                own = [{**question, "name": f"{question['name']}{number}"} for question in QUESTIONS]
                each["questionnaire"] = [*each.get("questionnaire", []), *own]

    ask(tree["pages"])
    return tree


def groups_of(text: str) -> list[str]:
    return [group.key for group in plan_of(text).groups]


def test_every_element_of_every_group_has_one_fate() -> None:
    text = yaml.safe_dump(everywhere(), sort_keys=False)
    for group in groups_of(text):
        check(text, group)


@settings(max_examples=15)
@given(st.data())
def test_every_element_has_one_fate_whatever_is_answered(data: st.DataObject) -> None:
    """Pages are drawn, moved and left out; keys are taken away."""
    tree = everywhere()
    pages = data.draw(st.permutations(tree["pages"]))[: data.draw(st.integers(3, len(tree["pages"])))]
    tree["pages"] = pages
    for key in data.draw(st.lists(st.sampled_from(["content", "name", "questionnaire", "createAnchor35"]))):
        for each in pages:
            if isinstance(each, dict):
                each.pop(key, None)
    text = yaml.safe_dump(tree, sort_keys=False)
    try:
        plan = plan_of(text)
    except ImportProblem:
        return  # no page with recordings was drawn
    if not plan.groups:
        return
    answers: dict[str, str] = {}
    for doubt in plan.doubts:
        if doubt.kind != "meaning" and data.draw(st.booleans()):
            answers[doubt.key] = data.draw(st.sampled_from([option.value for option in doubt.options]))
    try:
        plan_of(text, "", answers)
    except ImportProblem:
        return  # an answer that another one has made meaningless
    check(text, "", answers)


@pytest.mark.shared
@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_element_of_a_real_configuration_has_one_fate(path: Path) -> None:
    text = path.read_text()
    try:
        groups = groups_of(text)
    except ImportProblem:
        return  # test_configuration says which are refused, and by what name
    for group in groups:
        check(text, group)


def test_a_question_goes_with_its_page() -> None:
    """It was left out with its page, and asked."""
    ask = [{"type": "text", "name": "why", "label": "Why?"}]
    text = text_of(
        page(id="one"), page(id="two"), page(id="fine", type="bs1116", questionnaire=ask), {"type": "finish"}
    )
    here, there = (plan_of(text, group) for group in groups_of(text))
    assert (here.questionnaire, [one["name"] for one in there.questionnaire]) == ([], ["why"])
    assert ["Why?" in note.text for note in here.notes if note.kind == "taken"].count(True) == 0


def test_the_same_question_on_pages_of_several_studies_is_asked_in_each() -> None:
    """Its second page had none, because the first, which is in another study, had it."""
    asking = [{"questionnaire": [{"type": "text", "name": "why", "label": "Why?"}]} for _ in range(3)]
    kinds = ("mushra", "mushra", "bs1116")
    text = text_of(
        *(page(id=f"p{n}", type=kind, **ask) for n, (kind, ask) in enumerate(zip(kinds, asking, strict=True)))
    )
    for group in groups_of(text):
        plan = plan_of(text, group)
        assert [one["name"] for one in plan.questionnaire] == ["why"]
        again = [note for note in plan.notes if "has the same name" in note.text]
        assert len(again) == len(plan.items) - 1
