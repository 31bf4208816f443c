"""Taking a clip away again, with everything that was made from it."""

from __future__ import annotations

from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction

from evaluation.models import Clip


def remove_clip(clip: Clip) -> None:
    """Delete `clip`, its renditions and scores, and their files.

    Raises:
        django.db.models.ProtectedError: a study uses it; nothing has been deleted.
    """
    names = [clip.upload.name, clip.audio.name]
    for rendition in clip.renditions.all():
        names += [rendition.audio.name, rendition.bitstream.name]
    with transaction.atomic():
        clip.delete()
        # Rows first: files without a row are lost disk space, a row without files is an error page.
        transaction.on_commit(partial(_delete_files, [name for name in names if name]))


def _delete_files(names: list[str]) -> None:
    for name in names:
        default_storage.delete(name)
