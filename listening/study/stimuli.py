"""Rendition -> stimulus: what a listener hears, without cues that identify the system.

All stimuli of an item share sample rate, length, loudness, edges and headroom. They are stored as float
masters; a session gets each as a 16-bit WAV with its own dither, so that two files of equal sound, for
example the open and the hidden reference, never have equal bytes.

The reference of a study at 16 kHz is the audio that every codec encoded; at other rates it is the clip's
original upload, resampled once. Anchors are made from the reference at the study's rate, and the output of
a system is resampled to that rate (soxr, linear phase, no delay).
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import soundfile
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from codec import registry
from codec.audio import AudioError, read_audio, resample, wav_of
from codec.base import WORKING_RATE, Audio, fit_length
from evaluation.clips.removal import delete_files
from evaluation.metrics.alignment import delay_of
from evaluation.refusals import Refusal
from evaluation.systems import title_of

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile

    from listening.models import Item, Stimulus, Study

#: Sample rates, Hz, that a study may have: browsers play them reliably, and speech codecs use them. At 8 kHz
#: the 7 kHz anchor would equal the reference, so MUSHRA starts at 16 kHz.
SAMPLE_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: With a larger delay than this against the reference, ms, switching jumps audibly. The delays measured on
#: speech through the built-in systems, vocoders included, are less than half of it.
DELAY_LIMIT_MS = 10.0

#: Raised-cosine fade at both ends of an excerpt, seconds, so that a cut inside speech does not click.
EDGE_SECONDS = 0.010
#: Maximum peak of a stimulus (-1 dBFS): leaves room for dither and for a player's resampling.
PEAK = 10 ** (-1 / 20)
#: A larger loudness difference than this, dB, is a fault to be graded, not a level to correct.
MAX_GAIN_DB = 20.0
#: BS.1770's gating block, seconds. A shorter excerpt is measured as a single block.
LOUDNESS_BLOCK = 0.4


class StimulusError(Refusal):
    """A stimulus that cannot be rendered."""

    status = 409


def render_stimulus(
    clip_audio: Audio, rendition_audio: Audio, start: float, end: float, rate: int
) -> tuple[Audio, float]:
    """Cut an excerpt out of a rendition and match its loudness to the same excerpt of the clip.

    The cut comes after coding (BS.1534-3 section 5), when the codec's buffers and bit reservoir have settled.

    Args:
        clip_audio: the reference, float32 (samples,).
        rendition_audio: the system's output, aligned with it; padded or cut to its length.
        start: start of the excerpt, seconds.
        end: end of the excerpt, seconds.
        rate: sample rate of both, Hz.

    Returns:
        The excerpt, float32 of shape (round(end * rate) - round(start * rate),), not yet limited to
        [-1, 1], and the gain applied, dB: 0 dB if either signal is silent.

    Raises:
        StimulusError: the excerpt is empty or lies outside the clip.
    """
    first, last = round(start * rate), min(round(end * rate), clip_audio.size)
    if not 0 <= first < last:
        seconds = clip_audio.size / rate
        raise StimulusError(
            _("The excerpt %(start).2f-%(end).2f s is not inside a clip of %(seconds).2f s."),
            start=start,
            end=end,
            seconds=seconds,
        )
    reference = clip_audio[first:last]
    degraded = fit_length(rendition_audio, clip_audio.size)[first:last]
    gain_db = _matching_gain(reference, degraded, rate)
    matched = degraded.astype(np.float64) * 10 ** (gain_db / 20)
    return (matched * _edges(matched.size, rate)).astype(np.float32), gain_db


def folder_of(study_id: UUID) -> str:
    """The storage folder of a study's stimuli."""
    return f"stimuli/{study_id}"


