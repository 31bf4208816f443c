"""Loads YAML with line numbers, remembers what was read of it, and repairs files that only webMUSHRA accepts.

A reader takes entries from the tree; `find_unread` then lists what nobody took, so that no element of a file
can be overlooked.

Real configurations contain unquoted texts with ``word: ``, which YAML reads as a mapping, and tabs. If a file
cannot be parsed, tabs at the beginnings of lines become spaces, the texts after `QUOTED` keys are quoted, and
it is parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml
from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import ImportProblem

#: Keys whose values are texts for people.
QUOTED = ("content", "name", "popupContent", "label", "testname")
MAX_BYTES = 2_000_000
#: Aliases can make a small file huge: of a file's nodes, as many as this are read, repeated ones included.
_MAX_NODES = 20_000
#: Keys are nodes, too, while they are composed.
_MOST_COMPOSED = 2 * _MAX_NODES
_MAX_DEPTH = 40
_TEXT = re.compile(rf"^(?P<head>[ \t]*(?:- +)*(?:{'|'.join(QUOTED)})[ \t]*:[ \t]+)(?P<text>[^\s'\"|>#].*)$")
_HEAD = re.compile(r"^[ \t]*(?:-[ \t]+)*")
#: What is written for true and false: by webMUSHRA's authors, by YAML 1.1, and by people.
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "0"), False),
}
#: What no unquoted text may begin with; an alias by itself is none.
_SPECIAL = re.compile(r"[@`%&!*\[{](?!.*[\]}]$)(?!\S*$)|[@`%]")


#: A key of the test itself or, in a document of one line, of anything.
_PAGES = re.compile(rb"^[ \t]*['\"]?pages['\"]?\s*:", re.MULTILINE)


def has_pages(content: bytes) -> bool:
    """Whether a file looks like a configuration: a line of it begins with the key ``pages``."""
    return bool(_PAGES.search(content))


class Node:
    """A part of a document that begins in `line`; `title` is how people know it, if the reader says so."""

    title = ""

    def __init__(self, line: int) -> None:
        self.line = line


_Kind = TypeVar("_Kind", bound=Node)


class Scalar(Node):
    """A single value: as YAML understands it, and `text` as it is in the file; empty for null."""

    def __init__(self, line: int, value: Any, text: str) -> None:
        super().__init__(line)
        self.value, self.text = value, "" if value is None else text

    @property
    def flag(self) -> bool | None:
        """Whether it says yes, as true, ``yes`` or 1 does; None if it says neither, or nothing."""
        return _FLAGS.get(self.text.strip().casefold())


class Map(Node):
    """A mapping; `lines` has the line of each key."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.entries: dict[str, Node] = {}
        self.lines: dict[str, int] = {}
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def get(self, key: str) -> Node | None:
        """The value of a key, without taking it."""
        return self.entries.get(key)

    def take(self, key: str) -> Node | None:
        """The value of a key, which counts as read; the values inside it do not."""
        self._taken.add(key)
        return self.entries.get(key)

    def take_text(self, key: str) -> str:
        """The text of a key; a list or mapping is left unread, as if there was no text."""
        found = self.entries.get(key)
        if isinstance(found, Scalar):
            self._taken.add(key)
            return found.text
        return ""

    def take_list(self, key: str) -> Seq | None:
        """The list of a key; anything else but nothing at all is left unread."""
        return self._take(key, Seq)

    def take_map(self, key: str) -> Map | None:
        """The mapping of a key; anything else but nothing at all is left unread."""
        return self._take(key, Map)

    def _take(self, key: str, kind: type[_Kind]) -> _Kind | None:
        found = self.entries.get(key)
        if isinstance(found, kind):
            self._taken.add(key)
            return found
        if isinstance(found, Scalar) and found.value is None:
            self._taken.add(key)
        return None

    def left(self) -> list[str]:
        """The keys that nobody has taken."""
        return [key for key in self.entries if key not in self._taken]


