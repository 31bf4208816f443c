"""Finds the clip and system of a file by a mapping table or by its name; never guesses.

In order: a row of the table; ``<clip>__<system>.wav``; ``<system>/<clip>.wav``; ``<clip>.wav``, which
belongs to the system that the files are sent to. Clips are matched by title and by file name.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.utils.translation import gettext_lazy as _

from codec.base import Note, gettext_noop
from evaluation.models import Clip, UploadedSystem
from evaluation.refusals import Refusal

_TABLE_COLUMNS = {
    "clip": ("clip", "item", "reference"),
    "file": ("file", "filename", "path", "output"),
    "system": ("system", "codec", "condition"),
}
_MAX_ROWS = 5000

# How a file was matched.
_BY_NAME = gettext_noop("by its name")
_BY_NAME_AND_SYSTEM = gettext_noop("by its name, clip__system")
_BY_NAME_NOT_FOLDER = gettext_noop("by its name; the folder %(folder)s is not one of your systems")
_BY_SYSTEMS_FOLDER = gettext_noop("by its folder, system/clip")
_BY_CLIPS_FOLDER = gettext_noop("by its folder, clip/system")
_BY_TABLE = gettext_noop("by the mapping table")

# Why it was not.
_TAKEN = gettext_noop("%(first)s is matched to %(clip)s and %(system)s already.")
_NO_SYSTEM_OF_NAME = gettext_noop("You have no system %(system)r, which the name ends in.")
_NO_SYSTEM_OF_TABLE = gettext_noop("You have no system %(system)r, which the mapping table names.")
_NOT_IN_TABLE = gettext_noop("The mapping table does not name this file.")
_NO_CLIP = gettext_noop("You have no clip %(clip)r.")
_SEVERAL_CLIPS = gettext_noop("%(count)s of your clips are called %(clip)r.")


class MappingProblem(Refusal):
    """A mapping table that cannot be used; the message names the line."""

    field = "mapping"


@dataclass(frozen=True)
class Match:
    """The clip and system of a file; `problem` says why there are none."""

    name: str
    clip: Clip | None = None
    system: UploadedSystem | None = None
    reason: str = ""
    problem: str = ""


def read_mapping(content: bytes) -> dict[str, tuple[str, str]]:
    """Read a table ``clip,file[,system]``; returns clip and system by file.

    Raises:
        MappingProblem: a column is missing, a cell is empty, or a file occurs twice.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MappingProblem(_("The mapping table is not UTF-8 text.")) from None
    first = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    headings: dict[str, int] = {}
    found: dict[str, tuple[str, str]] = {}
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not headings:
                headings = _columns([cell.strip().lower() for cell in cells])
                continue
            if len(found) >= _MAX_ROWS:
                raise MappingProblem(
                    _("The mapping table has more than %(max_rows)s rows."), max_rows=_MAX_ROWS
                )
            values = {part: cells[at].strip() if at < len(cells) else "" for part, at in headings.items()}
            if not values["clip"] or not values["file"]:
                raise MappingProblem(
                    _("Line %(line_num)s of the mapping table names no clip or no file."),
                    line_num=reader.line_num,
                )
            key = _key(values["file"].replace("\\", "/"))
            if key in found:
                raise MappingProblem(
                    _("Line %(line_num)s of the mapping table: %(values)s occurs twice."),
                    line_num=reader.line_num,
                    values=values["file"],
                )
            found[key] = (values["clip"], values.get("system", ""))
    except csv.Error as error:
        raise MappingProblem(
            _("Line %(line_num)s of the mapping table: %(error)s."), line_num=reader.line_num, error=error
        ) from None
    if not headings:
        raise MappingProblem(_("The mapping table is empty."))
    return found


def _columns(names: Sequence[str]) -> dict[str, int]:
    found = {}
    for part, known in _TABLE_COLUMNS.items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            found[part] = place
        elif part != "system":
            raise MappingProblem(
                _("The mapping table needs the columns clip and file; it has %(names)s."),
                names=", ".join(names),
            )
    return found


def match(
    names: Iterable[str],
    clips: Iterable[Clip],
    systems: Iterable[UploadedSystem],
    default: UploadedSystem,
    mapping: Mapping[str, tuple[str, str]] | None = None,
) -> list[Match]:
    """Match each file, in order, to a clip and a system."""
    finder = _Finder(clips, systems, default, mapping or {})
    found: list[Match] = []
    taken: dict[tuple[object, object], str] = {}
    for name in names:
        one = finder.find(name)
        if one.clip is not None and one.system is not None and not one.problem:
            first = taken.setdefault((one.clip.pk, one.system.pk), name)
            if first != name:
                problem = Note(_TAKEN, first=first, clip=one.clip.title, system=one.system.title)
                one = Match(name, one.clip, one.system, one.reason, problem)
        found.append(one)
    return found


class _Finder:
    def __init__(
        self,
        clips: Iterable[Clip],
        systems: Iterable[UploadedSystem],
        default: UploadedSystem,
        mapping: Mapping[str, tuple[str, str]],
    ) -> None:
        self._clips: dict[str, dict[object, Clip]] = {}
        for clip in clips:
            for name in (
                clip.title,
                clip.original_name,
                PurePosixPath(clip.original_name).stem,
                str(clip.pk),
            ):
                self._clips.setdefault(_key(name), {})[clip.pk] = clip
        self._systems = {_key(name): one for one in systems for name in (one.slug, one.title)}
        self._default, self._mapping = default, mapping

    def find(self, name: str) -> Match:
        path = PurePosixPath(name)
        if self._mapping:
            return self._match_by_table(name, path)
        stem, folder = path.stem, path.parent.name
        before, mark, after = stem.rpartition("__")
        if mark and not self._clips.get(_key(stem)):
            system = self._systems.get(_key(after))
            if system is None:
                return Match(name, problem=Note(_NO_SYSTEM_OF_NAME, system=after))
            return self._match_names(name, before, system, Note(_BY_NAME_AND_SYSTEM))
        if folder and (system := self._systems.get(_key(folder))):
            return self._match_names(name, stem, system, Note(_BY_SYSTEMS_FOLDER))
        if folder and (system := self._systems.get(_key(stem))) and self._clips.get(_key(folder)):
            return self._match_names(name, folder, system, Note(_BY_CLIPS_FOLDER))
        if folder:
            return self._match_names(name, stem, self._default, Note(_BY_NAME_NOT_FOLDER, folder=folder))
        return self._match_names(name, stem, self._default, Note(_BY_NAME))

    def _match_by_table(self, name: str, path: PurePosixPath) -> Match:
        row = self._mapping.get(_key(name)) or self._mapping.get(_key(path.name))
        if row is None:
            return Match(name, problem=Note(_NOT_IN_TABLE))
        clip, slug = row
        system = self._systems.get(_key(slug)) if slug else self._default
        if system is None:
            return Match(name, problem=Note(_NO_SYSTEM_OF_TABLE, system=slug))
        return self._match_names(name, clip, system, Note(_BY_TABLE))

    def _match_names(self, name: str, clip: str, system: UploadedSystem, reason: str) -> Match:
        found = self._clips.get(_key(clip)) or self._clips.get(_key(PurePosixPath(clip).stem)) or {}
        if not found:
            return Match(name, None, system, reason, Note(_NO_CLIP, clip=clip))
        if len(found) > 1:
            return Match(name, None, system, reason, Note(_SEVERAL_CLIPS, count=len(found), clip=clip))
        return Match(name, next(iter(found.values())), system, reason)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()
