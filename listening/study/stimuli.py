"""Rendition -> stimulus: what a listener hears, without cues that identify the system.

All stimuli of an item share sample rate, channels, length, loudness, edges and headroom. They are stored as
float masters; a session gets each with a noise floor of its own (`listening.study.floor`), so that two files
of equal sound, for example the open and the hidden reference, never have equal bytes.

The reference is the clip's working copy, from which every system got its input; if that has less than the
study hears (clips from before they kept their rate have 16 kHz, mono), it is the original upload. Anchors
are made from the reference at the study's rate, channel by channel, and the output of a system is converted
to that rate (soxr, linear phase, no delay) and to the study's channels: in a stereo study, a system that
processes speech in mono is heard alike in both.
"""

from __future__ import annotations

import io
import math
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
from codec.audio import AudioError, read_recording
from codec.base import Audio, channels_of, fit_length, in_words
from codec.working import align, conform, mix_down
from evaluation.clips.removal import delete_files
from evaluation.metrics.alignment import delay_of
from evaluation.metrics.loudness import loudness
from evaluation.refusals import Refusal
from evaluation.systems import order, title_of

if TYPE_CHECKING:
    from django.db.models.fields.files import FieldFile

    from listening.models import Item, Stimulus, Study

#: Sample rates, Hz, that a study may have: browsers play them reliably, and speech codecs use them. At 8 kHz
#: the 7 kHz anchor would equal the reference, so MUSHRA starts at 16 kHz.
SAMPLE_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
#: With a larger delay than this against the reference, ms, switching jumps audibly. The delays measured on
#: speech through the built-in systems, vocoders included, are less than half of it.
DELAY_LIMIT_MS = 10.0

#: Of a longer clip only the excerpt and a second around it are filtered, which is far more than the filter's
#: reach: all of ten minutes would take gigabytes.
LONG_SECONDS = 60.0
#: Raised-cosine fade at both ends of an excerpt, seconds, so that a cut inside speech does not click.
EDGE_SECONDS = 0.010
#: Maximum peak of a stimulus (-1 dBFS): leaves room for the noise floor and for a player's resampling.
PEAK = 10 ** (-1 / 20)
#: Loudness that an item has at least, LUFS: the gate of BS.1770, below which there is silence.
SILENCE_LUFS = -70.0
#: A larger loudness difference than this, dB, is a fault to be graded, not a level to correct.
MAX_GAIN_DB = 20.0


class StimulusError(Refusal):
    """A stimulus that cannot be rendered."""

    status = 409


def render_stimulus(
    clip_audio: Audio, rendition_audio: Audio, start: float, end: float, rate: int
) -> tuple[Audio, float]:
    """Cut an excerpt out of a rendition and match its loudness to the same excerpt of the clip.

    The cut comes after coding (BS.1534-3 section 5), when the codec's buffers and bit reservoir have settled.

    Args:
        clip_audio: the reference, float32 (samples,) or (samples, 2).
        rendition_audio: the system's output with as many channels, aligned with it; padded or cut to its
            length.
        start: start of the excerpt, seconds.
        end: end of the excerpt, seconds.
        rate: sample rate of both, Hz.

    Returns:
        The excerpt, float32 of round(end * rate) - round(start * rate) samples, not yet limited to [-1, 1],
        and the gain applied, dB, the same for both channels: 0 dB if either signal is silent.

    Raises:
        StimulusError: the excerpt is empty or lies outside the clip.
    """
    first, last = round(start * rate), min(round(end * rate), len(clip_audio))
    if not 0 <= first < last:
        seconds = len(clip_audio) / rate
        raise StimulusError(
            _("The excerpt %(start).2f-%(end).2f s is not inside a clip of %(seconds).2f s."),
            start=start,
            end=end,
            seconds=seconds,
        )
    reference = clip_audio[first:last]
    degraded = fit_length(rendition_audio, len(clip_audio))[first:last]
    gain_db = _matching_gain(reference, degraded, rate)
    matched = degraded.astype(np.float64) * 10 ** (gain_db / 20)
    edges = edges_of(len(matched), rate)
    return (matched * (edges if matched.ndim == 1 else edges[:, np.newaxis])).astype(np.float32), gain_db


