"""Rendition -> stimulus: what a listener hears, and nothing that tells which is which.

All stimuli of an item share length, loudness, edges and headroom. They are kept as float masters; a
session gets each as a 16-bit WAV with dither of its own, so that two files of equal sound, such as the
open and the hidden reference, never have equal bytes.
"""

from __future__ import annotations

import io
import struct
import uuid
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from django.core.files.base import ContentFile
from django.db import transaction

from codec.base import Audio, fit_length

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile

    from listening.models import Item

#: Raised-cosine fade at both ends of an excerpt, seconds: a cut inside speech must not click.
EDGE_SECONDS = 0.010
#: No stimulus of an item peaks above this (-1 dBFS): room for dither and for a player's resampling.
PEAK = 10 ** (-1 / 20)
#: A larger difference in loudness than this, dB, is a fault to be heard and graded, not a level to correct.
MAX_GAIN_DB = 20.0
#: BS.1770's gating block, seconds. A shorter excerpt is measured as one block of its own length.
LOUDNESS_BLOCK = 0.4


class StimulusError(Exception):
    """A stimulus that cannot be rendered; the message is for the researcher."""


def render_stimulus(
    clip_audio: Audio, rendition_audio: Audio, start: float, end: float, rate: int
) -> tuple[Audio, float]:
    """Cut an excerpt out of a rendition and match its loudness to the same excerpt of the clip.

    The cut comes after coding (BS.1534-3 section 5), so a codec's buffers and bit reservoir have settled.

    Args:
        clip_audio: the reference, float32 (samples,).
        rendition_audio: the system's output, aligned with it; padded or cut to its length.
        start: of the excerpt, seconds.
        end: of the excerpt, seconds.
        rate: of both, Hz.

    Returns:
        The excerpt, float32 of shape (round(end * rate) - round(start * rate),), not yet limited to
        [-1, 1], and the gain in dB that it got. Silence, in either, gets 0 dB.

    Raises:
        StimulusError: the excerpt is empty or lies outside the clip.
    """
    first, last = round(start * rate), min(round(end * rate), clip_audio.size)
    if not 0 <= first < last:
        seconds = clip_audio.size / rate
        raise StimulusError(f"The excerpt {start:.2f}-{end:.2f} s is not inside a clip of {seconds:.2f} s.")
    reference = clip_audio[first:last]
    degraded = fit_length(rendition_audio, clip_audio.size)[first:last]
    gain_db = _matching_gain(reference, degraded, rate)
    matched = degraded.astype(np.float64) * 10 ** (gain_db / 20)
    return (matched * _edges(matched.size, rate)).astype(np.float32), gain_db


def render_item(item: Item) -> None:
    """Render every stimulus of `item` from its rendition and store it with the gain it got.

    A stimulus without a rendition is the clip itself. If one of them would peak above `PEAK`, all are
    turned down alike: relative levels stay matched. Rendering again replaces what was there.

    Raises:
        StimulusError: a rendition is not ready, or its rate is not the clip's.
    """
    if item.clip is None:
        raise StimulusError(f"{item.title} has no recording.")
    clip_audio, rate = _read(item.clip.audio)
    stimuli = list(item.stimuli.select_related("rendition"))
    rendered: list[tuple[Audio, float]] = []
    for stimulus in stimuli:
        audio = clip_audio
        if stimulus.rendition is not None:
            name = f"{item.title} through {stimulus.rendition.title}"
            if not stimulus.rendition.audio:
                raise StimulusError(f"{name} is not ready yet.")
            audio, its_rate = _read(stimulus.rendition.audio)
            if its_rate != rate:
                raise StimulusError(f"{name} is at {its_rate} Hz, the clip at {rate} Hz.")
        rendered.append(render_stimulus(clip_audio, audio, item.start, item.end, rate))

    loudest = max((float(np.abs(audio).max()) for audio, _ in rendered), default=0.0)
    headroom = min(1.0, PEAK / loudest) if loudest else 1.0
    replaced: list[tuple[FieldFile, str]] = []
    for stimulus, (audio, gain_db) in zip(stimuli, rendered, strict=True):
        if stimulus.audio:
            replaced.append((stimulus.audio, stimulus.audio.name or ""))
        master = io.BytesIO()
        soundfile.write(master, audio * np.float32(headroom), rate, format="WAV", subtype="FLOAT")
        stimulus.audio.save(f"{uuid.uuid4()}.wav", ContentFile(master.getvalue()), save=False)
        stimulus.gain_db = gain_db
    with transaction.atomic():
        for stimulus in stimuli:
            stimulus.save(update_fields=["audio", "gain_db"])
    for field, name in replaced:
        field.storage.delete(name)


def dithered_wav(audio: Audio, rate: int, seed: int) -> bytes:
    """Quantise `audio`, float (samples,) in [-1, 1] at `rate` Hz, to a 16-bit mono WAV file.

    Triangular dither of 2 LSB peak to peak is added to every sample, digital silence included: its level,
    96 dB below full scale, says nothing about the stimulus. The size depends on the length alone. The same
    seed gives the same bytes; the caller derives it from a secret, the session and the file's key.
    """
    generator = np.random.default_rng(seed)
    dither = generator.random(audio.size) - generator.random(audio.size)
    levels = np.rint(audio.astype(np.float64) * 32767 + dither)
    quantised = np.clip(levels, -32768, 32767).astype("<i2").tobytes()
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(quantised), b"WAVE",
        b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16,
        b"data", len(quantised),
    )  # fmt: skip
    return header + quantised


def loudness(audio: Audio, rate: int) -> float:
    """BS.1770 integrated loudness of `audio` (samples,) at `rate` Hz, in LUFS; -inf for silence."""
    # Imported here: it brings scipy.signal, which the web process, serving files, does without.
    import pyloudnorm

    seconds = audio.size / rate
    meter = pyloudnorm.Meter(rate, block_size=min(LOUDNESS_BLOCK, seconds))
    return float(meter.integrated_loudness(audio.astype(np.float64)))


def _matching_gain(reference: Audio, degraded: Audio, rate: int) -> float:
    difference = loudness(reference, rate) - loudness(degraded, rate)
    if not np.isfinite(difference):
        return 0.0
    return float(np.clip(difference, -MAX_GAIN_DB, MAX_GAIN_DB))


def _edges(size: int, rate: int) -> Audio:
    """An envelope (size,) that rises and falls in `EDGE_SECONDS`, or in half a shorter excerpt."""
    fade = min(round(EDGE_SECONDS * rate), size // 2)
    envelope = np.ones(size, dtype=np.float32)
    rise = (0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / max(fade, 1))).astype(np.float32)
    envelope[:fade] = rise
    envelope[size - fade :] = rise[::-1]
    return envelope


def _read(stored: FieldFile) -> tuple[Audio, int]:
    with stored.open("rb") as file:
        audio, rate = soundfile.read(file, dtype="float32")
    return np.asarray(audio, dtype=np.float32), int(rate)
