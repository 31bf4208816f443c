"""Zips that people send: never trusted with names, sizes or links."""

from __future__ import annotations

import io

from evaluation.outputs.archives import members


def read_archive(content: bytes, *, max_files: int, max_bytes: int) -> dict[str, bytes]:
    """The files of a small zip by their names, unpacked in memory.

    Raises:
        ArchiveProblem: damaged, too many files, too large, or names that lead elsewhere.
    """
    found: dict[str, bytes] = {}
    with members(io.BytesIO(content), max_files=max_files, max_bytes=max_bytes) as archive:
        for member in archive:
            found[member.name] = member.read()
    return found
