"""webMUSHRA's YAML configuration: what is imported, what is changed, and what is left out."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from listening.columns.texts import MAX_TEXT
from listening.interchange.imports.reading import ImportProblem
from listening.interchange.imports.yaml_lines import Map, Seq, load
from listening.methods import AnyMethod, find_method

_TEXT_PAGES = ("generic", "consent", "volume", "finish")
#: Settings that always apply here, or have no meaning here.
_OWN_WAY = {
    "bufferSize", "stopOnErrors", "showButtonPreviousPage", "remoteService", "showWaveform", "enableLooping",
    "strict", "switchBack", "showResults", "writeResults", "showErrors", "mustConsent", "defaultVolume",
    "showProgressBar", "mustPlayback", "mustRate", "testId", "pages", "testname", "language", "type", "id",
    "name", "content", "reference", "stimuli", "createAnchor35", "createAnchor70", "questionnaire",
    "popupContent", "unforced", "response", "stimulus", "randomize", "showConditionNames", "maxStimuli",
}  # fmt: skip
_BLOCKS = ("p", "br", "li", "div", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "hr")
_QUESTIONS = {"text": "text", "number": "number", "likert": "likert", "long_text": "long_text",
              "checkbox": "multiple", "dropdown": "single"}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A page with recordings and its `method` here; `stimuli` are paths by system name."""

    kind: str
    method: str
    id: str
    line: int
    reference: str
    stimuli: Mapping[str, str]
    anchors: frozenset[str]


@dataclass(frozen=True)
class Note:
    """An entry of the import's report; `line` is its line in the file, 0 for the whole file."""

    kind: str  # taken, changed or left_out
    line: int
    text: str


@dataclass(frozen=True)
class Group:
    """Pages that become one study: they have the same method and systems."""

    method: str
    systems: tuple[str, ...]
    pages: tuple[Page, ...]

    @property
    def key(self) -> str:
        return f"{self.method}:{'|'.join(self.systems)}"


@dataclass
class Configuration:
    """The content of a configuration."""

    name: str
    test_id: str
    language: str
    texts: dict[str, str] = field(default_factory=dict)
    questions: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def note(self, kind: str, line: int, text: str) -> None:
        self.notes.append(Note(kind, line, text))

    @property
    def groups(self) -> list[Group]:
        """The groups that can become studies, largest first."""
        found: dict[tuple[str, tuple[str, ...]], list[Page]] = {}
        for page in self.pages:
            found.setdefault((page.method, tuple(sorted(page.stimuli))), []).append(page)
        groups = [Group(method, systems, tuple(pages)) for (method, systems), pages in found.items()]
        return sorted(groups, key=lambda group: -len(group.pages))

    def group(self, key: str) -> Group:
        return next((group for group in self.groups if group.key == key), self.groups[0])

    def paths(self, group: Group) -> dict[str, int]:
        """The recordings of a group, each with the line of the first page that names it."""
        found: dict[str, int] = {}
        for page in group.pages:
            for path in (page.reference, *page.stimuli.values()):
                found.setdefault(path, page.line)
        return found


def read_configuration(text: str) -> Configuration:
    """Read a configuration.

    Raises:
        ImportProblem: it is not YAML, or has no page that can be imported; the message names the pages.
    """
    data, mended = load(text)
    if not isinstance(data, Map) or not isinstance(data.get("pages"), Seq):
        raise ImportProblem(_("This is not a webMUSHRA configuration: it has no list of pages."), 1, 1)
    found = Configuration(
        name=plain_text(data.get("testname"))[:200] or "Imported test",
        test_id=str(data.get("testId") or ""),
        language=str(data.get("language") or "en")[:10],
    )
    for note in mended:
        found.note("changed", 0, note)
    _keys(found, data, "the test")
    refused: list[str] = []
    asked: list[str] = []
    for page in _flatten(found, data["pages"]):
        kind = str(page.get("type"))
        if method := find_method(kind):
            _test_page(found, page, kind, method, refused)
            asked.append(_text_of(page, "content"))
        elif kind in _TEXT_PAGES:
            _text_page(found, page, kind)
        else:
            refused.append(f"{kind} (line {page.line})")
            found.note("left_out", page.line, f"A page of type {kind}: Earshot has no page like this.")
    if not found.pages:
        raise ImportProblem(
            _("No page of this configuration can be imported. It has %(refused)s.")
            if refused
            else _("No page of this configuration can be imported. It has no page with recordings."),
            refused=_count_refused(refused),
        )
    _page_texts(found, asked)
    found.texts = {key: _cut_text(found, key, value) for key, value in found.texts.items() if value}
    return found