def render_item(item: Item, hold: Callable[[], bool] | None = None) -> bool:
    """Render every stimulus of `item` at the study's rate and store it with its gain and measured delay.

    If one of them would peak above `PEAK`, all are attenuated equally, so relative levels stay matched.
    Rendering again replaces earlier stimuli. A delay beyond `DELAY_LIMIT_MS` is stored for `warnings_of` and
    not corrected, because the delay of a codec is a constant that its owner knows.

    Args:
        hold: called first in the transaction that stores the stimuli; if it returns False, nothing is stored.

    Returns:
        Whether they are stored. If not, the files are deleted.

    Raises:
        StimulusError: a rendition is not ready, a file cannot be read, or the rate does not fit the method.
    """
    if item.clip is None:
        raise StimulusError(_("%(item)s has no recording."), item=item.title)
    rate = item.study.sample_rate
    if rate not in SAMPLE_RATES:
        known = ", ".join(f"{known:,}".replace(",", " ") for known in SAMPLE_RATES)
        raise StimulusError(
            _("A study cannot have %(rate)s Hz. These rates are possible: %(known)s Hz."),
            rate=rate,
            known=known,
        )
    reference = _reference(item, rate)
    first, last = round(item.start * rate), round(item.end * rate)
    stimuli = list(item.stimuli.select_related("rendition"))
    rendered: list[tuple[Audio, float]] = []
    for stimulus in stimuli:
        audio = _signal(item, stimulus, reference, rate)
        rendered.append(render_stimulus(reference, audio, item.start, item.end, rate))
        delay = delay_of(reference[first:last], audio[first:last], rate).seconds
        stimulus.delay_ms = None if delay is None else round(1000 * delay, 2)

    loudest = max((float(np.abs(audio).max()) for audio, _gain in rendered), default=0.0)
    headroom = min(1.0, PEAK / loudest) if loudest else 1.0
    replaced = [stimulus.audio.name for stimulus in stimuli if stimulus.audio.name]
    written: list[str] = []
    stored = False
    try:
        for stimulus, (audio, gain_db) in zip(stimuli, rendered, strict=True):
            master = io.BytesIO()
            soundfile.write(master, audio * np.float32(headroom), rate, format="WAV", subtype="FLOAT")
            name = f"{folder_of(item.study_id)}/{uuid.uuid4()}.wav"
            written.append(default_storage.save(name, ContentFile(master.getvalue())))
            stimulus.audio, stimulus.gain_db = written[-1], gain_db
        with transaction.atomic():
            if hold is None or hold():
                for stimulus in stimuli:
                    stimulus.save(update_fields=["audio", "gain_db", "delay_ms"])
                stored = True
    finally:
        delete_files(replaced if stored else written)
    return stored


def _reference(item: Item, rate: int) -> Audio:
    """The item's whole clip at `rate` Hz."""
    clip = item.clip
    assert clip is not None  # noqa: S101 -- checked by render_item
    if rate == WORKING_RATE or not clip.upload:
        audio, its_rate = _read(clip.audio, item.title)
        return resample(audio, its_rate, rate)
    return _read_upload(clip.upload, rate, item.title)


def _signal(item: Item, stimulus: Stimulus, reference: Audio, rate: int) -> Audio:
    """A system's output for the item's whole clip, at `rate` Hz and as long as `reference`."""
    rendition, slug = stimulus.rendition, stimulus.system
    name = f"{item.title} through {title_of(rendition.system) if rendition else slug}"
    if rendition is not None and rendition.upload:
        audio = _read_upload(rendition.upload, rate, name)
        # Positive if the upload is late and its owner had the delay corrected.
        shift = round(rendition.parameters.delay_seconds * rate)
        audio = audio[shift:] if shift >= 0 else np.concatenate([np.zeros(-shift, np.float32), audio])
        return fit_length(audio, reference.size)
    if slug == "original" or rendition is None:
        return reference
    cutoff = registry.SYSTEMS[slug].options.get("cutoff") if slug in registry.SYSTEMS else None
    if cutoff is not None:
        # Imported here: it imports scipy.signal, which the web process does not need to serve files.
        from codec.reference import lowpass, lowpass_taps

        if lowpass_taps(cutoff, rate) is None:
            raise StimulusError(
                _(
                    "At %(rate)g kHz the %(cutoff)g kHz anchor would equal the reference. Choose a higher "
                    "sample rate for the study."
                ),
                rate=rate / 1000,
                cutoff=cutoff / 1000,
            )
        return lowpass(reference, cutoff, rate)
    if not rendition.audio:
        raise StimulusError(_("%(name)s is not ready yet."), name=name)
    audio, its_rate = _read(rendition.audio, name)
    return fit_length(resample(audio, its_rate, rate), reference.size)


