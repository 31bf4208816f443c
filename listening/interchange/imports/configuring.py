"""Makes clips, systems and a study from a configuration and its audio, in a worker.

Nothing is made before the plan has no problem (`planning`). What is about to be made is stored with the draft
first; if the import fails or its draft is discarded, all of it is removed again (`rollback.undo`).
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from codec.audio import AudioError
from codec.recordings.formats import is_audio
from evaluation.clips.ingest import ClipRejected, ingest
from evaluation.clips.removal import delete_files
from evaluation.clips.rendering import make_rendition
from evaluation.clips.stored import load_audio
from evaluation.models import Clip, Rendition, UploadedSystem
from evaluation.outputs import batches as outputs
from evaluation.outputs.archives import Member, members
from evaluation.outputs.batches import MAX_BATCH_BYTES, MAX_FILES
from evaluation.outputs.comparison import compare
from evaluation.refusals import Refusal, translate_error, translate_note
from evaluation.systems import title_of, uploaded_systems
from evaluation.work import jobs
from listening.columns.drafts import Made, ReportLine
from listening.interchange.imports.configuration import MAX_TEST_ID, read_configuration
from listening.interchange.imports.confined import read_confined
from listening.interchange.imports.content import Configuration, Note
from listening.interchange.imports.drafts import forget_files
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.planning import make_plan
from listening.interchange.imports.reading import ImportProblem, list_names
from listening.interchange.imports.recordings import find_files, inspect
from listening.interchange.imports.rollback import remember, undo
from listening.interchange.imports.table import decode
from listening.interchange.imports.yaml_lines import MAX_BYTES, has_pages
from listening.models import ImportDraft, Study
from listening.study.contents import Excerpt
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
            return _read(draft, file.read(MAX_BYTES + 1))
    with recordings_of(_without_extra(draft)) as inside:
        there = [member for member in inside if member.name.lower().endswith((".yaml", ".yml"))]
        small = [member for member in there if member.size <= MAX_BYTES]
        found = [member for member in small if has_pages(member.read())] if len(there) > 1 else there
        if len(found) != 1:
            raise ImportProblem(
                _(
                    "The zip has %(count)s YAML files (%(found)s), not one. Send the one you mean by "
                    "itself, with the zip as the file that goes with it."
                ),
                count=len(there),
                found=list_names(member.name for member in there),
            )
        if found[0].size > MAX_BYTES:
            raise ImportProblem(_("The configuration is larger than 2 MB."))
        configuration = _read(draft, found[0].read())
        if others := list_names(member.name for member in there if member is not found[0]):
            said = f"{found[0].name} is the configuration; not used, because no pages are in it: {others}."
            configuration.note("left_out", 0, said)
        return configuration


def _without_extra(draft: ImportDraft) -> ImportDraft:
    return ImportDraft(file=draft.file.name)


def _read(draft: ImportDraft, content: bytes) -> Configuration:
    if len(content) > MAX_BYTES:
        raise ImportProblem(_("The configuration is larger than 2 MB."))
    return read_confined(("configuration", draft.file.name), _parse, content)


def _parse(content: bytes) -> Configuration:
    text, notes = decode(content)
    found = read_configuration(text)
    found.digest = hashlib.sha256(content).hexdigest()[:16]
    for note in notes:
        found.note("changed", 0, note)
    return found


def plan_of(
    draft: ImportDraft,
    group: str | None = None,
    answers: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
) -> Plan:
    """Plan the import of a draft, by its stored choices or by others; its recordings are read the first time.

    Raises:
        ImportProblem or ArchiveProblem: the configuration or the zip cannot be read, or (if `strict`) the
            group or an answer is unknown.
    """
    configuration = configuration_of(draft)
    with recordings_of(draft) as inside:
        found = {member.name: member for member in inside if is_audio(member.name)}
        paths = {path: 0 for page in configuration.pages for path in (page.reference, *page.stimuli.values())}
        files = find_files(list(paths), found)
        recordings = draft.choices.recordings
        if recordings is None:
            recordings = inspect(configuration, files, found)
            remember(draft, recordings=recordings)
    plan = make_plan(
        configuration,
        files,
        recordings,
        draft.choices.group if group is None else group,
        draft.choices.answers if answers is None else answers,
        strict=strict,
    )
    if plan.group is not None:
        _check_room(draft, plan)
    return plan


def _check_room(draft: ImportDraft, plan: Plan) -> None:
    """Whether the owner may have as many systems."""
    there = uploaded_systems(draft.owner).count()
    new = sum(system is None for system in _known_systems(draft, plan).values())
    if there + new > outputs.MAX_SYSTEMS:
        plan.problems.append(
            ImportProblem(
                _("You have %(there)s systems, and this import makes %(new)s; %(most)s at most."),
                there=there,
                new=new,
                most=outputs.MAX_SYSTEMS,
            )
        )


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


class Discarded(Refusal):
    """The draft was discarded, or another worker has it, while this one made its study."""

    status = 409


def import_configuration(draft: ImportDraft) -> Study:
    """Make the study of a draft's chosen group of pages. After a worker died, another one continues.

    If it fails, everything that was made is removed again.

    Raises:
        ImportProblem: a recording is missing or unusable, or the study is invalid; it names the line.
    """
    plan = plan_of(draft)
    plan.check()
    try:
        return _make(draft, plan)
    except BaseException:
        # If another worker has the draft now, what there is belongs to it.
        if jobs.is_gone(draft) or jobs.renew(draft):
            undo(draft)
        raise


# -- What there is already, and what will be new


def _known_systems(draft: ImportDraft, plan: Plan) -> dict[str, UploadedSystem | None]:
    """For each of the plan's systems the owner's, if there is one already; else None.

    A system is the same if it comes from the same key of the same file, or if it has the same name and the
    same output for every recording. It is another one if it has another output for one of them.
    """
    recordings = {found.path: found for found in draft.choices.recordings or []}
    wanted: dict[str, dict[str, str]] = {name: {} for name in plan.systems}
    for item in plan.items:
        reference = recordings.get(item.page.reference)
        for name, path in item.stimuli.items():
            if reference is not None and path in recordings:
                wanted[name][reference.sha256] = recordings[path].sha256
    clips = {sha256 for outputs_of in wanted.values() for sha256 in outputs_of}
    there: dict[str, dict[str, str]] = {}
    for row in Rendition.objects.filter(clip__owner=draft.owner, clip__sha256__in=clips).select_related(
        "clip"
    ):
        moved = row.parameters.delay_seconds
        there.setdefault(row.system, {})[row.clip.sha256] = "" if moved else row.parameters.sha256
    found: dict[str, UploadedSystem | None] = {}
    taken: set[str] = set()
    for name in plan.systems:
        found[name] = next(
            (
                system
                for system in uploaded_systems(draft.owner)
                if system.slug not in taken
                and _is_same(system, plan, name, wanted[name], there.get(system.slug, {}))
            ),
            None,
        )
        taken |= {found[name].slug} if found[name] else set()  # type: ignore[union-attr]
    return found


def _is_same(
    system: UploadedSystem, plan: Plan, name: str, wanted: Mapping[str, str], there: Mapping[str, str]
) -> bool:
    if any(there.get(clip, output) != output for clip, output in wanted.items()):
        return False
    if not system.title.startswith(f"{name} ("):
        return False
    title = _title_of(plan, name)
    same_test = system.title == title or system.title.startswith(f"{title} ")
    same_file = same_test and system.note.endswith(_origin(plan))
    return same_file or (bool(wanted) and all(clip in there for clip in wanted))


def _title_of(plan: Plan, name: str) -> str:
    """The title of a new system; `MAX_LABEL` leaves room for the name of the test."""
    configuration = plan.configuration
    return f"{name} ({(configuration.test_id or configuration.name)[:MAX_TEST_ID].strip()})"


def _origin(plan: Plan) -> str:
    return f"(configuration {plan.configuration.digest})"


def _make_systems(draft: ImportDraft, plan: Plan) -> dict[str, UploadedSystem]:
    """The owner's system for each name; new ones are made, and stored with the draft."""
    known = _known_systems(draft, plan)
    titles = {system.title.casefold() for system in uploaded_systems(draft.owner)}
    found: dict[str, UploadedSystem] = {}
    made: list[str] = []
    with transaction.atomic():
        for name, system in known.items():
            if system is None:
                base = title = _title_of(plan, name)
                number = 2
                while title.casefold() in titles:
                    title, number = f"{base} {number}", number + 1
                titles.add(title.casefold())
                system = outputs.save_system(
                    draft.owner, title, f"Imported from {draft.name} {_origin(plan)}"
                )
                made.append(system.slug)
            found[name] = system
            said = "is now" if known[name] is None else "is already"
            plan.notes.append(Note("taken", 0, f"{name} {said} your system “{system.title}”."))
        before = draft.choices.made
        remember(draft, made=before.model_copy(update={"systems": [*before.systems, *made]}))
    return found


