"""A visitor's own voice: taken in, put through a few quick systems, and deleted after a day."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from codec import registry
from codec.audio import AudioError, is_silent
from codec.base import SPEECH, WORKING_RATE, CodecError
from codec.working import conform, read_working_copy
from evaluation.clips.ingest import MIN_SECONDS
from evaluation.clips.removal import delete_files, delete_files_later, find_orphans
from evaluation.clips.stored import load_audio, save_audio
from evaluation.refusals import Refusal, note_of, translate_error
from evaluation.work import jobs
from evaluation.work.pipeline import process
from listening.models import DemoVersion, VoiceSound, VoiceTrial

logger = logging.getLogger(__name__)

#: The longest recording, seconds.
MAX_SECONDS = 8.0
#: The largest file: eight seconds of anything that records.
MAX_BYTES = 10_000_000
#: How long a recording and all that was made from it is kept.
KEPT = timedelta(days=1)
#: What a recording is put through, the quickest first; a demo page may show others.
SYSTEMS = ("opus-6k", "opus-12k", "amrwb-6.6k", "codec2-2.4k", "bpgan-2k")
#: The most systems of a recording: a visitor waits for them.
MOST = 5

_FOLDER = "voices/"
# A file that was written for so long without a row has lost its worker.
_ABANDONED = timedelta(hours=1)


class VoiceRejected(Refusal):
    """What was sent is no recording that can be heard through systems."""

    status = 422
    field = "file"


def systems_of(version: DemoVersion | None) -> list[str]:
    """What a voice is put through: on a demo page its own systems of speech, else `SYSTEMS`.

    One slow system at most, after all others: a visitor waits for them.
    """
    if version is None:
        return list(SYSTEMS)
    known = [registry.SYSTEMS[slug] for slug in version.content.systems if slug in registry.SYSTEMS]
    shown = [system for system in known if system.takes == SPEECH]
    quick = [system.slug for system in shown if not system.slow]
    slow = [system.slug for system in shown if system.slow][:1]
    return [*quick[: MOST - len(slow)], *slow] or list(SYSTEMS)


def take_in(file: UploadedFile[Any], systems: Iterable[str]) -> VoiceTrial:
    """Store a recording as mono at 16 kHz, and queue its systems. The file that was sent is not kept.

    Raises:
        VoiceRejected: the file is too large, is no recording, is silent, or is too short or long.
    """
    if file.size is None or file.size > MAX_BYTES:
        raise VoiceRejected(_("The file has more than %(limit)g MB."), limit=MAX_BYTES / 1e6)
    with tempfile.TemporaryDirectory(prefix="earshot-voice-") as folder:
        path = Path(folder) / "voice"
        with path.open("wb") as target:
            for chunk in file.chunks():
                target.write(chunk)
        try:
            recording = read_working_copy(path, max_seconds=MAX_SECONDS, min_seconds=MIN_SECONDS)
        except AudioError as error:
            raise VoiceRejected(translate_error(error)) from error
    audio = conform(recording.audio, recording.rate, WORKING_RATE, 1)
    if is_silent(audio):
        raise VoiceRejected(_("Nothing can be heard in this recording. Is the microphone muted?"))
    trial = VoiceTrial(
        systems=list(systems),
        seconds=len(audio) / WORKING_RATE,
        rate=WORKING_RATE,
        expires=timezone.now() + KEPT,
    )
    name = save_audio(f"{_FOLDER}{trial.pk}/original.wav", audio, WORKING_RATE)
    try:
        with transaction.atomic():
            trial.save(force_insert=True)
            VoiceSound.objects.create(trial=trial, system="original", audio=name)
            transaction.on_commit(lambda: jobs.dispatch([trial]))
    except BaseException:
        delete_files([name])
        raise
    return trial


def make_sounds(trial_id: str) -> None:
    """Put a recording through its systems: what a worker does for its row. Each is heard once it is done."""
    row = jobs.claim(VoiceTrial, trial_id)
    if row is None:
        return
    with jobs.work_on(row):
        audio, rate = load_audio(row.sounds.get(system="original").audio)
        made = set(row.sounds.values_list("system", flat=True))
        for slug in row.systems:
            if slug not in made and not _make(row, slug, audio, rate):
                return
        jobs.finish(row)


def _make(row: VoiceTrial, slug: str, audio: Any, rate: int) -> bool:
    """Make one sound. False if the recording was deleted, or another worker has it: nothing is kept."""
    sound = VoiceSound(trial=row, system=slug)
    try:
        done = process(audio, slug, rate, hasty=True)
    except CodecError as error:
        sound.problem = note_of(error)
    else:
        sound.kbps = done.encoded.kbps
        name = f"{_FOLDER}{row.pk}/{row.claim}-{slug}.wav"
        sound.audio.name = save_audio(name, done.audio, done.encoded.sample_rate)
    stored = False
    try:
        with transaction.atomic():
            if jobs.advance(row):
                sound.save(force_insert=True)
                stored = True
    finally:
        if not stored:
            delete_files([sound.audio.name])
    return stored


def trial_of(token: str) -> VoiceTrial:
    """The recording with this link. Raises `Http404`, from the moment at which its day is over."""
    found = VoiceTrial.objects.filter(token=token, expires__gt=timezone.now())
    trial = found.prefetch_related("sounds").first()
    if trial is None:
        raise Http404("There is no such recording.")
    return trial


def remove(trial: VoiceTrial) -> None:
    """Delete a recording and everything made from it, at once."""
    with transaction.atomic():
        # A worker that stores a sound holds the row: its sound has to be there before this looks.
        if VoiceTrial.objects.select_for_update().filter(pk=trial.pk).first() is None:
            return
        names = list(trial.sounds.values_list("audio", flat=True))
        trial.delete()
        delete_files_later(names)


def remove_expired() -> int:
    """Delete the recordings whose day is over, and files that lost their row; returns how many recordings."""
    expired = list(VoiceTrial.objects.filter(expires__lte=timezone.now()))
    for trial in expired:
        try:
            remove(trial)
        except DatabaseError:  # the others' day is over, too
            logger.exception("Voice %s could not be deleted; the next run tries again.", trial.pk)
    delete_files(list(find_orphans(_ABANDONED, _FOLDER)))
    return len(expired)
