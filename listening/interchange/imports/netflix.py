"""The XML of Netflix's listening-test-app (used for ODAQ), one file per listener.

``<MUSHRA><info subjectName testName .../><trials><trial trialName trialSeconds><testFile fileName plays
score/>...``. Documents with a DTD or entities are refused before anything in them is expanded.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Any
from xml.parsers import expat

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Text
from listening.interchange.imports.reading import Blank, Grade, ImportProblem, Reading, list_names
from listening.interchange.imports.table import parse_number

_MAX_DEPTH = 20
#: The elements and attributes that are used.
_KNOWN: dict[str, tuple[str, ...]] = {
    "MUSHRA": (),
    "info": ("subjectName",),
    "trials": (),
    "trial": ("trialName", "trialSeconds"),
    "testFile": ("fileName", "score"),
}


def is_netflix(content: bytes) -> bool:
    return content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_netflix(content: bytes, number: int = 1) -> Reading:
    """Read one listener's file; `number` names the listener if the file does not.

    The reading is not checked yet: it may be a part of a test.

    Raises:
        ImportProblem: it is not XML, has a DTD, is another application's, or a score is not a number.
    """
    found = _Document()
    found.parse(content)
    who = found.subject.strip() or f"Listener {number}"
    reading = Reading("netflix", "the XML of Netflix's listening-test-app", "Its root element is MUSHRA.")
    if not found.subject.strip():
        reading.notes.append(f"subjectName is empty: the listener is called {who}.")
    for grade in found.grades:
        item, name, score, line, seconds = grade
        if score is None:
            reading.blanks.append(Blank(who, item, _system(name, item), line=line))
            continue
        reading.grades.append(
            Grade(
                who,
                item,
                _system(name, item),
                score,
                line=line,
                milliseconds=None if seconds is None else 1000 * seconds,
            )
        )
    if found.ignored:
        reading.notes.append(f"Not needed, and left out: {list_names(sorted(found.ignored), 20)}.")
    return reading


def _system(name: str, item: str) -> str:
    """The system: a file's name without folders, extension and the item's name before it."""
    stem = PurePosixPath(name.replace("\\", "/")).name
    stem = re.sub(r"\.(wav|flac|aiff?)$", "", stem, flags=re.IGNORECASE)
    for mark in ("_", "-", " "):
        stem = stem.removeprefix(f"{item}{mark}")
    return stem or name


class _Document:
    """Handles expat's events and stores only the needed parts."""

    def __init__(self) -> None:
        self.subject = ""
        self.grades: list[tuple[str, str, float | None, int, float | None]] = []
        #: Elements and attributes that no grade needs.
        self.ignored: set[str] = set()
        self._path: list[str] = []
        self._trial = ""
        self._seconds: float | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.ExternalEntityRefHandler = self._refuse

    def parse(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise ImportProblem(
                _("This is not XML: %(code)s."),
                error.lineno,
                error.offset + 1,
                code=expat.ErrorString(error.code),
            ) from None
        except (ValueError, LookupError) as error:
            raise ImportProblem(_("The XML's encoding cannot be read: %(error)s."), 1, error=error) from None

    def _problem(self, message: Text, **values: object) -> ImportProblem:
        return ImportProblem(
            Message(message, **values), self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        )

    def _refuse(self, *_declaration: Any) -> int:
        raise self._problem(
            _("XML with a DTD or entities is not read: it can be made to exhaust a computer.")
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "MUSHRA":
            raise self._problem(
                _("The root element is %(name)s. The listening-test-app's MUSHRA documents can be imported."),
                name=name[:40],
            )
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise self._problem(_("The XML is nested too deeply."))
        known = _KNOWN.get(name)
        self.ignored |= (
            {name} if known is None else {f"{name} {key}" for key in attributes if key not in known}
        )
        if name == "info":
            self.subject = attributes.get("subjectName", "")
        elif name == "trial":
            self._trial = attributes.get("trialName", "").strip()
            if not self._trial:
                raise self._problem(_("This trial has no trialName."))
            self._seconds = self._optional(attributes.get("trialSeconds"))
        elif name == "testFile":
            self._file(attributes)

    def _file(self, attributes: dict[str, str]) -> None:
        if not self._trial:
            raise self._problem(_("This testFile is in no trial."))
        file, score = attributes.get("fileName", "").strip(), attributes.get("score", "").strip()
        if not file:
            raise self._problem(_("This testFile has no fileName."))
        try:
            value = parse_number(score)
        except ValueError:
            raise self._problem(_("The score %(score)r is not a number."), score=score[:40]) from None
        self.grades.append((self._trial, file, value, self._parser.CurrentLineNumber, self._seconds))

    @staticmethod
    def _optional(text: str | None) -> float | None:
        try:
            value = float(text or "")
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == "trial":
            self._trial, self._seconds = "", None
