"""Removal of clips, of everything made from them, and of files that no row owns.

No other module deletes stored files. Rows go first, and files only after that is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import FileField, ProtectedError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.models import Clip
from evaluation.refusals import Refusal


class ClipInUse(Refusal):
    """A clip that a study needs."""

    status = 409

    def __init__(self, clip: Clip) -> None:
        super().__init__(_("“%(clip)s” is part of a study and can't be deleted before it."), clip=clip.title)


def remove_clip(clip: Clip) -> None:
    """Delete `clip`, its renditions and scores, and their files.

    Raises:
        ClipInUse: a study uses it; nothing has been deleted.
    """
    names = [clip.upload.name, clip.audio.name]
    for rendition in clip.renditions.all():
        names += [rendition.upload.name, rendition.audio.name, rendition.bitstream.name]
    with transaction.atomic():
        try:
            clip.delete()
        except ProtectedError:
            raise ClipInUse(clip) from None
        delete_files_later(names)


def delete_files(names: Iterable[str | None]) -> None:
    """Delete the stored files `names`, which no row may refer to; empty names are ignored."""
    for name in names:
        if name:
            default_storage.delete(name)


def delete_files_later(names: Iterable[str | None]) -> None:
    """Delete the files of rows that the current transaction deletes, once it is committed.

    A file without a row only wastes disk space; a row without files is an error page.
    """
    transaction.on_commit(partial(delete_files, list(names)))


def find_orphans(older_than: timedelta, only: str = "") -> Iterator[str]:
    """Find stored files without a row, left by processes killed before they wrote it; yields names.

    `older_than` spares files that are being written now. Only folders of file fields are searched, or of them
    `only` one, such as ``voices/``.
    """
    fields = [
        (model, field)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, FileField) and only in ("", field.upload_to)
    ]
    # List files before rows, so that a row written in between is seen.
    stored = [
        name
        for folder in sorted({str(field.upload_to) for _, field in fields})
        for name in list_files(folder)
    ]
    named: set[str] = set()
    for model, field in fields:
        named.update(model._default_manager.values_list(field.name, flat=True))
    limit = timezone.now() - older_than
    for name in stored:
        if name not in named and default_storage.get_modified_time(name) < limit:
            yield name


def list_files(folder: str) -> Iterator[str]:
    """Names of all stored files in `folder` and the folders inside it."""
    folder = folder.strip("/")
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        yield f"{folder}/{name}"
    for inside in folders:
        yield from list_files(f"{folder}/{inside}")