def _announce_clips(draft: ImportDraft, plan: Plan, own: Mapping[str, UploadedSystem]) -> None:
    """Store which clips and outputs are about to be made with the draft."""
    recordings = {found.path: found.sha256 for found in draft.choices.recordings or []}
    clips = {recordings[item.page.reference] for item in plan.items}
    pairs = {
        (recordings[item.page.reference], slug)
        for item in plan.items
        for slug in (*plan.method.always, *(own[name].slug for name in item.stimuli))
    }
    there = set(Clip.objects.filter(owner=draft.owner, sha256__in=clips).values_list("sha256", flat=True))
    rendered = set(
        Rendition.objects.filter(clip__owner=draft.owner, clip__sha256__in=clips).values_list(
            "clip__sha256", "system"
        )
    )
    before = draft.choices.made
    remember(
        draft,
        made=Made(
            systems=before.systems,
            clips=sorted({*before.clips, *(clips - there)}),
            renditions=sorted([*before.renditions, *(list(pair) for pair in pairs - rendered)]),
        ),
    )


# -- Making


def _make(draft: ImportDraft, plan: Plan) -> Study:
    with recordings_of(draft) as inside, tempfile.TemporaryDirectory(prefix="earshot-import-") as folder:
        by_name = {member.name: member for member in inside}
        files = {found.path: found.file for found in draft.choices.recordings or []}
        local = {
            path: _unpack(by_name[files[path]], Path(folder), number)
            for number, path in enumerate(plan.paths)
        }
        own = _make_systems(draft, plan)
        _announce_clips(draft, plan, own)
        return _study(draft, plan, own, local)


