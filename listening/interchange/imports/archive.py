"""Reads small zips that people send, without trusting their names, sizes or links."""

from __future__ import annotations

import io

from evaluation.outputs.archives import members


def read_archive(content: bytes, *, max_files: int, max_bytes: int) -> dict[str, bytes]:
    """Unpack a small zip in memory; returns its files by name.

    Raises:
        ArchiveProblem: the zip is damaged or too large, has too many files, or paths lead out of it.
    """
    found: dict[str, bytes] = {}
    with members(io.BytesIO(content), max_files=max_files, max_bytes=max_bytes) as archive:
        for member in archive:
            found[member.name] = member.read()
    return found
