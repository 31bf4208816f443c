"""Makes clips, systems and a study from a configuration and its audio, in a worker."""

from __future__ import annotations

import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from codec.audio import AudioError
from evaluation.clips.ingest import ClipRejected, ingest
from evaluation.clips.rendering import make_rendition
from evaluation.clips.stored import load_audio
from evaluation.models import Clip, Rendition, UploadedSystem
from evaluation.outputs import batches as outputs
from evaluation.outputs.archives import ArchiveProblem, Member, members
from evaluation.outputs.batches import MAX_BATCH_BYTES, MAX_FILES
from evaluation.outputs.comparison import compare
from evaluation.outputs.matching import is_audio
from evaluation.refusals import Refusal
from evaluation.systems import title_of, uploaded_systems
from evaluation.work import jobs
from listening.columns.drafts import ReportLine
from listening.interchange.imports.configuration import Configuration, Group, read_configuration
from listening.interchange.imports.drafts import forget_files
from listening.interchange.imports.reading import ImportProblem, list_names
from listening.interchange.imports.table import decode
from listening.interchange.imports.yaml_lines import MAX_BYTES
from listening.methods import METHODS
from listening.models import ImportDraft, Study
from listening.study.contents import Excerpt
from listening.study.languages import LANGUAGES
from listening.study.questionnaire import check_questionnaire
from listening.study.studies import create_study

#: How long to wait for another worker that has the same recording, seconds.
_PATIENCE = 120


@contextmanager
def recordings_of(draft: ImportDraft) -> Iterator[list[Member]]:
    """The files of a draft's zip; empty without a zip. Raises `ArchiveProblem`."""
    stored = draft.extra if draft.extra else draft.file
    with stored.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            yield []
            return
        file.seek(0)
        with members(file, max_files=2 * MAX_FILES, max_bytes=MAX_BATCH_BYTES) as inside:
            yield inside


def configuration_of(draft: ImportDraft) -> Configuration:
    """Read the draft's YAML, in its zip or separate. Raises `ImportProblem` or `ArchiveProblem`."""
    with draft.file.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head != b"PK\x03\x04":
            return _read(file.read(MAX_BYTES + 1))
    with recordings_of(_without_extra(draft)) as inside:
        found = [member for member in inside if member.name.lower().endswith((".yaml", ".yml"))]
        if len(found) != 1:
            raise ImportProblem(
                _(
                    "The zip has %(count)s YAML files (%(found)s), not one. Send the one you mean by "
                    "itself, with the zip as the file that goes with it."
                ),
                count=len(found),
                found=list_names(member.name for member in found),
            )
        if found[0].size > MAX_BYTES:
            raise ImportProblem(_("The configuration is larger than 2 MB."))
        return _read(found[0].read())


def _without_extra(draft: ImportDraft) -> ImportDraft:
    return ImportDraft(file=draft.file.name)


def _read(content: bytes) -> Configuration:
    if len(content) > MAX_BYTES:
        raise ImportProblem(_("The configuration is larger than 2 MB."))
    text, notes = decode(content)
    found = read_configuration(text)
    for note in notes:
        found.note("changed", 0, note)
    return found


