"""Questions to listeners, which may stand on any page of a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.texts import clean_line
from listening.columns.questions import (
    MAX_CHOICES,
    MAX_LABEL,
    MAX_NAME,
    WITH_CHOICES,
    Option,
    Question,
    Type,
)
from listening.interchange.imports.content import AskedQuestion, Configuration, title_of_question
from listening.interchange.imports.plain import plain_text
from listening.interchange.imports.yaml_lines import Map, Scalar, describe, discard

#: Keys of the questions of a page.
QUESTIONNAIRES = ("questionnaire", "questions")
#: Types of questions here by webMUSHRA's.
_TYPES: dict[str, Type] = {
    "text": "text", "number": "number", "likert": "likert", "long_text": "long_text", "checkbox": "multiple",
    "dropdown": "single",
}  # fmt: skip


class QuestionnaireReader:
    """Reads questionnaires into `found`."""

    found: Configuration

    def _say(self, kind: str, line: int, text: str) -> None:
        self.found.note(kind, line, text)

    def _read_questionnaire(self, page: Map, title: str, line: int = 0) -> None:
        """Read the questions of a page; `line` is its own if it has recordings."""
        for key in QUESTIONNAIRES:
            entries = page.take_list(key)
            if entries is None:
                continue
            for place, entry in enumerate(entries.items):
                if isinstance(entry, Map):
                    entries.take(place)
                    self._read_question(entry, title, line)

    def _read_question(self, entry: Map, title: str, page: int) -> None:
        elements = describe(entry)
        kind = entry.take_text("type").strip()
        name = clean_line(plain_text(entry.take_text("name")))
        label = plain_text(entry.take_text("label")) or name
        entry.title = what = title_of_question(label)
        before = len(self.found.notes)
        here = _TYPES.get(kind)
        choices = self._read_choices(entry, what) if here in WITH_CHOICES else []
        reason = _find_fault(kind, name, label, choices)
        if here is None or reason:
            del self.found.notes[before:]  # it is left out as a whole
            discard(entry)
            self._say("left_out", entry.line, f"{what}: {reason}. With it: {elements}.")
            return
        optional = entry.get("optional")
        if isinstance(optional, Scalar) and (optional.flag is not None or not optional.text):
            entry.take("optional")
        minimum, maximum = self._read_limits(entry, what) if here == "number" else (None, None)
        question = Question(
            name=name,
            label=label,
            type=here,
            required=not (isinstance(optional, Scalar) and optional.flag),
            minimum=minimum,
            maximum=maximum,
            choices=[Option(value=value, label=shown) for value, shown in choices],
        )
        self.found.questions.append(AskedQuestion(entry.line, question, page, elements))
        if "default" in entry:
            discard(entry.take("default"))
            self._say(
                "left_out", entry.lines["default"], f"{what}: its default, an answer before one is given."
            )

    def _read_limits(self, entry: Map, what: str) -> tuple[float | None, float | None]:
        """The smallest and the largest number that may be answered."""
        found: dict[str, float] = {}
        for key in ("min", "max"):
            node = entry.get(key)
            if not isinstance(node, Scalar):
                continue
            value = node.value
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
                entry.take(key)
                found[key] = value
        if found.get("min", -1e13) > found.get("max", 1e13):
            for key in found:
                self._say(
                    "left_out",
                    entry.lines[key],
                    f"{what}: its limit {key}: the smallest is above the largest.",
                )
            return None, None
        return found.get("min"), found.get("max")

    def _read_choices(self, entry: Map, what: str) -> list[tuple[str, str]]:
        """The answers to choose from: their values and labels."""
        entries = entry.take_list("response") or entry.take_list("options")
        choices: list[tuple[str, str]] = []
        for place, option in enumerate(entries.items if entries is not None else []):
            if isinstance(option, Scalar):
                value = label = clean_line(plain_text(option.text))
            elif isinstance(option, Map):
                option.title = f"{what}, an answer"
                value = clean_line(plain_text(option.take_text("value")))
                label = clean_line(plain_text(option.take_text("label"))) or value
                value = value or label
            else:
                continue
            entries.take(place)  # type: ignore[union-attr]  # it has items
            if value:
                choices.append((value, label))
            else:
                discard(option)
                self._say("left_out", option.line, f"{what}: an answer without a text.")
        return choices


def _find_fault(kind: str, name: str, label: str, choices: Sequence[tuple[str, str]]) -> str:
    """Why a question cannot be asked here; empty if it can."""
    here = _TYPES.get(kind)
    if here is None:
        return f"its type {kind or 'unknown'} is not known here"
    if not name:
        return "it has no name"
    if len(name) > MAX_NAME:
        return f"its name has {len(name)} characters; {MAX_NAME} at most"
    if len(label) > MAX_LABEL:
        return f"it has {len(label)} characters; {MAX_LABEL} at most"
    if here not in WITH_CHOICES:
        return ""
    values = [value for value, _label in choices]
    if len(values) < 2 or len(set(values)) < len(values):
        return "its answers are none or the same"
    if len(choices) > MAX_CHOICES:
        return f"it has {len(choices)} answers; {MAX_CHOICES} at most"
    longest = max(len(text) for choice in choices for text in choice)
    if longest > MAX_LABEL:
        return f"one of its answers has {longest} characters; {MAX_LABEL} at most"
    return ""
