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

if TYPE_CHECKING:
    from codec.base import Audio

#: Samples that are in memory at a time.
_BLOCK = 1 << 16


def load_audio(file: FieldFile) -> tuple[Audio, int]:
    """A stored WAV: float32 of shape (samples,) or (samples, channels), and its rate in Hz."""
    import soundfile

    with file.open("rb") as content:
        audio, rate = soundfile.read(content, dtype="float32")
    return audio, int(rate)


def outline(file: FieldFile, columns: int) -> tuple[list[float], list[float]]:
    """The lowest and highest samples of a stored WAV, over all channels, in `columns` equal parts of it.

    Read block by block: a page shows ten minutes of stereo without anybody holding them.
    """
    import numpy as np
    import soundfile

    lows, highs = np.full(columns, np.inf), np.full(columns, -np.inf)
    with file.open("rb") as content, soundfile.SoundFile(content) as sound:
        at = 0
        for block in sound.blocks(_BLOCK, dtype="float32", always_2d=True):
            places = (np.arange(at, at + len(block)) * columns) // sound.frames
            np.minimum.at(lows, places, block.min(axis=1))
            np.maximum.at(highs, places, block.max(axis=1))
            at += len(block)
    # Of a clip of fewer samples than columns, one sample fills several.
    for place in range(1, columns):
        if not np.isfinite(lows[place]):
            lows[place], highs[place] = lows[place - 1], highs[place - 1]
    return lows.round(4).tolist(), highs.round(4).tolist()


def save_audio(name: str, audio: Audio, rate: int) -> str:
    """Store `audio`, (samples,) or (samples, channels), as a 16-bit WAV; returns its storage name."""
    from codec.audio import write_wav

    content = io.BytesIO()
    write_wav(content, audio, rate)
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
