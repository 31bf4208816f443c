"""Stored audio: its samples, and a local copy for readers that need a file."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile

from codec.base import WORKING_RATE

if TYPE_CHECKING:
    from codec.base import Audio


def load_audio(file: FieldFile) -> Audio:
    """The samples of a stored mono WAV at `WORKING_RATE`, float32 of shape (samples,)."""
    import soundfile

    with file.open("rb") as content:
        audio, rate = soundfile.read(content, dtype="float32")
    if rate != WORKING_RATE:
        raise ValueError(f"{file.name} has {rate} Hz, not {WORKING_RATE} Hz.")
    samples: Audio = audio
    return samples


def save_audio(name: str, audio: Audio) -> str:
    """Store `audio` (samples,) as a 16-bit WAV at `WORKING_RATE`; returns its storage name."""
    from codec.audio import write_wav

    content = io.BytesIO()
    write_wav(content, audio, WORKING_RATE)
    return default_storage.save(name, ContentFile(content.getvalue()))


@contextmanager
def local_copy(name: str) -> Iterator[Path]:
    """Provide the stored file `name` as a local file while the block runs."""
    with tempfile.TemporaryDirectory(prefix="earshot-stored-") as folder:
        path = Path(folder) / "file"
        with default_storage.open(name) as source, path.open("wb") as target:
            for chunk in source.chunks():
                target.write(chunk)
        yield path
