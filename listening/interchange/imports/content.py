"""What a configuration holds, as far as it can be imported, and the report on everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from listening.columns.questions import Question
from listening.interchange.imports.reading import ImportProblem


@dataclass(frozen=True)
class Note:
    """An entry of the import's report; `line` is its line in the file, 0 for the whole file."""

    kind: str  # taken, changed or left_out
    line: int
    text: str


class Place(NamedTuple):
    """Where a page stands in one of the lists around it; `shuffled` is whether webMUSHRA shuffles that
    list, which moves each of its entries, a list among them, as a whole."""

    at: int
    shuffled: bool


@dataclass(frozen=True)
class Page:
    """A page with recordings.

    Attributes:
        kind: webMUSHRA's type.
        method: slug of the method that fits the type.
        id: the item's name here.
        stimuli: paths by key.
        lines: lines of the keys.
        anchors: those that the page asks for, "35" and "70".
        heading: what stands above it.
        content: its text, in `content_line`.
        places: its places in the lists around it, from the list of all pages to its own.
        practice: the word that suggests that listeners practise on it; else empty.
        unforced: the answer “neither” of a comparison, in `unforced_line`.
        scale: of answers: the slug of the method whose words they are; else empty.
        elements: every key of the page, for a report that leaves it out.
        notes: what becomes of its settings if it is imported.
    """

    kind: str
    method: str
    id: str
    line: int
    reference: str
    stimuli: Mapping[str, str]
    lines: Mapping[str, int]
    anchors: frozenset[str] = frozenset()
    heading: str = ""
    content: str = ""
    content_line: int = 0
    places: tuple[Place, ...] = ()
    practice: str = ""
    unforced: str = ""
    unforced_line: int = 0
    scale: str = ""
    elements: str = ""
    notes: tuple[Note, ...] = ()
    reference_line: int = 0

    @property
    def recordings(self) -> dict[str, int]:
        """The paths of the reference and the stimuli, each with the line that names it."""
        found = {self.reference: self.reference_line or self.line}
        for key, path in self.stimuli.items():
            found.setdefault(path, self.lines.get(key, self.line))
        return found


@dataclass(frozen=True)
class TextPage:
    """A text between the pages.

    Attributes:
        about: lines of the pages that it is about.
        elements: every key of its page, for a report that leaves it out.
    """

    line: int
    title: str
    text: str
    about: frozenset[int]
    elements: str


@dataclass(frozen=True)
class AskedQuestion:
    """A question to listeners; when it is asked is not decided yet.

    Attributes:
        page: line of the page with recordings that it stands on; 0 if it stands on another page.
        elements: every key of it, for a report that leaves it out.
    """

    line: int
    question: Question
    page: int
    elements: str

    @property
    def title(self) -> str:
        return title_of_question(self.question.label)


@dataclass(frozen=True)
class Group:
    """Pages that become one study: they have the same method and systems.

    Attributes:
        labels: names of the systems by page's line and key.
    """

    method: str
    systems: tuple[str, ...]
    pages: tuple[Page, ...]
    labels: Mapping[tuple[int, str], str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.method}:{'|'.join(self.systems)}"

    def stimuli(self, page: Page) -> dict[str, str]:
        """The paths of a page by system."""
        return {self.labels.get((page.line, key), key): path for key, path in page.stimuli.items()}


@dataclass
class Configuration:
    """The content of a configuration.

    Attributes:
        pages: those that can be imported.
        others: lines of pages with recordings that cannot be.
        language: code of one that listeners' pages have.
        digest: identifies the file.
    """

    name: str
    test_id: str
    language: str = "en"
    texts: dict[str, str] = field(default_factory=dict)
    text_pages: list[TextPage] = field(default_factory=list)
    questions: list[AskedQuestion] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    digest: str = ""

    def note(self, kind: str, line: int, text: str) -> None:
        self.notes.append(Note(kind, line, text))

    @property
    def groups(self) -> list[Group]:
        """The groups if every page has its usual method and every key is the name of a system."""
        return group_pages([(page, page.method, {}) for page in self.pages])

    def paths(self, group: Group) -> dict[str, int]:
        """The recordings of a group, each with the first line that names it."""
        found: dict[str, int] = {}
        for page in group.pages:
            for path, line in page.recordings.items():
                found.setdefault(path, line)
        return found


def title_of_question(label: str) -> str:
    """How the report calls a question."""
    return f"The question “{label if len(label) <= 80 else f'{label[:79]}…'}”"


class NothingToImport(ImportProblem):
    """No page can be imported; `notes` say why of each."""

    notes: Sequence[Note] = ()


def group_pages(pages: Sequence[tuple[Page, str, Mapping[str, str]]]) -> list[Group]:
    """Group pages, given with their methods and names of systems by key; the largest group comes first."""
    found: dict[tuple[str, tuple[str, ...]], list[tuple[Page, Mapping[str, str]]]] = {}
    for page, method, names in pages:
        systems = tuple(sorted(names.get(key, key) for key in page.stimuli))
        found.setdefault((method, systems), []).append((page, names))
    groups = [
        Group(
            method,
            systems,
            tuple(page for page, _names in rows),
            {(page.line, key): name for page, names in rows for key, name in names.items()},
        )
        for (method, systems), rows in found.items()
    ]
    return sorted(groups, key=lambda group: -len(group.pages))