class Seq(Node):
    """A sequence."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.items: list[Node] = []
        self._taken: set[int] = set()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def take(self, place: int) -> Node:
        """The item at a place, which counts as read; the values inside it do not."""
        self._taken.add(place)
        return self.items[place]

    def take_each(self) -> Iterator[Node]:
        """All items; each counts as read."""
        for place in range(len(self.items)):
            yield self.take(place)

    def left(self) -> list[int]:
        """The places that nobody has taken."""
        return [place for place in range(len(self.items)) if place not in self._taken]


@dataclass(frozen=True)
class Unread:
    """An entry that nobody took: its key, or none for an item of a list, and what it is part of."""

    line: int
    title: str
    key: str
    value: Node


def find_unread(node: Node, title: str = "") -> Iterator[Unread]:
    """What nobody has taken of a tree; an entry that was not taken stands for all that is in it."""
    title = node.title or title
    if isinstance(node, Map):
        for key in node.left():
            yield Unread(node.lines[key], title, key, node.entries[key])
        for key, child in node.entries.items():
            if key in node._taken:
                yield from find_unread(child, title)
    elif isinstance(node, Seq):
        for place in node.left():
            yield Unread(node.items[place].line, title, "", node.items[place])
        for place, child in enumerate(node.items):
            if place in node._taken:
                yield from find_unread(child, title)


def discard(node: Node | None) -> None:
    """Take everything that is in a tree, because it is left out as a whole."""
    if isinstance(node, Map):
        for key in node.entries:
            discard(node.take(key))
    elif isinstance(node, Seq):
        for item in node.take_each():
            discard(item)


def describe(node: Node, but: Collection[str] = ()) -> str:
    """Every key in a tree with its line, values not; empty if there is none.

    Args:
        but: keys of the mapping itself that are not described.
    """
    if isinstance(node, Map):
        shown = {key: value for key, value in node.entries.items() if key not in but}
        return ", ".join(_describe_entry(key, node.lines[key], value) for key, value in shown.items())
    if isinstance(node, Seq):
        inside = [text for item in node if (text := describe(item))]
        plain = [item.line for item in node if isinstance(item, Scalar)]
        if plain:
            where = f"line {plain[0]}" if plain[0] == plain[-1] else f"lines {plain[0]}–{plain[-1]}"
            inside.append(f"{len(plain)} entr{'y' if len(plain) == 1 else 'ies'} in {where}")
        return "; ".join(inside)
    return ""


def _describe_entry(key: str, line: int, value: Node) -> str:
    inside = "" if isinstance(value, Scalar) else describe(value)
    return f"{key} ({line}{f': {inside}' if inside else ''})"


def load(text: str) -> tuple[Node | None, list[str]]:
    """Load a document; also returns notes about repairs. None if it is empty.

    Raises:
        ImportProblem: it is not YAML even after the repair, or is nested too deeply.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        return _load(text), []
    except yaml.MarkedYAMLError as error:
        first = _problem(error)
    untabbed, tabs = _replace_tabs(text)
    mended, quoted = quote_texts(untabbed)
    if not tabs and not quoted:
        raise first
    try:
        found = _load(untabbed if tabs and not quoted else mended)
    except yaml.MarkedYAMLError:
        raise first from None
    repairs = [
        f"{what}: {', '.join(map(str, lines[:12]))}{' …' if len(lines) > 12 else ''}"
        for what, lines in (
            ("the tabs of these lines as spaces it is", tabs),
            ("the texts of these lines quoted it is", quoted),
        )
        if lines
    ]
    why = f"The file is not valid YAML (line {first.line}: {first.what})."
    return found, [f"{why} With {'. With '.join(repairs)}."]


def _replace_tabs(text: str) -> tuple[str, list[int]]:
    """Replace tabs at the beginnings of lines, and after hyphens there, by four spaces each.

    Returns the text and the lines. Nothing is replaced if other lines are indented by spaces only: then it is
    not known how wide a tab is.
    """
    source = text.split("\n")
    heads = [match[0] if (match := _HEAD.match(line)) else "" for line in source]
    if any(head.startswith(" ") for head, line in zip(heads, source, strict=True) if line.strip()):
        return text, []
    tabs = [place for place, head in enumerate(heads) if "\t" in head and source[place].strip()]
    for place in tabs:
        head = re.sub(r"-\t+", "-   ", heads[place]).replace("\t", "    ")
        source[place] = head + source[place][len(heads[place]) :]
    return "\n".join(source), [place + 1 for place in tabs]


