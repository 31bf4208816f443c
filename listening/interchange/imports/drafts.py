"""Import drafts: uploaded files that are kept until the researcher has decided about them."""

from __future__ import annotations

import re
import uuid
import zipfile
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.clips.ingest import ClipTooLarge
from evaluation.clips.removal import delete_files, delete_files_later
from evaluation.texts import clean_line
from evaluation.work import jobs
from listening.interchange.imports.reading import ImportProblem, Reading
from listening.interchange.imports.results import MAX_BYTES, read_results
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.scores import Scores, read_scores
from listening.interchange.imports.storing import Decisions, store
from listening.models import ImportDraft, Study

_FORGOTTEN = timedelta(days=7)
_CONFIGURATION = re.compile(rb"^\s*['\"]?pages['\"]?\s*:", re.MULTILINE)


def keep(owner: Any, file: UploadedFile[Any], extra: UploadedFile[Any] | None = None) -> ImportDraft:
    """Store an upload as a draft and delete the owner's old drafts.

    Raises:
        ImportProblem: a file is too large or empty.
    """
    for sent in (file, extra):
        if sent is not None and (sent.size or 0) > settings.UPLOAD_MAX_BYTES:
            raise ImportProblem(
                _("%(name)s: %(problem)s"), name=sent.name, problem=ClipTooLarge(sent.size or 0)
            )
    if not file.size:
        raise ImportProblem(_("The file is empty."))
    for old in ImportDraft.objects.filter(owner=owner, study=None, created__lt=timezone.now() - _FORGOTTEN):
        discard(old)
    kind = _kind_of(file)
    if kind == ImportDraft.Kind.RESULTS and file.size > MAX_BYTES:
        raise ImportProblem(
            _("The file has %(size).1f MB; results of up to %(max_bytes)g MB can be read."),
            size=file.size / 1e6,
            max_bytes=MAX_BYTES / 1e6,
        )
    draft = ImportDraft(owner=owner, kind=kind, name=clean_line(file.name or "")[-255:] or "results")
    draft.status = ImportDraft.Status.DONE  # there is no work for a worker yet
    draft.file.name = _save(file)
    if extra is not None:
        draft.extra.name = _save(extra)
        draft.choices = {"extra_name": clean_line(extra.name or "")[-255:]}
    draft.save()
    return draft


def _save(file: UploadedFile[Any]) -> str:
    suffix = PurePosixPath(file.name or "").suffix.lower()
    suffix = suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
    file.seek(0)
    return default_storage.save(f"imports/{uuid.uuid4().hex}{suffix}", File(file))


def _kind_of(file: UploadedFile[Any]) -> str:
    """Detect the kind: a configuration has ``pages:`` at the start of a line, or is a zip with a YAML
    file."""
    file.seek(0)
    head = file.read(1_000_000)
    file.seek(0)
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise ImportProblem(_("This zip is damaged.")) from None
        finally:
            file.seek(0)
        yaml = any(name.lower().endswith((".yaml", ".yml")) for name in names)
        return ImportDraft.Kind.CONFIGURATION if yaml else ImportDraft.Kind.RESULTS
    named = (file.name or "").lower().endswith((".yaml", ".yml"))
    found = named or (_CONFIGURATION.search(head) and not head.lstrip().startswith((b"<", b"{", b"[")))
    return ImportDraft.Kind.CONFIGURATION if found else ImportDraft.Kind.RESULTS


def content_of(draft: ImportDraft) -> bytes:
    with draft.file.open("rb") as file:
        return bytes(file.read())


def read_draft(draft: ImportDraft, choices: dict[str, str]) -> tuple[Reading, Scores | None]:
    """Read a draft's results and the scores that came with them. Raises `ImportProblem`."""
    reading = read_results(content_of(draft), choices)
    if not draft.extra:
        return reading, None
    name = draft.choices.extra_name
    with draft.extra.open("rb") as file:
        content = bytes(file.read(MAX_BYTES + 1))
    if len(content) > MAX_BYTES:
        raise ImportProblem(_("%(name)s: more than %(max_bytes)g MB."), name=name, max_bytes=MAX_BYTES / 1e6)
    try:
        return reading, read_scores(content, reading, name)
    except ImportProblem as problem:
        raise ImportProblem(
            _("%(name)s: %(said)s"),
            problem.line,
            problem.column,
            problem.heading,
            name=name,
            said=problem.what,
        ) from None


def import_results(
    draft: ImportDraft,
    name: str,
    method: str,
    mapping: dict[str, str],
    choices: dict[str, str],
    keep_personal: bool,
) -> Study:
    """Make a draft's study by the researcher's decisions and delete the draft. Raises `ImportProblem`."""
    reading, scores = read_draft(draft, choices)
    given = {**suggest(reading.systems), **mapping}
    with transaction.atomic():
        study = store(draft.owner, reading, Decisions(name, method, given, keep_personal), draft.name, scores)
        discard(draft)
    return study


def start_configuration(draft: ImportDraft, name: str, group: str) -> None:
    """Queue the work of making a configuration's study; calling it twice has no effect."""
    named = clean_line(name)[:200]
    choices = draft.choices.model_copy(update={"name": named, "group": group})
    waits = Q(status__in=[ImportDraft.Status.QUEUED, ImportDraft.Status.RUNNING])
    jobs.restart(draft, ~waits, Q(study=None), choices=choices, progress={})


def forget_files(draft: ImportDraft) -> None:
    """Delete a draft's files after its study is made; the draft remains as the report."""
    names = [name for name in (draft.file.name, draft.extra.name) if name]
    ImportDraft.objects.filter(pk=draft.pk).update(file="", extra="")
    delete_files(names)


def discard(draft: ImportDraft) -> None:
    names = [name for name in (draft.file.name, draft.extra.name) if name]
    with transaction.atomic():
        draft.delete()
        delete_files_later(names)
