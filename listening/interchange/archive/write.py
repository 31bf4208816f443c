"""Study -> archive: a zip with the document, tables for other programs, and every recording.

The same study gives the same bytes: members are sorted, uncompressed, and have a fixed time.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.core.files.storage import default_storage

from evaluation.models import Rendition
from listening.interchange import exports
from listening.interchange.archive.analysis import analysis_files
from listening.interchange.archive.describe import (
    clip_files,
    describe,
    rendition_files,
    sessions_of,
    stimulus_file,
)
from listening.interchange.archive.fields import ENCODER
from listening.kinds import HIDDEN
from listening.models import Choice, Event, Rating, Session, Stimulus, Study, Trial

#: The earliest time that a zip can store.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20
#: The file that holds all of a study but its sounds.
DOCUMENT = "study.json"

README = """\
A listening test, exported from Earshot. Nothing in it is screened.

study.json       all of it; "Import" on any Earshot reads it back from this archive
{tables}
key.csv          which file under stimuli/ is which system
analysis/        the grades as they are analysed, and scripts (Python, R) that compute the report anew
stimuli/         what listeners heard: excerpts, aligned and loudness-matched, float WAV
clips/           the recordings as they were uploaded, and as the systems got them
renditions/      what each system made of each clip, with its bitstream where there is one
{personal}
"""
_PERSONAL = (
    "This archive holds personal data: platform ids of listeners and their answers. Keep it accordingly."
)
_IMPERSONAL = "Platform ids of listeners and their answers to the questionnaire were left out."


def is_long(study: Study) -> bool:
    """Whether ``study.json`` is too long to be made within a request."""
    kinds = [kind for kind in Session.Kind if kind not in HIDDEN]
    return exports.are_many(study, (Trial, Rating, Choice, Event), kinds)


def document_parts(study: Study, *, personal: bool = False) -> Iterator[bytes]:
    """``study.json``: `describe` as JSON in UTF-8, by sessions, since all of a large study need gigabytes."""
    whole = describe(study, personal=personal, sessions=[])
    # No text in JSON holds a line break, so that this is the list of sessions and nothing else.
    before, after = _to_text(whole).split('\n "sessions": []')
    yield f'{before}\n "sessions": ['.encode()
    end = "]"
    for place, session in enumerate(sessions_of(study, personal=personal)):
        text = _to_text(session).replace("\n", "\n  ")
        yield f"{',' if place else ''}\n  {text}".encode()
        end = "\n ]"
    yield f"{end}{after}\n".encode()


def _to_text(value: object) -> str:
    return json.dumps(value, cls=ENCODER, ensure_ascii=False, indent=1)


def write_archive(study: Study, target: IO[bytes], *, personal: bool = False) -> None:
    """Write the archive of `study` to `target`, open for writing in binary."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, parts in sorted(_texts(study, personal)):
            with archive.open(_member(name, zipfile.ZIP_DEFLATED), "w") as member:
                for part in parts:
                    member.write(part)
        for name, stored in _recordings(study):
            with (
                archive.open(_member(name, zipfile.ZIP_STORED), "w", force_zip64=True) as member,
                default_storage.open(stored, "rb") as source,
            ):
                shutil.copyfileobj(source, member, _CHUNK)


def _member(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    return info


def _texts(study: Study, personal: bool) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files that are not recordings, each part by part, by unique names."""
    tables = list(exports.tables_of(study))
    described = "\n".join(f"{table.name:<16} {table.title}" for table in tables)
    notice = _PERSONAL if personal else _IMPERSONAL
    yield "README.txt", [README.format(tables=described, personal=notice).encode()]
    yield DOCUMENT, document_parts(study, personal=personal)
    yield "key.csv", [exports.csv_text(key_rows(study)).encode()]
    for table in tables:
        yield table.name, table.make(study, "real", personal)
    yield from ((name, [content]) for name, content in analysis_files(study))


def key_rows(study: Study) -> Iterator[list[Any]]:
    """The key to the recordings: one row each, with the gain that matched its loudness."""
    yield ["file", "item", "clip", "start", "end", "training", "system", "gain_db"]
    for row in _stimuli(study):
        item = row.item
        yield [
            stimulus_file(row), item.position, item.title, item.start, item.end, int(item.training),
            row.system, row.gain_db,
        ]  # fmt: skip


def _stimuli(study: Study) -> list[Stimulus]:
    rows = Stimulus.objects.filter(item__study=study).exclude(audio="").select_related("item__clip")
    return list(rows.order_by("item__position", "system"))


def _recordings(study: Study) -> list[tuple[str, str]]:
    """Names in the archive and in the storage, sorted."""
    found = {str(stimulus_file(row)): str(row.audio.name) for row in _stimuli(study)}
    renditions = Rendition.objects.filter(stimuli__item__study=study).select_related("clip").distinct()
    clips = {item.clip for item in study.items.select_related("clip") if item.clip}
    clips |= {row.clip for row in renditions}
    for rendition in renditions:
        files = rendition_files(rendition).items()
        found |= {name: getattr(rendition, kind).name for kind, name in files if name}
    for clip in clips:
        found |= {name: getattr(clip, kind).name for kind, name in clip_files(clip).items() if name}
    return sorted(found.items())