def quote_texts(text: str) -> tuple[str, list[int]]:
    """Quote the plain values of `QUOTED` keys that contain a colon or begin with a sign that YAML reserves;
    returns the text and their lines.

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
        if ": " not in value and not value.endswith(":") and not _SPECIAL.match(value):
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


def _load(text: str) -> Node | None:
    if len(text) > MAX_BYTES:
        raise ImportProblem(
            _("The configuration has more than %(max_bytes)g million characters."),
            max_bytes=MAX_BYTES / 1e6,
        )
    _refuse_large(text)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return None if node is None else _Tree(loader).convert(node, 0)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ImportProblem(_("A character that YAML does not allow."), line) from None
    except RecursionError:
        raise _too_deep() from None


def _refuse_large(text: str) -> None:
    """Refuse too many or too deeply nested entries, which libyaml counts thirty times as fast as PyYAML.

    Whether a text is YAML at all, and what it says, is for PyYAML alone: the two differ in details.
    """
    if not yaml.__with_libyaml__:
        return
    entries = depth = 0
    try:
        parser = yaml.CSafeLoader(text)
        while (event := parser.get_event()) is not None:
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.NodeEvent):
                entries += 1
                if entries > _MOST_COMPOSED:
                    raise _too_many(_line_of(event.start_mark))
                if depth > _MAX_DEPTH:
                    raise _too_deep(_line_of(event.start_mark))
                depth += isinstance(event, yaml.CollectionStartEvent)
    except yaml.MarkedYAMLError as error:
        if error.problem == "exceeded maximum nesting depth":
            raise _too_deep(_line_of(error.problem_mark)) from None
    except (yaml.YAMLError, UnicodeError):
        return


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which stops at too many entries: it takes seconds for a hundred thousand."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._composed = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._composed += 1
        if self._composed > _MOST_COMPOSED:
            raise _too_many(self.line + 1)
        return super().compose_node(parent, index)


def _too_deep(line: int | None = None) -> ImportProblem:
    return ImportProblem(_("The configuration is nested too deeply."), line)


def _line_of(mark: Any) -> int | None:
    return mark.line + 1 if mark else None


def _too_many(line: int | None) -> ImportProblem:
    return ImportProblem(
        _("The configuration has more than %(most)s entries; aliases (*name) count each time."),
        line,
        most=_MAX_NODES,
    )


class _Tree:
    """Converts PyYAML's nodes; an alias becomes a copy of what it refers to, with its lines."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._count = 0

    def convert(self, node: Any, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._count += 1
        if depth > _MAX_DEPTH:
            raise _too_deep(line)
        if self._count > _MAX_NODES:
            raise _too_many(line)
        if isinstance(node, yaml.MappingNode):
            return self._convert_map(node, line, depth)
        if isinstance(node, yaml.SequenceNode):
            items = Seq(line)
            items.items.extend(self.convert(child, depth + 1) for child in node.value)
            return items
        try:
            value = self._loader.construct_object(node)
        except (ValueError, OverflowError, yaml.constructor.ConstructorError):
            value = str(node.value)  # an invalid number or date, or a value of a type unknown here, is a text
        return Scalar(line, value, str(node.value))

    def _convert_map(self, node: yaml.MappingNode, line: int, depth: int) -> Map:
        found = Map(line)
        merged: list[Node] = []
        for key_node, value_node in node.value:
            at, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ImportProblem(_("A key must be plain text."), at, column)
            key = str(key_node.value)
            value = self.convert(value_node, depth + 1)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += [value] if isinstance(value, Map) else list(value) if isinstance(value, Seq) else []
                if not isinstance(value, Map | Seq) or not all(isinstance(each, Map) for each in merged):
                    raise ImportProblem(_("“<<” must merge mappings."), at, column)
                continue
            if key in found:
                raise ImportProblem(_("The key %(key)r occurs twice."), at, column, key=key[:40])
            found.entries[key], found.lines[key] = value, at
        for each in merged:
            assert isinstance(each, Map)  # noqa: S101 -- checked above
            for key, value in each.entries.items():
                if key not in found:
                    found.entries[key], found.lines[key] = value, each.lines[key]
        return found