def _count_refused(refused: list[str]) -> str:
    shown = ", ".join(refused[:8])
    return shown if len(refused) <= 8 else f"{shown} and {len(refused) - 8} more"


def _flatten(found: Configuration, pages: Seq, shuffled: bool = False) -> Iterator[Map]:
    """Yield pages in order from nested lists; a shuffled list begins with the element ``random``."""
    for entry in pages:
        if isinstance(entry, Seq):
            within = bool(entry) and entry[0] == "random"
            if within:
                found.note(
                    "changed", entry.line, "A random list: every session has its own balanced order of items."
                )
            yield from _flatten(found, entry, within)
        elif isinstance(entry, Map):
            yield entry
        elif entry == "random":
            if not shuffled:
                found.note("changed", pages.line, "All pages are shuffled: so are items here, by design.")
        elif entry is not None:
            found.note("left_out", pages.line, f"{str(entry)[:40]!r} in the list of pages is not a page.")


def _test_page(found: Configuration, page: Map, kind: str, method: AnyMethod, refused: list[str]) -> None:
    line, title = page.line, plain_text(page.get("id")) or plain_text(page.get("name"))
    stimuli = page.get("stimuli")
    if not isinstance(stimuli, Map) or not stimuli:
        refused.append(f"{kind} without stimuli (line {line})")
        found.note("left_out", line, f"{title}: it has no stimuli.")
        return
    if kind.startswith("likert"):
        count = len(page["response"]) if isinstance(page.get("response"), Seq) else 0
        if count != 5:
            refused.append(f"{kind} with {count} answers (line {line})")
            found.note("left_out", line, f"{title}: a scale of {count} answers; ACR has five.")
            return
        found.note("changed", line, f"{title}: graded by ACR, one recording at a time, in ACR's words.")
    reference = page.get("reference")
    if not isinstance(reference, str) or not reference.strip():
        if not kind.startswith("likert"):
            refused.append(f"{kind} without a reference (line {line})")
            found.note("left_out", line, f"{title}: it has no reference.")
            return
        refused.append(f"{kind} without a reference (line {line})")
        found.note(
            "left_out", line,
            f"{title}: it has no reference; here a clip is what systems are measured and matched against.",
        )  # fmt: skip
        return
    paths = {str(key): str(path).strip() for key, path in stimuli.items() if path is not None}
    anchors = frozenset(name for name in ("35", "70") if page.get(f"createAnchor{name}") is True)
    found.pages.append(
        Page(kind, method.slug, title or f"line {line}", line, reference.strip(), paths, anchors)
    )
    found.note("taken", line, f"{title}: an item with {', '.join(paths)}.")
    if kind == "mushra" and len(anchors) < 2:
        found.note("changed", line, f"{title}: both anchors are added; without them it would not be MUSHRA.")
    if kind != "mushra" and anchors:
        found.note("left_out", line, f"{title}: its anchors: {kind} has no anchors here.")
    if kind == "paired_comparison":
        found.note(
            "changed", line,
            f"{title}: imported as ABX; X is randomly the reference or the system, not always the first.",
        )  # fmt: skip
        if page.get("unforced"):
            found.note("left_out", line, f"{title}: the answer “{page['unforced']}”; ABX has two.")
    if page.get("showConditionNames") is True:
        found.note("changed", line, f"{title}: names of systems are never shown to listeners.")
    if page.get("randomize") is False:
        found.note("changed", line, f"{title}: the order of recordings is balanced and random (M16).")
    _keys(found, page, title)


def _keys(found: Configuration, holder: Map, what: str) -> None:
    for key, line in holder.lines.items():
        if key not in _OWN_WAY:
            found.note("left_out", line, f"{what}: the setting {key} is not known here.")


