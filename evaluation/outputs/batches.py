"""Uploaded outputs -> renditions: receive files, check them against their clips, store confirmed ones."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import ProtectedError, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from codec.base import Note
from codec.recordings.formats import is_audio
from evaluation.clips.ingest import ClipTooLarge
from evaluation.clips.removal import delete_files, delete_files_later
from evaluation.clips.stored import load_audio, local_copy, save_audio
from evaluation.metrics import defaults_for
from evaluation.models import Clip, Job, OutputBatch, OutputFile, Rendition, Score, UploadedSystem
from evaluation.outputs.archives import ArchiveProblem, members
from evaluation.outputs.matching import MappingProblem, match, read_mapping
from evaluation.refusals import Refusal, note_of, translate_note
from evaluation.systems import new_slug, title_of, uploaded_systems
from evaluation.texts import clean_line, clean_path
from evaluation.work import jobs

#: Limits of one batch: number of files, and their total size in bytes after unpacking.
MAX_FILES = 500
MAX_BATCH_BYTES = 500_000_000
MAX_MAPPING_BYTES = 2_000_000
MAX_SYSTEMS = 100
MAX_KBPS = 100_000.0
#: An unconfirmed batch of this age is removed when the next one arrives.
_FORGOTTEN = timedelta(days=7)


class OutputProblem(Refusal):
    """A refused operation on systems or outputs; the message is for the researcher."""

    status = 422


class OutputInUse(OutputProblem):
    """An output that a study needs."""

    status = 409


# -- Systems


def save_system(
    owner: Any, title: str, note: str = "", kbps: float | None = None, system: UploadedSystem | None = None
) -> UploadedSystem:
    """Make a system for `owner`, or change `system`.

    Raises:
        OutputProblem: the title is missing or in use, or the bit rate is not valid.
    """
    title = clean_line(title)
    if not title:
        raise OutputProblem.of_field("title", _("Give the system a title."))
    if len(title) > 100:
        raise OutputProblem.of_field("title", _("The title is longer than 100 characters."))
    if len(note) > 5000:
        raise OutputProblem.of_field("note", _("The note is longer than 5000 characters."))
    if kbps is not None and not 0 <= kbps <= MAX_KBPS:
        raise OutputProblem.of_field("kbps", _("The bit rate must be a number of kbit/s, 0 or more."))
    others = [other for other in uploaded_systems(owner) if system is None or other.pk != system.pk]
    if any(other.title.casefold() == title.casefold() for other in others):
        raise OutputProblem.of_field("title", _("You already have a system called %(title)s."), title=title)
    if system is None:
        if len(others) >= MAX_SYSTEMS:
            raise OutputProblem(
                _("You have %(max_systems)s systems; delete one first."), max_systems=MAX_SYSTEMS
            )
        system = UploadedSystem(owner=owner, slug=new_slug(title))
    system.title, system.note, system.kbps = title, note.replace("\0", "").strip(), kbps
    system.save()
    return system


def remove_system(system: UploadedSystem) -> None:
    """Delete a system and all its outputs. Raises `OutputProblem` if a study uses one."""
    renditions = list(Rendition.objects.filter(system=system.slug))
    batches = list(system.batches.all())
    with transaction.atomic():
        _remove_renditions(renditions)
        for batch in batches:
            remove_batch(batch)
        system.delete()


def remove_output(rendition: Rendition) -> None:
    """Delete one output. Raises `OutputProblem` if a study uses it."""
    with transaction.atomic():
        _remove_renditions([rendition])


def _remove_renditions(renditions: Iterable[Rendition]) -> None:
    names: list[str] = []
    for rendition in renditions:
        files = (rendition.upload, rendition.audio, rendition.bitstream)
        names += [file.name for file in files if file.name]
        try:
            rendition.delete()
        except ProtectedError:
            raise OutputInUse(
                _("A study uses “%(clip)s” through %(system)s, so it cannot be deleted."),
                clip=rendition.clip.title,
                system=title_of(rendition.system),
            ) from None
    delete_files_later(names)


# -- Receiving


@dataclass
class _Arrived:
    """A received file: its name, and its name in the storage."""

    name: str
    stored: str


#: Of `OutputBatch.notes`.
_NO_RECORDING = gettext_noop("%(name)s was left out: it does not have a recording's file name.")


@dataclass
class _Arrival:
    files: list[_Arrived] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left: int = MAX_BATCH_BYTES

    def store(self, name: str, source: Path) -> None:
        if len(self.files) >= MAX_FILES:
            raise OutputProblem.of_field(
                "file", _("More than %(max_files)s files; send them in several parts."), max_files=MAX_FILES
            )
        suffix = PurePosixPath(name).suffix.lower()
        with source.open("rb") as content:
            stored = default_storage.save(f"incoming/{uuid.uuid4().hex}{suffix}", File(content))
        self.files.append(_Arrived(name, stored))


def receive(
    system: UploadedSystem,
    files: Sequence[UploadedFile[Any]],
    mapping: UploadedFile[Any] | None = None,
    *,
    make_systems: bool = False,
) -> OutputBatch:
    """Receive files, match them to clips and systems, and queue their checks.

    Zips are unpacked. Files become renditions only after `confirm`.

    Args:
        system: system of the files that do not name one.
        files: recordings and zips.
        mapping: a CSV ``clip,file[,system]``.
        make_systems: make a system for each folder that has no system's name.

    Raises:
        OutputProblem: no usable file arrived, or too many.
    """
    _forget_old(system.owner)
    arrival = _Arrival()
    try:
        table = _mapping(mapping)
        for file in files:
            _take(arrival, file)
        if not arrival.files:
            if not arrival.notes:
                raise OutputProblem.of_field("file", _("No recording arrived."))
            raise OutputProblem.of_field(
                "file",
                _("No recording arrived. %(notes)s"),
                notes=" ".join(map(translate_note, arrival.notes)),
            )
        with transaction.atomic():
            return _batch(system, arrival, table, make_systems)
    except BaseException:
        delete_files([file.stored for file in arrival.files])
        raise


def _mapping(file: UploadedFile[Any] | None) -> dict[str, tuple[str, str]]:
    if file is None:
        return {}
    if (file.size or 0) > MAX_MAPPING_BYTES:
        raise OutputProblem.of_field("mapping", _("The mapping table is larger than 2 MB."))
    try:
        return read_mapping(file.read())
    except MappingProblem as problem:
        raise OutputProblem(problem, fields=problem.fields) from None


def _take(arrival: _Arrival, file: UploadedFile[Any]) -> None:
    name = clean_path((file.name or "").replace("\\", "/"))[-400:] or "recording"
    if file.size is not None and file.size > settings.UPLOAD_MAX_BYTES:
        raise OutputProblem.of_field(
            "file", _("%(name)s: %(problem)s"), name=name, problem=ClipTooLarge(file.size)
        )
    with tempfile.TemporaryDirectory(prefix="earshot-outputs-") as folder:
        path = Path(folder) / "file"
        with path.open("wb") as target:
            for chunk in file.chunks():
                target.write(chunk)
        with path.open("rb") as content:
            zipped = content.read(4) == b"PK\x03\x04"
        if zipped:
            _unpack(arrival, name, path, Path(folder))
        elif not is_audio(name):
            arrival.notes.append(Note(_NO_RECORDING, name=name))
        else:
            arrival.left -= path.stat().st_size
            if arrival.left < 0:
                raise OutputProblem.of_field(
                    "file",
                    _("Together the files have more than %(max_batch_bytes)g MB."),
                    max_batch_bytes=MAX_BATCH_BYTES / 1e6,
                )
            arrival.store(name, path)


def _unpack(arrival: _Arrival, name: str, path: Path, folder: Path) -> None:
    try:
        with (
            path.open("rb") as content,
            members(content, max_files=MAX_FILES, max_bytes=arrival.left, notes=arrival.notes) as inside,
        ):
            for member in inside:
                if not is_audio(member.name):
                    arrival.notes.append(Note(_NO_RECORDING, name=member.name))
                    continue
                one = folder / "member"
                with one.open("wb") as target:
                    member.write_to(target)
                arrival.left -= one.stat().st_size
                arrival.store(member.name, one)
    except ArchiveProblem as problem:
        raise OutputProblem.of_field("file", _("%(name)s: %(problem)s"), name=name, problem=problem) from None


def _batch(
    system: UploadedSystem, arrival: _Arrival, table: dict[str, tuple[str, str]], make_systems: bool
) -> OutputBatch:
    owner = system.owner
    if make_systems:
        arrival.notes += _systems_of_folders(owner, [file.name for file in arrival.files])
    clips = Clip.objects.filter(owner=owner)
    matches = match([file.name for file in arrival.files], clips, uploaded_systems(owner), system, table)
    batch = OutputBatch.objects.create(owner=owner, system=system, notes=arrival.notes)
    OutputFile.objects.bulk_create(
        OutputFile(
            batch=batch, name=file.name, upload=file.stored, clip=one.clip, system=one.system,
            reason=one.reason, problem=one.problem,
        )
        for file, one in zip(arrival.files, matches, strict=True)
    )  # fmt: skip
    transaction.on_commit(partial(jobs.dispatch, [batch]))
    return batch


def _systems_of_folders(owner: Any, names: Iterable[str]) -> list[Note]:
    known = {name.casefold() for one in uploaded_systems(owner) for name in (one.title, one.slug)}
    folders = dict.fromkeys(PurePosixPath(name).parent.name for name in names)
    made = []
    for folder in folders:
        if folder and folder.casefold() not in known:
            made.append(save_system(owner, folder).title)
    text = gettext_noop("Made a system for each folder without one: %(systems)s.")
    return [Note(text, systems=", ".join(made))] if made else []


def _forget_old(owner: Any) -> None:
    for batch in OutputBatch.objects.filter(owner=owner, created__lt=timezone.now() - _FORGOTTEN):
        remove_batch(batch)


def remove_batch(batch: OutputBatch) -> None:
    """Delete a batch that was not confirmed, with its files."""
    names = [name for name in batch.files.values_list("upload", flat=True) if name]
    with transaction.atomic():
        batch.delete()
        delete_files_later(names)


# -- Checking and storing, by a worker


def handle_batch(batch_id: str) -> None:
    """Check the files of a batch, or store the confirmed files."""
    row = jobs.claim(OutputBatch, batch_id)
    if row is None:
        return
    with jobs.work_on(row, Refusal):
        (check_batch if row.step == OutputBatch.Step.CHECK else store_batch)(row)
        jobs.finish(row)


def check_batch(batch: OutputBatch) -> None:
    """Compare every matched file with its clip, except files checked before an earlier worker died."""
    from codec.audio import AudioError
    from evaluation.outputs.comparison import compare

    for row in batch.files.filter(problem="", checks={}).select_related("clip").order_by("clip", "id"):
        assert row.clip is not None  # noqa: S101 -- else it has a problem
        reference, rate = load_audio(row.clip.audio)
        try:
            with local_copy(row.upload.name or "") as path:
                found = compare(path, reference, settings.UPLOAD_MAX_SECONDS, rate)
        except AudioError as error:
            OutputFile.objects.filter(pk=row.pk).update(problem=note_of(error))
        else:
            OutputFile.objects.filter(pk=row.pk).update(checks=found.as_dict())


def confirm(batch: OutputBatch, taken: Iterable[int], shifted: Iterable[int]) -> int:
    """Queue storing of the files `taken`, and remove the delay of those in `shifted`; returns how many.

    Raises:
        OutputProblem: none of them is usable, or the checks are not done.
    """
    with transaction.atomic():
        rows = batch.files.filter(pk__in=list(taken), problem="").exclude(checks={})
        if batch.step != OutputBatch.Step.CHECK or batch.status != Job.Status.DONE:
            raise OutputProblem(_("The files have not been checked yet, or are already being stored."))
        count = rows.update(taken=True)
        if not count:
            raise OutputProblem.of_field("take", _("Choose at least one file."))
        batch.files.filter(taken=True, pk__in=list(shifted), checks__shifts=True).update(shift=True)
        checked = Q(step=OutputBatch.Step.CHECK, status=Job.Status.DONE)
        jobs.restart(batch, checked, step=OutputBatch.Step.STORE)
    return count


def store_batch(batch: OutputBatch) -> None:
    """Make a rendition of every confirmed file; it replaces an earlier one."""
    for row in batch.files.filter(taken=True, problem="").exclude(upload="").select_related("clip", "system"):
        try:
            _store(row)
        except OutputProblem as problem:
            OutputFile.objects.filter(pk=row.pk).update(problem=note_of(problem))
    left = list(batch.files.filter(taken=False).exclude(upload="").values_list("upload", flat=True))
    batch.files.filter(taken=False).update(upload="")
    delete_files(left)


def _store(row: OutputFile) -> None:
    clip, system = row.clip, row.system
    assert clip is not None and system is not None and row.upload.name  # noqa: S101, PT018 -- it was checked
    delay = float(row.checks["delay_seconds"]) if row.shift else 0.0
    said = {"uploaded": row.name, "matched": row.reason, "checks": row.checks}
    with transaction.atomic():
        keep_output(clip, system, row.upload.name, said, delay)
        # The file belongs to the rendition now.
        OutputFile.objects.filter(pk=row.pk).update(upload="")


def keep_output(
    clip: Clip,
    system: UploadedSystem,
    upload: str,
    said: Mapping[str, object],
    delay_seconds: float | None = None,
) -> Rendition:
    """Make the stored file `upload` the system's output for `clip`, replacing any other, and measure it.

    `said` and the delay become the rendition's parameters; the delay is removed from the measured audio.

    Raises:
        AudioError: the file cannot be read.
        OutputProblem: a study uses the existing output.
    """
    from codec.base import channels_of
    from codec.working import align
    from evaluation.outputs.comparison import read_output

    reference, rate = load_audio(clip.audio)
    with local_copy(upload) as path:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        _, output = read_output(path, rate, channels_of(reference), settings.UPLOAD_MAX_SECONDS)
    moved = align(output, delay_seconds or 0.0, rate, len(reference))
    moved_by = {} if delay_seconds is None else {"delay_seconds": delay_seconds}
    audio = save_audio(f"renditions/{uuid.uuid4().hex}.wav", moved, rate)
    now = timezone.now()
    try:
        with transaction.atomic():
            _remove_renditions(Rendition.objects.filter(clip=clip, system=system.slug))
            rendition = Rendition.objects.create(
                clip=clip,
                system=system.slug,
                upload=upload,
                audio=audio,
                status=Job.Status.DONE,
                started=now,
                finished=now,
                log=jobs.log_line(f"uploaded as {said.get('uploaded', '')}"),
                parameters={"sha256": digest, **said, **moved_by},
            )
            scores = Score.objects.bulk_create(
                [Score(rendition=rendition, metric=metric) for metric in defaults_for(speech=clip.speech)]
            )
            transaction.on_commit(partial(jobs.dispatch, scores))
    except BaseException:
        delete_files([audio])
        raise
    return rendition
