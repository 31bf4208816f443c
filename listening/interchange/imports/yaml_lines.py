"""Loads YAML with line numbers, and repairs files that only webMUSHRA's lenient parser accepts.

Real configurations contain unquoted texts with ``word: ``, which YAML reads as a mapping. If a file cannot
be parsed, the texts after `QUOTED` keys are quoted, and it is parsed again.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import ImportProblem

#: Keys whose values are texts for people.
QUOTED = ("content", "name", "popupContent", "label", "testname")
MAX_BYTES = 2_000_000
_MAX_DEPTH = 40
_TEXT = re.compile(
    rf"^(?P<head>[ \t]*(?:- +)*(?:{'|'.join(QUOTED)})[ \t]*:[ \t]+)(?P<text>[^\s'\"|>&*!%@`#\[{{].*)$"
)


class Map(dict[str, Any]):
    """A mapping; `line` is its first line, `lines` has the line of each key."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line, self.lines = line, {}  # type: ignore[var-annotated]


class Seq(list[Any]):
    """A sequence; `line` is its first line."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def load(text: str) -> tuple[Any, list[str]]:
    """Load a document into `Map`, `Seq` and plain values; also returns notes about repairs.

    Raises:
        ImportProblem: it is not YAML even after the repair, has aliases, or is nested too deeply.
    """
    try:
        return _load(text), []
    except yaml.MarkedYAMLError as error:
        mended, lines = quote_texts(text)
        if not lines:
            raise _problem(error) from None
        first = _problem(error)
    try:
        found = _load(mended)
    except yaml.MarkedYAMLError:
        raise first from None
    shown = ", ".join(map(str, lines[:12])) + (" …" if len(lines) > 12 else "")
    return found, [
        f"The file is not valid YAML (line {first.line}: {first.message}). With the texts of these lines "
        f"quoted it is: {shown}."
    ]


def quote_texts(text: str) -> tuple[str, list[int]]:
    """Quote the plain values of `QUOTED` keys that contain a colon; returns the text and their lines.

    A value that continues on more deeply indented lines is joined; blank lines keep the line numbers.
    """
    source = text.split("\n")
    lines: list[str] = []
    changed: list[int] = []
    at = 0
    while at < len(source):
        match = _TEXT.match(source[at].rstrip("\r"))
        if match is None:
            lines.append(source[at])
            at += 1
            continue
        first, value = at, match["text"].rstrip()
        depth = len(match["head"]) - len(match["head"].lstrip(" \t-"))
        at += 1
        while at < len(source) and source[at].strip() and _depth(source[at]) > depth:
            value += " " + source[at].strip()
            at += 1
        if ": " not in value and not value.endswith(":"):
            lines += source[first:at]
            continue
        lines.append(match["head"] + "'" + value.replace("'", "''") + "'")
        lines += [""] * (at - first - 1)
        changed.append(first + 1)
    return "\n".join(lines), changed


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _problem(error: yaml.MarkedYAMLError) -> ImportProblem:
    mark = error.problem_mark or error.context_mark
    said = (error.problem or error.context or "").strip()
    return ImportProblem(
        _("This is not YAML: %(said)s") if said else _("This is not YAML."),
        mark.line + 1 if mark else None,
        mark.column + 1 if mark else None,
        said=said,
    )


class _Loader(yaml.SafeLoader):
    """Composes nodes; refuses aliases, because they can make a small file huge."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ImportProblem(_("Aliases (*name) are not read."), mark.line + 1, mark.column + 1)
        return super().compose_node(parent, index)


def _load(text: str) -> Any:
    if len(text) > MAX_BYTES:
        raise ImportProblem(
            _("The configuration has more than %(max_bytes)g million characters."),
            max_bytes=MAX_BYTES / 1e6,
        )
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else _plain(loader, node, 0)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ImportProblem(_("A character that YAML does not allow."), line) from None
    except RecursionError:
        raise ImportProblem(_("The configuration is nested too deeply.")) from None


def _plain(loader: _Loader, node: Any, depth: int) -> Any:
    line = node.start_mark.line + 1
    if depth > _MAX_DEPTH:
        raise ImportProblem(_("The configuration is nested too deeply."), line)
    if isinstance(node, yaml.MappingNode):
        found = Map(line)
        for key_node, value_node in node.value:
            at = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ImportProblem(_("A key must be plain text."), at, key_node.start_mark.column + 1)
            key = str(key_node.value)
            if key in found:
                raise ImportProblem(
                    _("The key %(key)r occurs twice."), at, key_node.start_mark.column + 1, key=key[:40]
                )
            found[key] = _plain(loader, value_node, depth + 1)
            found.lines[key] = at
        return found
    if isinstance(node, yaml.SequenceNode):
        items = Seq(line)
        items.extend(_plain(loader, child, depth + 1) for child in node.value)
        return items
    try:
        return loader.construct_object(node)
    except (ValueError, OverflowError):
        return str(node.value)  # an invalid number or date is a text