def _text_page(found: Configuration, page: Map, kind: str) -> None:
    text = _text_of(page, "content")
    title = plain_text(page.get("name"))
    _keys(found, page, title or kind)
    if kind == "volume":
        found.note("changed", page.line, f"{title}: Earshot sets the volume in its own way, with an item.")
        return
    if kind == "generic":
        if "<audio" in str(page.get("content")) or "<img" in str(page.get("content")):
            found.note("left_out", page.line, f"{title}: pictures and recordings in its text.")
        _add(found, "instructions", "\n\n".join(part for part in (title, text) if part))
        found.note("changed", page.line, f"{title}: its text is in the instructions, without its layout.")
        return
    key = "consent" if kind == "consent" else "thanks"
    _add(found, key, "\n\n".join(part for part in (text, plain_text(page.get("popupContent"))) if part))
    found.note("taken", page.line, f"{title}: the text of {'consent' if key == 'consent' else 'thanks'}.")
    if kind == "finish" and isinstance(page.get("questionnaire"), Seq):
        for entry in page["questionnaire"]:
            if isinstance(entry, Map):
                _question(found, entry)


def _question(found: Configuration, entry: Map) -> None:
    kind, name = str(entry.get("type")), plain_text(entry.get("name"))[:64]
    label = plain_text(entry.get("label"))[:500] or name
    if kind not in _QUESTIONS:
        found.note("left_out", entry.line, f"The question “{label}”: its type {kind} is not known here.")
        return
    if not name or any(one["name"].casefold() == name.casefold() for one in found.questions):
        found.note("left_out", entry.line, f"The question “{label}”: it has no name of its own.")
        return
    question: dict[str, Any] = {
        "name": name, "label": label, "type": _QUESTIONS[kind], "when": "after",
        "required": entry.get("optional") is not True,
    }  # fmt: skip
    if question["type"] == "number":
        limits = {"minimum": entry.get("min"), "maximum": entry.get("max")}
        question |= {
            key: value
            for key, value in limits.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
        }
    elif question["type"] in ("likert", "multiple", "single"):
        options = entry.get("response") or entry.get("options")
        choices = [
            {"value": plain_text(option.get("value"))[:64], "label": plain_text(option.get("label"))[:200]}
            for option in (options if isinstance(options, Seq) else [])
            if isinstance(option, Map)
        ]
        choices = [one | {"label": one["label"] or one["value"]} for one in choices if one["value"]]
        if len({one["value"] for one in choices}) < 2 or len({one["value"] for one in choices}) < len(
            choices
        ):
            found.note("left_out", entry.line, f"The question “{label}”: its answers are none or the same.")
            return
        question["choices"] = choices
    found.questions.append(question)
    found.note("taken", entry.line, f"The question “{label}”, asked after the trials.")
    if "default" in entry:
        found.note("left_out", entry.line, f"The question “{label}”: the answer that is there before.")


def _add(found: Configuration, key: str, text: str) -> None:
    found.texts[key] = "\n\n".join(part for part in (found.texts.get(key, ""), text) if part)


def _page_texts(found: Configuration, texts: list[str]) -> None:
    own = [text for text in dict.fromkeys(texts) if text]
    if own:
        _add(found, "instructions", "\n\n".join(own))
        found.note("changed", 0, "Texts of pages with recordings are read before the test.")


def _cut_text(found: Configuration, key: str, text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    found.note("left_out", 0, f"The {key} has {len(text)} characters; those after {MAX_TEXT} were cut.")
    return text[: MAX_TEXT - 1].rstrip() + "…"


def _text_of(page: Map, key: str) -> str:
    return plain_text(page.get(key))


def plain_text(value: object) -> str:
    """Convert a text of the configuration, which may contain untrusted HTML, to plain text with line
    breaks."""
    import nh3

    if value is None:
        return ""
    breaks = "|".join(_BLOCKS)
    cleaned = nh3.clean(str(value)[:200_000], tags=set(_BLOCKS), attributes={})
    lines = re.sub(rf"\s*</?(?:{breaks})\s*/?>\s*", "\n", re.sub(r"\s+", " ", cleaned))
    said = html.unescape(re.sub(r"<[^>]*>", "", lines)).replace("\0", "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in said.split("\n"))).strip()
