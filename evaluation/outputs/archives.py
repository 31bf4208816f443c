"""Opens zips that people send without trusting the sizes and names that they declare.

A zip bomb declares less than it unpacks to, so bytes are counted while unpacking. Paths that lead out of the
zip, links, encrypted members and nested zips are refused or skipped, and named in the message.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from codec.base import Note
from evaluation.refusals import Refusal

_CHUNK = 1 << 16
#: Operating systems add these to every zip; they are skipped silently.
_CLUTTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
_NESTED = (".zip", ".7z", ".rar", ".gz", ".tar", ".bz2", ".xz", ".tgz")


#: Entries of a zip that is only looked into.
MAX_ENTRIES = 20_000
#: The end of a zip: signature; numbers of disks and of entries; size and place of the directory; and the
#: size of a comment.
_END = struct.Struct("<4s4H2LH")


class ArchiveProblem(Refusal):
    """A zip that cannot be accepted."""

    status = 422
    field = "file"


@dataclass
class _Budget:
    """How many bytes may still be unpacked from an archive."""

    left: int
    limit: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ArchiveProblem(
                _("The unpacked zip has more than the limit of %(limit)g MB."),
                limit=self.limit / 1e6,
            )


@dataclass(frozen=True)
class Member:
    """A file in a zip: its path, with forward slashes, and its content."""

    name: str
    size: int
    _archive: zipfile.ZipFile = field(repr=False)
    _info: zipfile.ZipInfo = field(repr=False)
    _budget: _Budget = field(repr=False)

    def write_to(self, target: IO[bytes]) -> None:
        """Unpack into `target`. Raises `ArchiveProblem` at the archive's size limit."""
        try:
            with self._archive.open(self._info) as source:
                while chunk := source.read(_CHUNK):
                    self._budget.take(len(chunk))
                    target.write(chunk)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise ArchiveProblem(
                _("%(name)s cannot be unpacked: %(error)s."), name=self.name, error=error
            ) from None

    def read(self) -> bytes:
        content = io.BytesIO()
        self.write_to(content)
        return content.getvalue()


def open_zip(file: IO[bytes], max_entries: int = MAX_ENTRIES) -> zipfile.ZipFile:
    """Open a zip whose directory is not so large that reading it would take seconds.

    Args:
        file: the zip, seekable.
        max_entries: limit on the number of its entries.

    Raises:
        ArchiveProblem: it has more entries, or not so many of much longer names.
        zipfile.BadZipFile, OSError, ValueError, NotImplementedError: it cannot be opened.
    """
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(max(0, size - _END.size - 65535))  # a comment may follow
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if 0 <= at <= len(tail) - _END.size:
        # The number of entries may be a lie: `zipfile` reads the whole directory.
        *_rest, count, directory, _offset, _comment = _END.unpack_from(tail, at)
        if count > max_entries or directory > max_entries * 300:
            count = max(count, directory // 300)
            raise ArchiveProblem(
                _("The zip has about %(count)s entries; %(max_files)s files at most."),
                count=count,
                max_files=max_entries,
            )
    file.seek(0)
    return zipfile.ZipFile(file)


@contextmanager
def members(
    file: IO[bytes], *, max_files: int, max_bytes: int, notes: list[str] | None = None
) -> Iterator[list[Member]]:
    """Open a zip while the block runs and give its files in their order.

    Args:
        file: the zip, seekable.
        max_files: limit on the number of files.
        max_bytes: limit on the unpacked size of all members together.
        notes: gets a `Note` about everything that is skipped.

    Raises:
        ArchiveProblem: not a zip, damaged, too large, or a path that leads out of it.
    """
    said = [] if notes is None else notes
    try:
        archive = open_zip(file, max(MAX_ENTRIES, 2 * max_files))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ArchiveProblem(_("This zip cannot be opened: %(error)s."), error=error) from None
    with archive:
        infos = archive.infolist()
        if len(infos) > max_files * 2:
            raise ArchiveProblem(
                _("The zip has %(count)s entries; %(max_files)s files at most."),
                count=len(infos),
                max_files=max_files,
            )
        budget = _Budget(max_bytes, max_bytes)
        found: dict[str, Member] = {}
        for info in infos:
            name = info.filename.replace("\\", "/")
            if (
                info.is_dir()
                or any(part in name for part in _CLUTTER)
                or PurePosixPath(name).name.startswith("._")
            ):
                continue
            _check_name(name)
            if stat.S_ISLNK(info.external_attr >> 16):
                said.append(Note(gettext_noop("%(name)s is a link and was skipped."), name=name))
                continue
            if info.flag_bits & 0x1:
                raise ArchiveProblem(_("%(name)s is encrypted. Send a zip without a password."), name=name)
            if name.lower().endswith(_NESTED):
                text = gettext_noop("%(name)s is an archive inside the zip and was not opened.")
                said.append(Note(text, name=name))
                continue
            if name in found:
                raise ArchiveProblem(_("%(name)s occurs twice in the zip."), name=name)
            found[name] = Member(name, info.file_size, archive, info, budget)
        if len(found) > max_files:
            raise ArchiveProblem(
                _("The zip has %(count)s files; %(max_files)s at most."),
                count=len(found),
                max_files=max_files,
            )
        declared = sum(member.size for member in found.values())
        if declared > max_bytes:
            raise ArchiveProblem(
                _("Unpacked, the zip has %(declared).0f MB; the limit is %(max_bytes)g MB."),
                declared=declared / 1e6,
                max_bytes=max_bytes / 1e6,
            )
        yield list(found.values())


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":"):
        raise ArchiveProblem(_("The path %(name)r leads out of the zip; nothing was unpacked."), name=name)
    if not name.isprintable() or len(name) > 400:
        raise ArchiveProblem(_("%(name)r is not a file name."), name=name[:60])