def warnings_of(study: Study) -> list[str]:
    """Warnings about the stimuli, as sentences for the researcher; empty if there are none."""
    rate, found = study.sample_rate, []
    items = list(study.items.select_related("clip").prefetch_related("stimuli__rendition"))
    stimuli = [stimulus for item in items for stimulus in item.stimuli.all()]
    for stimulus in stimuli:
        if stimulus.delay_ms is not None and abs(stimulus.delay_ms) > DELAY_LIMIT_MS:
            late = "late" if stimulus.delay_ms > 0 else "early"
            found.append(
                f"{stimulus.item.title} through {_title(stimulus)} is {abs(stimulus.delay_ms):.0f} ms {late} "
                f"against the reference: switching jumps, and listeners grade the jump."
            )
        if stimulus.gain_db is not None and abs(stimulus.gain_db) >= MAX_GAIN_DB:
            found.append(
                f"{stimulus.item.title} through {_title(stimulus)} differs by {MAX_GAIN_DB:g} dB or more in "
                f"loudness from the reference and could not be matched."
            )
    for item in items:
        if item.clip is not None and item.clip.source_rate < rate:
            found.append(
                f"{item.title} was recorded at {item.clip.source_rate} Hz: at {rate} Hz there is nothing "
                f"above {item.clip.source_rate / 2000:g} kHz in its reference."
            )
    ours = [s for s in stimuli if s.rendition and not s.rendition.upload and s.system not in _MADE_HERE]
    if rate > WORKING_RATE and ours:
        found.append(
            f"The built-in systems work at {WORKING_RATE // 1000} kHz: in this study at {rate / 1000:g} kHz "
            f"they are heard up to {WORKING_RATE // 2000} kHz, beside a reference with its full band."
        )
    return found


#: Systems that are made from the reference at the study's rate.
_MADE_HERE = ("original", "anchor35", "anchor70")


def _title(stimulus: Stimulus) -> str:
    return title_of(stimulus.system)


def dithered_wav(audio: Audio, rate: int, key: bytes) -> bytes:
    """Quantise `audio`, float (samples,) in [-1, 1] at `rate` Hz, to a 16-bit mono WAV file.

    Triangular dither of 2 LSB peak to peak is added to every sample, digital silence included, so its level,
    96 dB below full scale, reveals nothing about the stimulus. The size depends on the length only. The same
    `key` gives the same bytes; the caller derives it from a secret, the session and the file's key, and
    without it the dither (SHAKE-128) is indistinguishable from random.
    """
    uniform = np.frombuffer(hashlib.shake_128(key).digest(4 * audio.size), dtype="<u2")
    levels = np.subtract(uniform[: audio.size], uniform[audio.size :], dtype=np.float32)
    levels *= np.float32(1 / 65536)
    levels += audio * np.float32(32767)
    np.rint(levels, out=levels)
    np.clip(levels, -32768, 32767, out=levels)
    return wav_of(levels.astype(np.int16), rate)


def read_ahead(stimuli: Iterable[Stimulus]) -> None:
    """Ask the operating system to read the masters of a trial into its cache.

    The open and the hidden reference are the same file: otherwise the second request for it would be served
    from the cache and other recordings from disk, and the difference in time would reveal the reference.
    """
    for stimulus in stimuli:
        with suppress(NotImplementedError, OSError):  # not a local file: there is no cache
            file = os.open(stimulus.audio.path, os.O_RDONLY)
            try:
                if hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(file)


def loudness(audio: Audio, rate: int) -> float:
    """BS.1770 integrated loudness of `audio` (samples,) at `rate` Hz, in LUFS; -inf for silence."""
    # Imported here: it imports scipy.signal, which the web process does not need to serve files.
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


def _read(stored: FieldFile, name: str) -> tuple[Audio, int]:
    try:
        with stored.open("rb") as file:
            audio, rate = soundfile.read(file, dtype="float32")
    except FileNotFoundError:
        raise StimulusError(
            _("%(name)s: its recording %(file)s is no longer there."), name=name, file=stored.name
        ) from None
    except soundfile.SoundFileError as error:
        raise StimulusError(
            _("%(name)s: its recording %(file)s cannot be read (%(error)s)."),
            name=name,
            file=stored.name,
            error=error,
        ) from error
    return np.asarray(audio, dtype=np.float32), int(rate)


def _read_upload(stored: FieldFile, rate: int, name: str) -> Audio:
    """Read an uploaded file as mono at `rate` Hz."""
    with tempfile.NamedTemporaryFile(prefix="earshot-", suffix=Path(stored.name or "").suffix) as copy:
        with stored.open("rb") as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            return read_audio(copy.name, rate=rate).audio
        except AudioError as error:
            raise StimulusError(_("%(name)s: %(error)s"), name=name, error=error) from error
