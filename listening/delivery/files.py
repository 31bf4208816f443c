"""Files that a worker makes for somebody: asked for, made, fetched, and removed after a day.

`KINDS` is the one list of them: each has a function that writes it, and the name under which people save it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from evaluation.clips.removal import delete_files, find_orphans
from evaluation.models import Job
from evaluation.refusals import Refusal, TryLater
from evaluation.work import jobs
from listening.interchange.study_files import parts_of, saved_name
from listening.models import Demo, MadeFile, Study

#: How long a file can be fetched.
LIFETIME = timedelta(days=1)
#: Files that are kept for one person at a time; a program that asks in a loop would fill the disk.
MOST_KEPT = 100
#: A file without a row is removed after so long.
_ABANDONED = timedelta(hours=2)
_FOLDER = "made/"


class TooManyFiles(TryLater):
    """A file for somebody for whom as many are kept as may be, the first since `oldest`."""

    title = _("Too many files")

    def __init__(self, oldest: datetime) -> None:
        left = math.ceil((oldest + LIFETIME - timezone.now()).total_seconds())
        super().__init__(
            _(
                "%(most)s files were made for you within a day, which is the limit. Fetch those that there "
                "are, or try again in %(minutes)s min."
            ),
            seconds=max(60, left),  # one that is due goes with the next `remove_expired`
            most=MOST_KEPT,
        )


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        write: writes the file of a row to a binary file.
        name: the name under which people save it; the storage has another, of its own.
    """

    write: Callable[[MadeFile, IO[bytes]], None]
    name: Callable[[MadeFile], str]


#: What an answer says that it carries, by the suffix of the file's name.
CONTENT_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
}


def _write_archive(row: Any, target: IO[bytes]) -> None:
    from listening.interchange.archive.write import write_archive

    write_archive(row.study, target, personal=is_personal(row))


def _write_export(row: Any, target: IO[bytes]) -> None:
    target.writelines(
        parts_of(row.study, row.options["name"], row.options["kind"], personal=is_personal(row))
    )


def _name_export(row: Any) -> str:
    return saved_name(row.study, row.options["name"], row.options["kind"])


def _write_report(row: Any, target: IO[bytes]) -> None:
    from listening.results import analyses, report
    from listening.results.methods import is_slow

    study, kind, profile = row.study, row.options["kind"], row.options["profile"]
    analysis = analyses.latest_analysis(study, kind, profile) if is_slow(study) else None
    made = row.created.date()
    target.write(report.pdf_of(report.context_of(study, kind, profile, analysis, made=made, files=True)))


def _name_report(row: MadeFile) -> str:
    kind = row.options["kind"]
    return f"report{'' if kind == 'real' else f'-{kind}'}-{row.study_id}.pdf"


def _write_demo(row: MadeFile, target: IO[bytes]) -> None:
    from listening.demos.export import write_export

    write_export(_version_of(row), target)


def _name_demo(row: MadeFile) -> str:
    from listening.demos.export import export_name

    return export_name(_version_of(row))


def _version_of(row: Any) -> Any:
    """The published version of a row's demo: it was there when the file was asked for, and stays."""
    from listening.demos.pages import published_version

    return published_version(row.demo)


KINDS: dict[str, Kind] = {
    MadeFile.Kind.ARCHIVE: Kind(_write_archive, lambda row: f"earshot-{row.study_id}.zip"),
    MadeFile.Kind.REPORT: Kind(_write_report, _name_report),
    MadeFile.Kind.DEMO: Kind(_write_demo, _name_demo),
    MadeFile.Kind.EXPORT: Kind(_write_export, _name_export),
}


def ask_for(owner: User, kind: str, about: Study | Demo, /, **options: str) -> MadeFile:
    """Have a file made, and return its row; the one that waits already, if the same was asked for.

    Check before whether `owner` may have it: it holds what there is when a worker makes it.

    Args:
        owner: whoever asks, the only one who can fetch it.
        kind: one of `KINDS`.
        about: the study or the demo page.
        options: `personal` of an archive, `kind` and `profile` of a report, `name`, `kind` and `personal` of
            another file of a study.

    Raises:
        TooManyFiles: `MOST_KEPT` are kept for them.
    """
    place = {"study": about} if isinstance(about, Study) else {"demo": about}
    with transaction.atomic():
        User.objects.select_for_update().get(pk=owner.pk)  # of two requests at once, the second waits here
        rows = MadeFile.objects.filter(owner=owner, kind=kind, status__in=Job.UNFINISHED, **place)
        waiting = next((row for row in rows if row.options == options), None)
        if waiting is not None:
            return waiting
        kept = MadeFile.objects.filter(owner=owner).order_by("created").values_list("created", flat=True)
        if len(kept) >= MOST_KEPT:
            raise TooManyFiles(oldest=kept[0])
        row = MadeFile.objects.create(owner=owner, kind=kind, options=options, **place)
        transaction.on_commit(lambda: jobs.dispatch([row]))
    return row


def make(pk: str) -> None:
    """Claim a row, make its file and store it: the worker's task."""
    row = jobs.claim(MadeFile, pk)
    if row is None:
        return
    with jobs.work_on(row, Refusal), tempfile.TemporaryFile() as target:
        KINDS[row.kind].write(row, target)
        target.seek(0)
        # Never under a name of another: not every storage keeps a file that has the same.
        row.file.save(f"{uuid4()}{Path(name_of(row)).suffix}", File(target), save=False)
        if not jobs.finish(row, file=row.file.name):
            delete_files([row.file.name])


def name_of(row: MadeFile) -> str:
    """The name under which people save a file."""
    return KINDS[row.kind].name(row)


def title_of(row: MadeFile) -> str:
    """What it is, for the page that follows the work."""
    return row.options.get("name") or capfirst(row.get_kind_display())


def is_personal(row: MadeFile) -> bool:
    """Whether it was asked for with what may identify listeners."""
    return row.options.get("personal") == "yes"


def content_type_of(name: str) -> str:
    """Of the answer that carries a file of this name. Raises `KeyError`: people get no such files."""
    return CONTENT_TYPES[Path(name).suffix]


def remove_expired() -> int:
    """Remove the files whose day is over, and files that lost their row; returns how many rows."""
    old = MadeFile.objects.filter(created__lte=timezone.now() - LIFETIME).exclude(status__in=Job.UNFINISHED)
    names = list(old.values_list("file", flat=True))
    removed, _by_model = old.delete()
    delete_files(names)
    delete_files(list(find_orphans(_ABANDONED, _FOLDER)))
    return removed
