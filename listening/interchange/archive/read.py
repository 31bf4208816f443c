"""Archive -> study: turns what `listening.interchange.archive.write` wrote into rows and files again.

Archives are not trusted: every value is validated by its column, every recording is opened, and a file's
name in the document only refers to a member of the zip. The archive is stored completely or not at all.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import soundfile
from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from codec import registry
from codec.base import MAX_CHANNELS
from codec.working import HIGHEST_RATE, LOWEST_RATE
from evaluation.clips.removal import delete_files
from evaluation.models import Clip, Job, Rendition, Score, UploadedSystem
from evaluation.outputs import archives
from evaluation.outputs.archives import ArchiveProblem, open_zip
from evaluation.outputs.batches import MAX_SYSTEMS as MAX_OWN_SYSTEMS
from evaluation.refusals import Refusal
from listening.interchange.archive.describe import FORMAT, VERSION
from listening.interchange.archive.fields import from_json, store
from listening.methods import METHODS
from listening.models import (
    Answer,
    Assessor,
    Choice,
    Deletion,
    Event,
    Item,
    Participation,
    Rating,
    Session,
    Stage,
    Stimulus,
    Study,
    StudyVersion,
    Trial,
)
from listening.simulation import runs as simulation
from listening.study.contents import MAX_ITEMS, MAX_SYSTEMS
from listening.study.design import fit_design
from listening.study.languages import LANGUAGES
from listening.study.preparing import prepare_again
from listening.study.settings import check_settings

#: An object of a document that anybody may have written.
Json = dict[str, Any]

#: Largest ``study.json``, bytes; 100 assessors, 20 items and 12 systems with all events need about 30 MB.
MAX_DOCUMENT_BYTES = 200_000_000
MAX_FILES = 50_000
#: Of a study's language, texts and questionnaire.
MAX_VERSION = 10_000
#: A larger file is unpacked to the disk.
_IN_MEMORY = 8_000_000


@dataclass
class Imported:
    """A study that was imported from an archive.

    Attributes:
        notes: sentences about deviations from the archive, for the importing user.
    """

    study: Study
    notes: list[str] = field(default_factory=list)


def is_archive(source: IO[bytes] | File[bytes]) -> bool:
    """Whether `source` is a zip that contains a study's document; leaves it at its beginning."""
    try:
        with open_zip(source) as archive:
            return "study.json" in archive.namelist()
    except (
        ArchiveProblem,
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        ValueError,
        EOFError,
    ):
        return False
    finally:
        source.seek(0)


def read_archive(source: IO[bytes] | File[bytes], owner: Any) -> Imported:
    """Store the study in the archive `source` as `owner`'s.

    Ids that are free here are kept, so that an export of the imported study equals the archive; links are
    new.

    Raises:
        ArchiveProblem: the file is not an archive, is damaged or has a newer format, or the study exists
            already; nothing was stored.
    """
    with archives.members(source, max_files=MAX_FILES, max_bytes=settings.ARCHIVE_MAX_BYTES) as files:
        return _Reader(files, owner).run()


#: The study's settings that `listening.study.settings` validates as for the API.
_COLUMNS = ("texts", "questionnaire", "headphones", "recruitment", "post_screening", "analysis")
_SETTINGS = ("language", "other_languages", "training_repeats", "opens", "closes")
#: Settings that are validated with the rest of the study, not individually.
_CHECKED = (*_COLUMNS, "design", "method_options", "simulation")


