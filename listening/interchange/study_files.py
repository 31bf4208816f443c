"""The files that a study is exported as, by name: its tables, and ``study.json``; the archive holds all."""

from __future__ import annotations

from collections.abc import Iterator

from listening.interchange import exports
from listening.interchange.archive import write
from listening.models import Study


def parts_of(study: Study, name: str, kind: str = "real", *, personal: bool = False) -> Iterator[bytes]:
    """The bytes of a file, part by part; what is refused is refused at once.

    Args:
        name: of the file, as people ask for it.
        kind: of sessions, as `listening.kinds.kinds_of` names them; ``study.json`` has all kinds.
        personal: include data that may identify listeners.

    Raises:
        KeyError: there is no such file for this method.
        ValueError: there is no such kind.
    """
    if name == write.DOCUMENT:
        return write.document_parts(study, personal=personal)
    return exports.table_parts(study, name, kind, personal=personal)


def is_long(study: Study, name: str, kind: str = "real") -> bool:
    """Whether a file is too long to be made within a request. Raises as `parts_of` does."""
    if name == write.DOCUMENT:
        return write.is_long(study)
    return exports.is_long(study, name, kind)


def saved_name(study: Study, name: str, kind: str = "real") -> str:
    """The name under which people save a file."""
    stem, suffix = name.rsplit(".", 1)
    tag = "" if kind == "real" or name == write.DOCUMENT else f"-{kind}"
    return f"{stem}{tag}-{study.pk}.{suffix}"