def _unpack(member: Member, folder: Path, number: int) -> Path:
    path = folder / f"{number}{PurePosixPath(member.name).suffix.lower()[:6]}"
    with path.open("wb") as target:
        member.write_to(target)
    return path


def _study(
    draft: ImportDraft, plan: Plan, own: Mapping[str, UploadedSystem], local: Mapping[str, Path]
) -> Study:
    total = sum(1 + len(item.stimuli) for item in plan.items)
    done = 0
    excerpts: list[Excerpt] = []
    for item in plan.items:
        page = item.page
        clip, new = _clip(
            draft, local[page.reference], page.reference, page.recordings[page.reference], plan.method.always
        )
        if any(excerpt.clip == clip for excerpt in excerpts):
            plan.notes.append(Note("taken", page.line, f"{page.id}: the same reference as a page before it."))
        elif not new:
            plan.notes.append(
                Note("taken", page.line, f"{page.id}: its reference is your clip “{clip.title}” already.")
            )
        excerpts.append(Excerpt(clip, training=item.training, name=page.id))
        done = _tell(draft, done + 1, total)
        for name, path in item.stimuli.items():
            plan.notes += _output(clip, own[name], local[path], path, page.recordings[path])
            done = _tell(draft, done + 1, total)
    lines = sorted(dict.fromkeys(plan.notes), key=lambda note: note.line)
    report = [ReportLine(kind=note.kind, line=note.line, text=note.text) for note in lines]
    choices = draft.choices.model_copy(update={"report": report, "made": Made()})
    with transaction.atomic():  # a worker that dies in between stores neither
        if not jobs.advance(draft):
            raise Discarded(_("The import was discarded while its study was being made."))
        study = create_study(
            draft.owner,
            draft.choices.name or plan.configuration.name,
            [],
            [system.slug for system in own.values()],
            texts=plan.texts,
            excerpts=excerpts,
            method=plan.method.slug,
            options=plan.options,
            sample_rate=plan.rate,
            channels=plan.channels,
            language=plan.configuration.language,
            open_when_ready=False,
        )
        Study.objects.filter(pk=study.pk).update(questionnaire=plan.questionnaire)
        ImportDraft.objects.filter(pk=draft.pk).update(study=study, choices=choices)
    draft.choices = choices
    return study


def _tell(draft: ImportDraft, done: int, total: int) -> int:
    """Store how far it is. Raises `Discarded` if the draft is no longer there."""
    if not ImportDraft.objects.filter(pk=draft.pk).update(progress={"done": done, "total": total}):
        raise Discarded(_("The import was discarded while its study was being made."))
    return done


def _clip(draft: ImportDraft, path: Path, name: str, line: int, always: tuple[str, ...]) -> tuple[Clip, bool]:
    """Make the clip of a reference, and renditions by the systems that the method has in every trial.

    Returns:
        The clip, and whether it is new.
    """
    with path.open("rb") as file:
        sent: Any = File(file, name=PurePosixPath(name.replace("\\", "/")).name)
        try:
            clip, new = ingest(draft.owner, sent, systems=always)
        except ClipRejected as problem:
            raise ImportProblem(_("%(name)s: %(problem)s"), line, name=name, problem=problem) from None
    for slug in always:
        _put_through(clip, slug)
    return clip, new


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
                error=translate_note(row.error),
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


def _output(clip: Clip, system: UploadedSystem, path: Path, name: str, line: int) -> list[Note]:
    """Make the output of a system for a clip, unless there is one; returns what differs from the clip."""
    before = Rendition.objects.filter(clip=clip, system=system.slug).first()
    if before is None:
        try:
            reference, rate = load_audio(clip.audio)
            found = compare(path, reference, settings.UPLOAD_MAX_SECONDS, rate)
        except AudioError as error:
            raise ImportProblem(
                _("%(name)s: %(error)s"), line, name=name, error=translate_error(error)
            ) from None
        with path.open("rb") as file:
            stored = default_storage.save(f"outputs/{uuid.uuid4().hex}{path.suffix}", File(file))
        said = {"uploaded": name, "matched": "by the configuration", "checks": found.as_dict()}
        try:
            before = outputs.keep_output(clip, system, stored, said)
        except BaseException:
            delete_files([stored])
            raise
    warnings = [
        warning for warning in map(str, before.parameters.checks.warnings) if not _is_planned(warning)
    ]
    return [Note("taken", line, f"{name}: {warning}") for warning in warnings]


def _is_planned(warning: str) -> bool:
    """Whether the plan has said it already: what becomes of lengths, rates, channels and levels."""
    return any(
        part in warning
        for part in ("are mixed", "is put alike", "it will be", "match loudness", "at full scale")
    )