class _Reader:
    def __init__(self, files: list[archives.Member], owner: Any) -> None:
        self.owner = owner
        self.notes: list[str] = []
        self.stored: list[str] = []
        self.ratings: list[Rating] = []
        self.assessors: dict[str, Assessor] = {}
        self.members = {member.name: member for member in files}
        self.document = self._document()

    def run(self) -> Imported:
        try:
            with transaction.atomic():
                study = self._study()
        except BaseException:
            delete_files(self.stored)
            raise
        return Imported(study, self.notes)

    # -- The document

    def _document(self) -> Json:
        member = self.members.get("study.json")
        if member is None:
            raise ArchiveProblem(
                _("There is no study.json in this zip file: it is not an archive of Earshot.")
            )
        if member.size > MAX_DOCUMENT_BYTES:
            raise ArchiveProblem(
                _("study.json has %(size).0f MB, which is too much."), size=member.size / 1e6
            )
        text = member.read()
        if b"\\u0000" in text:
            raise ArchiveProblem(_("study.json has a NUL character in a text, which no database can hold."))
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArchiveProblem(_("study.json cannot be read: %(error)s"), error=error) from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ArchiveProblem(_("study.json is not a study of Earshot."))
        if document.get("version") != VERSION:
            raise ArchiveProblem(
                _("study.json is of version %(value)s; this Earshot reads version %(version)s."),
                value=document.get("version"),
                version=VERSION,
            )
        return document

    def _rows(self, data: Any, name: str, where: str = "study.json") -> Iterator[tuple[str, Json]]:
        """Yield the objects of the list `data[name]` with their positions."""
        rows = data.get(name) if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise ArchiveProblem(_("%(where)s: there is no list %(name)r."), where=where, name=name)
        for index, row in enumerate(rows):
            place = f"{where}, {name}[{index}]"
            if not isinstance(row, dict):
                raise ArchiveProblem(
                    _("%(place)s: expected an object, found %(name)s."), place=place, name=type(row).__name__
                )
            yield place, row

    def _look_up(self, known: dict[Any, Any], key: Any, where: str, what: str) -> Any:
        try:
            return known[key]
        except (KeyError, TypeError):
            raise ArchiveProblem(
                _("%(where)s: there is no %(what)s %(key)r in the archive."), where=where, what=what, key=key
            ) from None

    # -- Recordings

    def _store_file(self, stored: Any, name: Any, where: str) -> None:
        """Store the member `name` in the file column `stored`, under a new name."""
        member = self.members.get(name) if isinstance(name, str) else None
        if member is None:
            raise ArchiveProblem(_("%(where)s: the archive lacks the file %(name)r."), where=where, name=name)
        suffix = f".{name.rsplit('.', 1)[-1]}" if "." in name.rsplit("/", 1)[-1] else ""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as unpacked:
            member.write_to(unpacked)
            unpacked.seek(0)
            stored.save(f"{uuid.uuid4()}{suffix[:10]}", File(unpacked), save=False)
        self.stored.append(stored.name)

    def _store_audio(
        self, stored: Any, name: Any, where: str, rate: int | None, channels: int | None
    ) -> None:
        """Store the member `name`; it must be a recording with `rate` and `channels`, None for any."""
        self._store_file(stored, name, where)
        try:
            with stored.open("rb") as file:
                info = soundfile.info(file)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise ArchiveProblem(
                _("%(where)s: %(name)s is not a readable recording: %(error)s"),
                where=where,
                name=name,
                error=error,
            ) from None
        fits = info.samplerate == rate if rate else LOWEST_RATE <= info.samplerate <= HIGHEST_RATE
        if not fits or not (info.channels == channels if channels else info.channels <= MAX_CHANNELS):
            expected = (
                _(
                    "%(where)s: %(name)s has %(channels)s channels at %(has)s Hz; expected %(count)s at "
                    "%(rate)s Hz."
                )
                if rate and channels
                else _("%(where)s: %(name)s has %(channels)s channels at %(has)s Hz.")
            )
            raise ArchiveProblem(
                expected,
                where=where,
                name=name,
                channels=info.channels,
                has=info.samplerate,
                count=channels,
                rate=rate,
            )

    def _check_format(self, rate: int, channels: int, where: str) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE or not 1 <= channels <= MAX_CHANNELS:
            raise ArchiveProblem(
                _("%(where)s: %(channels)s channels at %(rate)s Hz are not possible."),
                where=where,
                channels=channels,
                rate=rate,
            )

    # -- Material

    def _systems(self) -> None:
        for where, data in self._rows(self.document, "systems"):
            system = from_json(UploadedSystem, data, where, owner=self.owner)
            if system.slug in registry.SYSTEMS:
                raise ArchiveProblem(
                    _("%(where)s: %(slug)r is a system of Earshot's own."), where=where, slug=system.slug
                )
            known = UploadedSystem.objects.filter(slug=system.slug).first()
            if known is None and not UploadedSystem.objects.filter(owner=self.owner, title=system.title):
                store([system])
            elif known is None or known.owner_id != self.owner.pk:
                note = _("The system “%(title)s” is shown by its short name %(slug)s.")
                self.notes.append(note % {"title": system.title, "slug": system.slug})

    def _clips(self) -> dict[str, Clip]:
        clips: dict[str, Clip] = {}
        for where, data in self._rows(self.document, "clips"):
            sha256 = str(data.get("sha256"))
            known = Clip.objects.filter(owner=self.owner, sha256=sha256).first()
            if known is not None:
                clips[sha256] = known
                continue
            clip = from_json(Clip, data, where, owner=self.owner)
            if Clip.objects.filter(pk=clip.pk).exists():
                clip.pk = uuid.uuid4()
            files = data.get("files") or {}
            self._store_file(clip.upload, files.get("upload"), where)
            with clip.upload.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                raise ArchiveProblem(_("%(where)s: the upload differs from its SHA-256."), where=where)
            self._check_format(clip.rate, clip.channels, where)
            self._store_audio(clip.audio, files.get("audio"), where, clip.rate, clip.channels)
            store([clip])
            clips[sha256] = clip
        return clips

    def _renditions(self, clips: dict[str, Clip]) -> dict[tuple[str, str], Rendition]:
        renditions: dict[tuple[str, str], Rendition] = {}
        for where, data in self._rows(self.document, "renditions"):
            clip = self._look_up(clips, data.get("clip"), where, "clip")
            row = from_json(Rendition, data, where, clip=clip)
            key = (clip.sha256, row.system)
            known = Rendition.objects.filter(clip=clip, system=row.system).first()
            if known is not None:
                renditions[key] = known
                note = _("“%(clip)s” through %(system)s existed already: its scores are this server's.")
                self.notes.append(note % {"clip": clip.title, "system": row.system})
                continue
            if row.status not in (Job.Status.DONE, Job.Status.FAILED):
                row.status = Job.Status.QUEUED  # work in progress elsewhere is not in progress here
            if Rendition.objects.filter(pk=row.pk).exists():
                row.pk = uuid.uuid4()
            files = data.get("files") or {}
            if files.get("audio"):
                self._store_audio(row.audio, files["audio"], where, None, None)
            for kind in ("bitstream", "upload"):
                if files.get(kind):
                    self._store_file(getattr(row, kind), files[kind], where)
            row.save(force_insert=True)
            store(
                [
                    from_json(Score, score, place, rendition=row)
                    for place, score in self._rows(data, "scores", where)
                ]
            )
            renditions[key] = row
        return renditions

    # -- The study

    def _study(self) -> Study:
        data = self.document.get("study")
        study: Study = from_json(Study, data, "study.json, study", skip=_CHECKED, owner=self.owner)
        if study.method not in METHODS:
            raise ArchiveProblem(
                _("study.json: this Earshot does not know the method %(method)r."), method=study.method
            )
        self._check_settings(study, data or {})
        self._check_format(study.sample_rate, study.channels, "study.json, study")
        if Study.objects.filter(pk=study.pk).exists():
            raise ArchiveProblem(
                _("The study “%(study)s” is already on this server. Delete it to import the archive."),
                study=study.name,
            )
        study.version = self._number(
            (data or {}).get("version", 1), "study.json, study, version", MAX_VERSION
        )
        self._check_limits(study)
        self._systems()
        clips = self._clips()
        renditions = self._renditions(clips)
        store([study])
        self._versions(study, data or {})
        if study.status == Study.Status.PREPARING:
            prepare_again(study)
        items: dict[int, Item] = {}
        for where, row in self._rows(self.document, "items"):
            clip = self._look_up(clips, row["clip"], where, "clip") if row.get("clip") else None
            item = from_json(Item, row, where, study=study, clip=clip)
            if item.position in items:
                raise ArchiveProblem(
                    _("%(where)s: there are two items %(position)s."), where=where, position=item.position
                )
            item.save(force_insert=True)
            items[item.position] = item
        stimuli = self._stimuli(study, items, renditions)
        self._sessions(study, items, stimuli)
        store(self.ratings)
        for where, row in self._rows(self.document, "deletions"):
            note = from_json(Deletion, row, where, study=study)
            store([note])
        study.refresh_from_db()
        return study

    def _check_limits(self, study: Study) -> None:
        """Hold a study that can be taken here to the limits of one that is made here."""
        items = [row for _where, row in self._rows(self.document, "items") if row.get("clip")]
        if not items:
            return  # held elsewhere, only its results are here
        method = METHODS[study.method]
        training = sum(row.get("training") is True for row in items)
        slugs = {str(row.get("slug")) for _where, row in self._rows(self.document, "systems")}
        owned = set(UploadedSystem.objects.filter(owner=self.owner).values_list("slug", flat=True))
        for count, most, what in (
            (len(items) - training, MAX_ITEMS, _("items")),
            (training, MAX_ITEMS, _("training items")),
            (len(study.systems), MAX_SYSTEMS if method.side_by_side else method.max_systems, _("systems")),
            (len(slugs | owned), MAX_OWN_SYSTEMS, _("systems of your own, with those you have")),
        ):
            if count > most:
                raise ArchiveProblem(
                    _("study.json: %(count)s %(what)s are too many; this server takes %(most)s."),
                    count=count,
                    what=what,
                    most=most,
                )

    def _number(self, value: Any, where: str, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ArchiveProblem(
                _("%(where)s: expected a whole number from 1 to %(most)s."), where=where, most=most
            )
        return value

    def _versions(self, study: Study, data: Json) -> None:
        """What listeners met before the study said what it says now: every version but the last."""
        if study.version == 1:
            return
        rows = [
            from_json(StudyVersion, row, where, study=study)
            for where, row in self._rows(data, "versions", "study.json, study")
        ]
        if sorted(row.number for row in rows) != list(range(1, study.version)):
            raise ArchiveProblem(
                _("study.json, study, versions: expected those before %(version)s, each once."),
                version=study.version,
            )
        store(rows)

    def _check_settings(self, study: Study, data: Json) -> None:
        """Validate the study's objects and lists like those that people send."""
        method = METHODS[study.method]
        if not all(0 < len(slug) <= 64 for slug in study.systems):
            raise ArchiveProblem(_("study.json, study, systems: expected a list of short names."))
        graded = sum(row.get("training") is not True for _where, row in self._rows(self.document, "items"))
        try:
            wanted = {name: data[name] for name in _COLUMNS if name in data}
            wanted |= {name: getattr(study, name) for name in _SETTINGS}
            for name, value in check_settings(wanted).items():
                # A valid value keeps the order of its keys.
                setattr(study, name, wanted[name] if value == wanted[name] else value)
            if design := data.get("design"):
                study.design = fit_design(design, method, graded, len(study.systems))
            if options := data.get("method_options"):
                study.method_options = method.clean_options(options, study.systems)
            study.simulation = simulation.read_archived(data.get("simulation", {}))
        except (Refusal, ValueError, TypeError) as error:
            raise ArchiveProblem(_("study.json, study: %(error)s"), error=error) from None

    def _stimuli(
        self, study: Study, items: dict[int, Item], renditions: dict[tuple[str, str], Rendition]
    ) -> dict[tuple[int, str], Stimulus]:
        stimuli: dict[tuple[int, str], Stimulus] = {}
        for where, data in self._rows(self.document, "stimuli"):
            item = self._look_up(items, data.get("item"), where, "item")
            stimulus = from_json(Stimulus, data, where, item=item)
            if data.get("rendition"):
                sha256 = item.clip.sha256 if item.clip else None
                key = (sha256, stimulus.system)
                stimulus.rendition = self._look_up(renditions, key, where, "rendition")
            if data.get("file"):
                self._store_audio(stimulus.audio, data["file"], where, study.sample_rate, study.channels)
            if (item.position, stimulus.system) in stimuli:
                raise ArchiveProblem(
                    _("%(where)s: %(system)s occurs twice."), where=where, system=stimulus.system
                )
            stimulus.save(force_insert=True)
            stimuli[item.position, stimulus.system] = stimulus
        return stimuli

    # -- People

    def _sessions(
        self, study: Study, items: dict[int, Item], stimuli: dict[tuple[int, str], Stimulus]
    ) -> None:
        numbers: set[int] = set()
        for where, data in self._rows(self.document, "sessions"):
            session = from_json(Session, data, where, study=study, assessor=self._assessor(data, where))
            if session.number in numbers:
                raise ArchiveProblem(
                    _("%(where)s: there are two sessions %(number)s."), where=where, number=session.number
                )
            numbers.add(session.number)
            session.version = self._number(data.get("version", 1), f"{where}, version", study.version)
            if session.language not in ("", *LANGUAGES):
                raise ArchiveProblem(
                    _("%(where)s: there is no language %(value)r."), where=where, value=session.language
                )
            if Session.objects.filter(pk=session.pk).exists():
                session.pk = uuid.uuid4()
            store([session])
            for model, name in ((Stage, "stages"), (Answer, "answers")):
                rows = self._rows(data, name, where)
                store([from_json(model, row, place, session=session) for place, row in rows])
            if data.get("participation"):
                place = f"{where}, participation"
                who = from_json(Participation, data["participation"], place, study=study, session=session)
                store([who])
            for place, row in self._rows(data, "trials", where):
                self._trial(session, row, place, items, stimuli)

    def _assessor(self, data: Json, where: str) -> Assessor:
        """Find the assessor with that code; make one with another code and a note if the code is taken."""
        code = data.get("assessor")
        if not isinstance(code, str) or not 0 < len(code) <= 16:
            raise ArchiveProblem(_("%(where)s: %(code)r is not an assessor's code."), where=where, code=code)
        if code not in self.assessors:
            self.assessors[code] = self._new_assessor(code)
        return self.assessors[code]

    def _new_assessor(self, code: str) -> Assessor:
        if Assessor.objects.filter(code=code).exists():
            assessor = Assessor.objects.create()
            note = _("Assessor %(code)s is called %(here)s here, because the code was in use.")
            self.notes.append(note % {"code": code, "here": assessor.code})
            return assessor
        return Assessor.objects.create(code=code)

    def _trial(
        self,
        session: Session,
        data: Json,
        where: str,
        items: dict[int, Item],
        stimuli: dict[tuple[int, str], Stimulus],
    ) -> None:
        item = self._look_up(items, data.get("item"), where, "item")

        def stimulus(system: Any, place: str) -> Stimulus:
            found: Stimulus = self._look_up(
                stimuli, (item.position, system), place, "stimulus of the item and"
            )
            return found

        order = [
            {**{name: value for name, value in entry.items() if name != "system"},
             "stimulus": stimulus(entry.get("system"), place).pk}
            for place, entry in self._rows(data, "order", where)
        ]  # fmt: skip
        trial = from_json(Trial, data, where, session=session, item=item, order=order)
        trial.save(force_insert=True)
        graded: set[int] = set()
        for place, row in self._rows(data, "ratings", where):
            rating = from_json(Rating, row, place, trial=trial, stimulus=stimulus(row.get("system"), place))
            if not -3 <= rating.score <= 100:
                raise ArchiveProblem(
                    _("%(place)s: %(score)s is not a grade."), place=place, score=rating.score
                )
            if rating.stimulus_id in graded:
                raise ArchiveProblem(_("%(place)s: %(row)s is graded twice."), place=place, row=row["system"])
            graded.add(rating.stimulus_id)
            self.ratings.append(rating)
        if data.get("choice"):
            place, row = f"{where}, choice", data["choice"]
            chosen = stimulus(row["system"], place) if row.get("system") else None
            choice = from_json(Choice, row, place, trial=trial, chosen=chosen)
            store([choice])
        self._events(trial, data, where)

    def _events(self, trial: Trial, data: Json, where: str) -> None:
        names = ("sequence", "kind", "milliseconds", "detail")
        events = data.get("events")
        if not isinstance(events, list) or any(
            not isinstance(event, list) or len(event) != len(names) for event in events
        ):
            raise ArchiveProblem(
                _("%(where)s, events: expected rows of %(count)s: %(names)s."),
                where=where,
                count=len(names),
                names=", ".join(names),
            )
        Event.objects.bulk_create(
            from_json(Event, dict(zip(names, event, strict=True)), f"{where}, events[{index}]", trial=trial)
            for index, event in enumerate(events)
        )