def locate(paths: list[str], names: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Find the file of a zip for each path of a configuration; also returns reasons for missing ones.

    A path matches the file that shares the longest ending with it, if there is only one.
    """
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    parts = {name: PurePosixPath(name).parts for name in names}
    for path in paths:
        wanted = PurePosixPath(path.replace("\\", "/").removeprefix("./")).parts
        shared = Counter({name: _shared_end(wanted, own) for name, own in parts.items()})
        best = shared.most_common(2)
        if not best or best[0][1] == 0:
            missing[path] = "it is not in the zip"
        elif len(best) > 1 and best[0][1] == best[1][1]:
            missing[path] = f"it may be {best[0][0]} or {best[1][0]}"
        else:
            found[path] = best[0][0]
    return found, missing


def _shared_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for ours, theirs in zip(reversed(one), reversed(other), strict=False):
        if ours.casefold() != theirs.casefold():
            break
        count += 1
    return count


def run(draft_id: str) -> None:
    """Do the worker's part: claim a draft, make its study and delete the uploaded files."""
    row = jobs.claim(ImportDraft, draft_id)
    if row is None:
        return
    with jobs.work_on(row, Refusal):
        if row.study_id is None:
            import_configuration(row)
        if jobs.finish(row):
            forget_files(row)


def import_configuration(draft: ImportDraft) -> Study:
    """Make the study of a draft's chosen group of pages. After a worker died, another one continues.

    Raises:
        ImportProblem: a recording is missing or unusable, or the study is invalid; it names the line.
    """
    configuration = configuration_of(draft)
    group = configuration.group(draft.choices.group)
    for other in configuration.groups:
        if other is not group:
            lines = ", ".join(str(page.line) for page in other.pages)
            configuration.note(
                "left_out", other.pages[0].line,
                f"{len(other.pages)} pages of {METHODS[other.method].title} with {len(other.systems)} "
                f"systems (lines {lines}): a study has one method and the same systems for all items. "
                "Import the file again for them.",
            )  # fmt: skip
    paths = configuration.paths(group)
    with recordings_of(draft) as inside, tempfile.TemporaryDirectory(prefix="earshot-import-") as folder:
        by_name = {member.name: member for member in inside}
        found, missing = locate(list(paths), [name for name in by_name if is_audio(name)])
        if missing:
            path, why = next(iter(missing.items()))
            text = (
                ngettext_lazy(
                    "%(path)s: %(why)s. %(more)s more is missing.",
                    "%(path)s: %(why)s. %(more)s more are missing.",
                    len(missing) - 1,
                )
                if len(missing) > 1
                else _("%(path)s: %(why)s.")
            )
            raise ImportProblem(text, paths[path], path=path, why=why, more=len(missing) - 1)
        local: dict[str, Path] = {}
        for number, path in enumerate(paths):
            local[path] = Path(folder) / f"{number}{PurePosixPath(path).suffix.lower()[:6]}"
            with local[path].open("wb") as target:
                try:
                    by_name[found[path]].write_to(target)
                except ArchiveProblem as problem:
                    raise ImportProblem(problem, paths[path]) from None
        return _study(draft, configuration, group, local)


def _study(draft: ImportDraft, configuration: Configuration, group: Group, local: dict[str, Path]) -> Study:
    method = METHODS[group.method]
    own = _systems(draft, configuration, group)
    total = sum(1 + len(page.stimuli) for page in group.pages)
    done = 0
    excerpts: list[Excerpt] = []
    kept: dict[tuple[Any, str], tuple[str, int]] = {}
    for page in group.pages:
        clip = _clip(draft, local[page.reference], page.reference, page.line, method.always)
        if any(excerpt.clip == clip for excerpt in excerpts):
            configuration.note("changed", page.line, f"{page.id}: the same reference as a page before it.")
        excerpts.append(Excerpt(clip, name=page.id[:200]))
        done = _tell(draft, done + 1, total)
        for key, path in page.stimuli.items():
            before = kept.setdefault((clip.pk, key), (path, page.line))
            if before[0] != path:
                raise ImportProblem(
                    _(
                        "%(key)s of %(reference)s is %(path)s here and %(earlier)s in line %(there)s: a "
                        "system has one output for a recording."
                    ),
                    page.line,
                    key=key,
                    reference=page.reference,
                    path=path,
                    earlier=before[0],
                    there=before[1],
                )
            if before == (path, page.line):
                _output(configuration, clip, own[key], local[path], path, page.line)
            done = _tell(draft, done + 1, total)
    if method.has_checklist:
        configuration.note("changed", 0, "webMUSHRA has no training: mark an item for it, or add one (M14).")
    language = _language(configuration)
    lines = sorted(configuration.notes, key=lambda note: note.line)
    report = [ReportLine(kind=note.kind, line=note.line, text=note.text) for note in lines]
    draft.choices = draft.choices.model_copy(update={"report": report})
    with transaction.atomic():  # a worker that dies in between stores neither
        study = create_study(
            draft.owner,
            draft.choices.name or configuration.name,
            [],
            [system.slug for system in own.values()],
            texts=configuration.texts,
            excerpts=excerpts,
            method=method.slug,
            options=method.webmushra_options,
            language=language,
            open_when_ready=False,
        )
        questions = check_questionnaire(configuration.questions)
        Study.objects.filter(pk=study.pk).update(questionnaire=questions)
        ImportDraft.objects.filter(pk=draft.pk).update(study=study, choices=draft.choices)
    return study


def _tell(draft: ImportDraft, done: int, total: int) -> int:
    ImportDraft.objects.filter(pk=draft.pk).update(progress={"done": done, "total": total})
    return done


def _language(configuration: Configuration) -> str:
    if configuration.language in LANGUAGES:
        return configuration.language
    configuration.note(
        "changed", 0, f"The language {configuration.language} is not available; English is used."
    )
    return "en"


def _systems(draft: ImportDraft, configuration: Configuration, group: Group) -> dict[str, UploadedSystem]:
    """The owner's system for each name of the group: from an earlier attempt, or new."""
    note = f"Imported from {draft.name} ({draft.pk})"
    known = {system.title: system for system in uploaded_systems(draft.owner)}
    found: dict[str, UploadedSystem] = {}
    for key in group.systems:
        base = f"{key} ({configuration.test_id or configuration.name})"[:90]
        title, number = base, 2
        while title in known and known[title].note != note:
            title, number = f"{base} {number}", number + 1
        found[key] = known.get(title) or outputs.save_system(draft.owner, title, note)
        configuration.note("changed", 0, f"{key} is your system “{found[key].title}”.")
    return found


def _clip(draft: ImportDraft, path: Path, name: str, line: int, always: tuple[str, ...]) -> Clip:
    """Make the clip of a reference, and renditions by the systems that the method has in every trial."""
    with path.open("rb") as file:
        sent: Any = File(file, name=PurePosixPath(name).name)
        try:
            clip, _new = ingest(draft.owner, sent, systems=always)
        except ClipRejected as problem:
            raise ImportProblem(_("%(name)s: %(problem)s"), line, name=name, problem=problem) from None
    for slug in always:
        _put_through(clip, slug)
    return clip


def _put_through(clip: Clip, slug: str) -> None:
    """Make the clip's rendition by a system now, or wait for the worker that is making it."""
    end = monotonic() + _PATIENCE
    while True:
        row = Rendition.objects.get(clip=clip, system=slug)
        if row.status == Rendition.Status.DONE:
            return
        if row.status == Rendition.Status.FAILED:
            raise ImportProblem(
                _("“%(clip)s” failed in %(system)s: %(error)s"),
                clip=clip.title,
                system=title_of(row.system),
                error=row.error,
            )
        if row.status == Rendition.Status.QUEUED:
            make_rendition(str(row.pk))
        elif monotonic() > end:
            raise ImportProblem(
                _("“%(clip)s” is still being processed by %(system)s. Try again later."),
                clip=clip.title,
                system=title_of(row.system),
            )
        else:
            sleep(0.5)


def _output(
    configuration: Configuration, clip: Clip, system: UploadedSystem, path: Path, name: str, line: int
) -> None:
    if Rendition.objects.filter(clip=clip, system=system.slug).exists():
        return  # from an earlier attempt
    try:
        found = compare(path, load_audio(clip.audio), settings.UPLOAD_MAX_SECONDS)
    except AudioError as error:
        raise ImportProblem(_("%(name)s: %(error)s"), line, name=name, error=error) from None
    for warning in found.warnings:
        configuration.note("changed" if "will be" in warning else "taken", line, f"{name}: {warning}")
    with path.open("rb") as file:
        stored = default_storage.save(f"outputs/{uuid.uuid4().hex}{path.suffix}", File(file))
    said = {"uploaded": name, "matched": "by the configuration", "checks": found.as_dict()}
    outputs.keep_output(clip, system, stored, said)