def headroom_of(signals: Iterable[Audio]) -> float:
    """The linear gain, 1 or less, that keeps the loudest of `signals` at or below `PEAK`.

    It is one for all, so that relative levels stay matched.
    """
    loudest = max((float(np.abs(audio).max()) for audio in signals), default=0.0)
    return min(1.0, PEAK / loudest) if loudest else 1.0


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
    reference = _reference(item, rate, item.study.channels)
    first, last = round(item.start * rate), round(item.end * rate)
    stimuli = list(item.stimuli.select_related("rendition"))
    rendered: list[tuple[Audio, float]] = []
    for stimulus in stimuli:
        audio = _signal(item, stimulus, reference, rate)
        rendered.append(render_stimulus(reference, audio, item.start, item.end, rate))
        delay = delay_of(reference[first:last], audio[first:last], rate).seconds
        stimulus.delay_ms = None if delay is None else round(1000 * delay, 2)

    headroom = headroom_of(audio for audio, _gain in rendered)
    level = loudness(reference[first:last], rate) + 20 * math.log10(headroom)
    item.loudness = round(max(level, SILENCE_LUFS), 2)
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
                item.save(update_fields=["loudness"])
                stored = True
    finally:
        delete_files(replaced if stored else written)
    return stored


def _reference(item: Item, rate: int, channels: int) -> Audio:
    """The item's whole clip with `channels` at `rate` Hz."""
    clip = item.clip
    assert clip is not None  # noqa: S101 -- checked by render_item
    enough = clip.rate >= min(rate, clip.source_rate) and clip.channels >= min(channels, clip.source_channels)
    if enough or not clip.upload:
        return conform(*_read(clip.audio, item.title), rate, channels)
    return _read_upload(clip.upload, rate, channels, item.title)


def _signal(item: Item, stimulus: Stimulus, reference: Audio, rate: int) -> Audio:
    """A system's output for the item's whole clip at `rate` Hz, as long as `reference`, with its channels."""
    rendition, slug = stimulus.rendition, stimulus.system
    name = f"{item.title} through {title_of(rendition.system) if rendition else slug}"
    if rendition is not None and rendition.upload:
        audio = _read_upload(rendition.upload, rate, channels_of(reference), name)
        # Positive if the upload is late and its owner had the delay corrected.
        return align(audio, rendition.parameters.delay_seconds, rate, len(reference))
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
        if len(reference) <= LONG_SECONDS * rate:
            return lowpass(reference, cutoff, rate)
        around = slice(max(0, round((item.start - 1) * rate)), round((item.end + 1) * rate))
        anchor = np.zeros_like(reference)
        anchor[around] = lowpass(reference[around], cutoff, rate)
        return anchor
    if not rendition.audio:
        raise StimulusError(_("%(name)s is not ready yet."), name=name)
    audio = conform(*_read(rendition.audio, name), rate, channels_of(reference))
    return fit_length(audio, len(reference))


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
    mono = [item.title for item in items if item.clip is not None and item.clip.source_channels == 1]
    if study.channels > 1 and mono:
        found.append(f"Recorded in mono, heard alike in both channels: {', '.join(mono)}.")
    stereo = [item.title for item in items if item.clip is not None and item.clip.source_channels > 1]
    if study.channels == 1 and stereo:
        found.append(f"Recorded with several channels, heard as their mean: {', '.join(stereo)}.")
    found += _limits_of_systems(study, {stimulus.system for stimulus in stimuli})
    return found


def _limits_of_systems(study: Study, systems: set[str]) -> list[str]:
    """What systems of the registry lack of what the study hears, as sentences."""
    lacking: dict[tuple[int, int], list[str]] = {}
    for slug in sorted(systems & registry.SYSTEMS.keys(), key=order):
        rate, channels = registry.SYSTEMS[slug].takes.fit(study.sample_rate, study.channels)
        if rate < study.sample_rate or channels < study.channels:
            lacking.setdefault((rate, channels), []).append(registry.SYSTEMS[slug].title)
    alike = " and alike in both channels"
    return [
        f"{', '.join(titles)}: processed in {in_words(rate, channels)}, so heard up to {rate / 2000:g} kHz"
        f"{alike if channels < study.channels else ''}, beside a reference in "
        f"{in_words(study.sample_rate, study.channels)}."
        for (rate, channels), titles in lacking.items()
    ]


def _title(stimulus: Stimulus) -> str:
    return title_of(stimulus.system)


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


def _matching_gain(reference: Audio, degraded: Audio, rate: int) -> float:
    difference = loudness(reference, rate) - loudness(degraded, rate)
    if not np.isfinite(difference):
        return 0.0
    return float(np.clip(difference, -MAX_GAIN_DB, MAX_GAIN_DB))


def edges_of(size: int, rate: int) -> Audio:
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


def _read_upload(stored: FieldFile, rate: int, channels: int, name: str) -> Audio:
    """Read an uploaded file with `channels` at `rate` Hz."""
    with tempfile.NamedTemporaryFile(prefix="earshot-", suffix=Path(stored.name or "").suffix) as copy:
        with stored.open("rb") as file:
            shutil.copyfileobj(file, copy)
        copy.flush()
        try:
            recording = read_recording(copy.name)
            audio, _notes = mix_down(recording.audio)
            return conform(audio, recording.rate, rate, channels)
        except AudioError as error:
            raise StimulusError(_("%(name)s: %(error)s"), name=name, error=error) from error
