"""Upload -> clip: take a recording in, or say why not."""

from __future__ import annotations

import hashlib
import re
import tempfile
import uuid
from collections.abc import Collection
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from codec import registry
from codec.audio import AudioError, write_wav
from codec.base import Audio, channels_of
from codec.working import middle_and_side, read_working_copy
from evaluation.clips.choosing import ORIGINAL
from evaluation.clips.removal import delete_files
from evaluation.models import Clip, Rendition
from evaluation.refusals import Refusal, translate_error
from evaluation.texts import clean_line, clean_name
from evaluation.work import jobs
from evaluation.work.expecting import quickest_first

#: Metrics cannot grade shorter clips (PESQ: 0.25 s).
MIN_SECONDS = 0.25


class ClipRejected(Refusal):
    """The upload cannot become a clip."""

    status = 422
    field = "file"


class ClipTooLarge(ClipRejected):
    """The upload has `size` bytes, which is more than the site accepts."""

    status = 413

    def __init__(self, size: int) -> None:
        super().__init__(
            _("The file has %(size).1f MB; this site takes up to %(limit)g MB."),
            size=size / 1e6,
            limit=settings.UPLOAD_MAX_BYTES / 1e6,
        )


def ingest(
    owner: Any,
    file: UploadedFile[Any],
    *,
    title: str = "",
    credit: str = "",
    public: bool = False,
    systems: Collection[str] | None = None,
    speech: bool | None = None,
) -> tuple[Clip, bool]:
    """Make a clip from an upload and queue its renditions by the systems for it, or only by `systems`.

    The upload is kept untouched; the clip's audio is its working copy (`codec.working`), of 16 bits. An
    upload with the same bytes by the same owner is the same clip, whatever its file name. Unless `speech`
    says what it is, mono is taken for speech and stereo for music.

    Returns:
        The clip, and whether it is new.

    Raises:
        ClipRejected: the file is too large (`ClipTooLarge`), is not readable audio, or is too short or long.
    """
    if file.size is not None and file.size > settings.UPLOAD_MAX_BYTES:
        raise ClipTooLarge(file.size)
    name = clean_name(file.name or "")
    with tempfile.TemporaryDirectory(prefix="earshot-upload-") as folder:
        upload = Path(folder) / f"upload{_suffix(name)}"
        sha256 = _store(file, upload)
        if (known := Clip.objects.filter(owner=owner, sha256=sha256).first()) is not None:
            queue_renditions(known, systems)
            return known, False
        try:
            recording = read_working_copy(
                upload, max_seconds=settings.UPLOAD_MAX_SECONDS, min_seconds=MIN_SECONDS
            )
        except AudioError as error:
            raise ClipRejected(translate_error(error)) from error
        audio = Path(folder) / "audio.wav"
        write_wav(audio, recording.audio, recording.rate)
        clip = Clip(
            owner=owner,
            sha256=sha256,
            title=(clean_line(title) or PurePath(name).stem or name)[:200],
            original_name=name,
            seconds=recording.seconds,
            rate=recording.rate,
            channels=channels_of(recording.audio),
            speech=_is_mono(recording.audio) if speech is None else speech,
            source_rate=recording.source_rate,
            source_channels=recording.channels,
            source_format=recording.format[:80],
            notes=list(recording.notes),
            credit=credit,
            public=public,
        )
        unique = uuid.uuid4().hex
        clip.upload.name = _save(f"uploads/{unique}{_suffix(name)}", upload)
        clip.audio.name = _save(f"clips/{unique}.wav", audio)
    try:
        with transaction.atomic():
            clip.save(force_insert=True)
            queue_renditions(clip, systems)
    except IntegrityError:
        # The same file arrived twice at the same moment, and the other request was first.
        delete_files([clip.upload.name, clip.audio.name])
        return Clip.objects.get(owner=owner, sha256=sha256), False
    except BaseException:
        delete_files([clip.upload.name, clip.audio.name])
        raise
    return clip, True


def _is_mono(audio: Audio) -> bool:
    """Whether all channels say the same: what differs is 40 dB below what does not."""
    middle, side = middle_and_side(audio)
    return side <= 1e-4 * middle


def queue_renditions(clip: Clip, systems: Collection[str] | None = None) -> int:
    """Queue a rendition by each system for it (or each of `systems`) that the clip has none of yet.

    Those that take the least come first, so that something is heard soon.

    Systems that do not work here get a row, too: the worker finds out and stores the reason.
    The web process never loads a codec.

    Returns:
        How many were queued.
    """
    there = set(clip.renditions.values_list("system", flat=True))
    for_it = registry.systems_for(clip.rate, clip.channels, speech=clip.speech)
    wanted = for_it if systems is None else systems
    missing = [slug for slug in dict.fromkeys(wanted) if slug not in there]
    new = [Rendition(clip=clip, system=slug) for slug in quickest_first(missing)]
    if new:
        # Two requests may find the same row missing; the constraint lets only one insert it.
        Rendition.objects.bulk_create(new, ignore_conflicts=True)
        transaction.on_commit(partial(jobs.dispatch, new))
    return len(new)


def left_out_systems(clip: Clip) -> list[str]:
    """The systems that `clip` was not put through: those for music, of mono speech, or not chosen."""
    there = {rendition.system for rendition in clip.renditions.all()}
    return [slug for slug in registry.SYSTEMS if slug not in there]


def cancel_renditions(clip: Clip) -> int:
    """Take what waits of `clip` out of the queue; what a worker is at is finished. Returns how many.

    The original stays: everything is compared with it, and it takes no time.
    """
    return jobs.withdraw(Rendition.objects.filter(clip=clip).exclude(system=ORIGINAL))


def _suffix(name: str) -> str:
    """The name's extension if it is plain; the content decides the format, not the extension."""
    match = re.fullmatch(r"\.[a-z0-9]{1,5}", PurePath(name).suffix.lower())
    return match.group() if match else ""


def _store(file: UploadedFile[Any], path: Path) -> str:
    """Copy an upload to `path`, never more than the limit; returns its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with path.open("wb") as target:
        for chunk in file.chunks():
            size += len(chunk)
            if size > settings.UPLOAD_MAX_BYTES:
                raise ClipTooLarge(size)
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _save(name: str, path: Path) -> str:
    with path.open("rb") as content:
        return default_storage.save(name, File(content))
