"""What an import will make, and how its plan is put together: notes, problems, and questions with answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import ngettext_lazy

from evaluation.refusals import Message, Text
from listening.columns.drafts import FoundRecording
from listening.columns.questions import Question
from listening.interchange.imports.content import Configuration, Group, Note, Page
from listening.interchange.imports.doubts import Doubt, Option
from listening.interchange.imports.reading import ImportProblem, settle
from listening.interchange.imports.recordings import Files
from listening.methods import METHODS, AnyMethod, MethodOptions

#: The longest name of a system; its title has the name of the test behind it.
MAX_LABEL = 60


@dataclass(frozen=True)
class PlannedItem:
    """An item of the study: its page, whether it is training, and paths by system."""

    page: Page
    training: bool
    stimuli: Mapping[str, str]


@dataclass
class Plan:
    """What an import makes.

    Attributes:
        groups: what can be imported; `group` is the one that is.
        items: in the order of the file.
        systems: their names.
        missing: how many recordings of each group are missing, by the group's key.
        options: of the method, as far as they are not its usual ones.
        rate: of the study, Hz.
        channels: of the study.
        doubts: in the order of the file.
        notes: the report.
        problems: empty if nothing stands in the way.
    """

    configuration: Configuration
    groups: list[Group]
    group: Group | None
    items: list[PlannedItem] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    options: MethodOptions | None = None
    rate: int = 16_000
    channels: int = 1
    texts: dict[str, str] = field(default_factory=dict)
    questionnaire: list[Question] = field(default_factory=list)
    missing: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)

    @property
    def method(self) -> AnyMethod:
        assert self.group is not None  # noqa: S101 -- without a group there is a problem, and nothing is made
        return METHODS[self.group.method]

    @property
    def paths(self) -> dict[str, int]:
        """The recordings that are used, each with the first line that names it."""
        found: dict[str, int] = {}
        for item in self.items:
            lines = item.page.recordings
            for path in (item.page.reference, *item.stimuli.values()):
                found.setdefault(path, lines[path])
        return found

    def check(self) -> None:
        """Raise an `ImportProblem` that names the first problem and the number of others."""
        if not self.problems:
            return
        first, more = self.problems[0], len(self.problems) - 1
        if not more:
            raise first
        raise ImportProblem(
            ngettext_lazy(
                "%(first)s There is %(more)s more problem.",
                "%(first)s There are %(more)s more problems.",
                more,
            ),
            first.line,
            first=first.what,
            more=more,
        )


class Planning:
    """A plan that is being made. The steps are in the modules that inherit from this one.

    Attributes:
        recordings: what is known of the recordings, by path.
        page_notes: notes by page's line, for the report on pages that become items.
    """

    def __init__(
        self,
        configuration: Configuration,
        files: Files,
        recordings: Sequence[FoundRecording],
        answers: dict[str, str],
        strict: bool,
    ) -> None:
        self.configuration, self.files, self.answers, self.strict = configuration, files, answers, strict
        self.recordings = {found.path: found for found in recordings}
        self.plan = Plan(configuration, [], None)
        self.page_notes: dict[int, list[Note]] = {page.line: list(page.notes) for page in configuration.pages}
        self.plan.notes.extend(configuration.notes)

    def _note(self, kind: str, line: int, text: str) -> None:
        self.plan.notes.append(Note(kind, line, text))

    def _note_of(self, page: Page, kind: str, text: str) -> None:
        """Note something that only matters if an item is made of the page."""
        self.page_notes[page.line].append(Note(kind, page.line, f"{page.id}: {text}"))

    def _problem(self, text: Text, line: int, **values: object) -> None:
        self.plan.problems.append(ImportProblem(Message(text, **values), line or None))

    def _ask(
        self, key: str, line: int, text: str, options: Sequence[Option], default: str, **more: str
    ) -> str:
        """Record a doubt and return the value of the option that applies."""
        doubt = settle(self.answers, self.strict, key, line, text, options, default, **more)
        self.plan.doubts.append(doubt)
        return doubt.answer

    def _sound(self, path: str) -> str:
        """Identifies what a recording sounds like; its path, if the recording is not there."""
        found = self.recordings.get(path)
        return found.sound if found is not None and found.sound else path

    def _is_reference(self, page: Page, path: str) -> bool:
        return self._sound(path) == self._sound(page.reference)
