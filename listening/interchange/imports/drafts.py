"""Import drafts: uploaded files that are kept until the researcher has decided about them."""

from __future__ import annotations

import re
import uuid
import zipfile
from collections.abc import Mapping
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

from codec.recordings.formats import is_audio
from evaluation.clips.ingest import ClipTooLarge
from evaluation.clips.removal import delete_files, delete_files_later
from evaluation.outputs.archives import ArchiveProblem, open_zip
from evaluation.systems import systems_for
from evaluation.texts import clean_line
from evaluation.work import jobs
from listening.interchange.imports.confined import read_confined
from listening.interchange.imports.reading import ImportProblem, Reading, list_names
from listening.interchange.imports.results import MAX_BYTES, read_results
from listening.interchange.imports.roles import check_slugs, suggest_for
from listening.interchange.imports.rollback import undo
from listening.interchange.imports.scores import Scores, read_scores
from listening.interchange.imports.storing import Decisions, check_name, store
from listening.interchange.imports.yaml_lines import has_pages
from listening.models import ImportDraft, Study

_FORGOTTEN = timedelta(days=7)


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
    file.

    Raises:
        ImportProblem: a zip is damaged or empty, or has recordings and no configuration.
    """
    file.seek(0)
    head = file.read(1_000_000)
    file.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the second is the end of an empty one
        try:
            with open_zip(file) as archive:
                names = archive.namelist()
        except ArchiveProblem as problem:
            raise ImportProblem(problem) from None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            raise ImportProblem(_("This zip is damaged.")) from None
        finally:
            file.seek(0)
        if any(name.lower().endswith((".yaml", ".yml")) for name in names):
            return ImportDraft.Kind.CONFIGURATION
        if not names:
            raise ImportProblem(_("The zip is empty."))
        if any(is_audio(name) for name in names):
            raise ImportProblem(
                _(
                    "This zip has recordings and no configuration: no file ends in .yaml or .yml. Add it, or "
                    "send it by itself, with the zip as the second file."
                )
            )
        return ImportDraft.Kind.RESULTS
    named = (file.name or "").lower().endswith((".yaml", ".yml"))
    found = named or (has_pages(head) and not head.lstrip().startswith((b"<", b"{", b"[")))
    return ImportDraft.Kind.CONFIGURATION if found else ImportDraft.Kind.RESULTS


def content_of(draft: ImportDraft) -> bytes:
    with draft.file.open("rb") as file:
        return bytes(file.read())


def read_draft(draft: ImportDraft, choices: dict[str, str]) -> tuple[Reading, Scores | None]:
    """Read a draft's results and the scores that came with them.

    Raises:
        ImportProblem: a file cannot be read, or a choice is not one that this file leaves open.
    """
    key = ("results", draft.file.name, *sorted(choices.items()))
    reading = read_confined(key, read_results, content_of(draft), dict(choices))
    _check_choices(reading, choices)
    if not draft.extra:
        return reading, None
    name = draft.choices.extra_name
    with draft.extra.open("rb") as file:
        content = bytes(file.read(MAX_BYTES + 1))
    if len(content) > MAX_BYTES:
        raise ImportProblem.of_field(
            "extra", _("%(name)s: more than %(max_bytes)g MB."), name=name, max_bytes=MAX_BYTES / 1e6
        )
    try:
        return reading, read_confined((*key, draft.extra.name), read_scores, content, reading, name)
    except ImportProblem as problem:
        raise ImportProblem(
            _("%(name)s: %(said)s"),
            problem.line,
            problem.column,
            problem.heading,
            {"extra": problem.message},
            name=name,
            said=problem.what,
        ) from None


def _check_choices(reading: Reading, choices: Mapping[str, str]) -> None:
    """Refuse a choice that the file does not leave open: it would change nothing."""
    for name, value in choices.items():
        # Answers to doubts have a colon in their keys: the API checks them by `Reading.check_answers`.
        if value and ":" not in name and name not in reading.options:
            problem = ImportProblem.of_field(
                name,
                _("%(key)s: %(title)s leaves no such choice. Its choices: %(known)s."),
                key=name,
                title=reading.title,
                known=list_names(reading.options) or "-",
            )
            problem.options = reading.options
            raise problem


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
    check_slugs(mapping, [system.slug for system in systems_for(draft.owner)])
    given = {**suggest_for(reading), **mapping}
    with transaction.atomic():
        study = store(draft.owner, reading, Decisions(name, method, given, keep_personal), draft.name, scores)
        discard(draft)
    return study


def keep_answers(draft: ImportDraft, answers: Mapping[str, str], name: str = "", group: str = "") -> None:
    """Keep what the researcher chose so far, for the next preview; nothing is checked, nothing made."""
    draft.choices = draft.choices.model_copy(
        update={"answers": dict(answers), "name": clean_line(name)[:200], "group": group}
    )
    ImportDraft.objects.filter(pk=draft.pk).update(choices=draft.choices)


def start_configuration(
    draft: ImportDraft, name: str, group: str, answers: Mapping[str, str] | None = None
) -> None:
    """Queue the work of making a configuration's study; calling it twice has no effect.

    `answers` are to what the configuration leaves open, see `planning.Plan.doubts`.

    Raises:
        ImportProblem: the name is too long.
    """
    named = check_name(name) if name.strip() else ""
    choices = draft.choices.model_copy(update={"name": named, "group": group, "answers": dict(answers or {})})
    waits = Q(status__in=ImportDraft.UNFINISHED)
    jobs.restart(draft, ~waits, Q(study=None), choices=choices, progress={})


def forget_files(draft: ImportDraft) -> None:
    """Delete a draft's files after its study is made; the draft remains as the report."""
    names = [name for name in (draft.file.name, draft.extra.name) if name]
    ImportDraft.objects.filter(pk=draft.pk).update(file="", extra="")
    delete_files(names)


def discard(draft: ImportDraft) -> None:
    """Delete a draft and its files, and what an import that did not end has made."""
    undo(draft)
    names = [name for name in (draft.file.name, draft.extra.name) if name]
    with transaction.atomic():
        draft.delete()
        delete_files_later(names)
