"""Study -> one JSON document: settings, material, people, grades and events.

Rows are identified by name: a clip by the SHA-256 of its upload, a system by its slug, an item by its
position, a session by its number, so the document is the same on every server. Access keys (the listener
link, a session's link) are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, cast

from django.db.models import Prefetch, QuerySet

from codec.base import WORKING_RATE
from evaluation.columns import JsonObject
from evaluation.models import Clip, Rendition, UploadedSystem
from listening.interchange.archive.fields import to_json
from listening.kinds import HIDDEN
from listening.models import Item, Rating, Session, Stimulus, Study, Trial
from listening.simulation.runs import state_of

FORMAT = "earshot-study"
#: Increased when older versions of Earshot cannot read the format any more.
VERSION = 1
#: Sessions that are read at a time.
_SESSIONS_AT_ONCE = 20

Json = dict[str, object]


def describe(study: Study, *, sessions: Iterable[Json], personal: bool = False) -> Json:
    """All of `study` as plain JSON values; the same study gives the same document.

    Args:
        sessions: its sessions, or those of them that the document is to have; see `sessions_of`.
        personal: include data that may identify listeners: the crowd-working platforms' ids and the answers
            to the questionnaire. Otherwise both are empty.
    """
    items = list(study.items.select_related("clip").order_by("position"))
    stimuli = list(
        Stimulus.objects.filter(item__study=study)
        .select_related("item", "rendition__clip")
        .order_by("item__position", "system")
    )
    clips = {item.clip.pk: item.clip for item in items if item.clip}
    renditions = {row.rendition.pk: row.rendition for row in stimuli if row.rendition}
    clips |= {row.clip.pk: row.clip for row in renditions.values()}
    scored = Rendition.objects.filter(pk__in=renditions).select_related("clip").prefetch_related("scores")
    uploaded = UploadedSystem.objects.filter(slug__in={row.system for row in stimuli}).order_by("slug")
    return {
        "format": FORMAT,
        "version": VERSION,
        "personal": personal,
        "study": _study(study),
        "systems": [to_json(system) for system in uploaded],
        "clips": [_clip(clip) for clip in sorted(clips.values(), key=lambda clip: clip.sha256)],
        "renditions": [
            _rendition(row) for row in sorted(scored, key=lambda row: (row.clip.sha256, row.system))
        ],
        "items": [_item(item) for item in items],
        "stimuli": [_stimulus(row) for row in stimuli],
        "sessions": list(sessions),
        "deletions": [to_json(note) for note in study.deletions.order_by("number", "deleted", "id")],
    }


def sessions_of(study: Study, *, personal: bool = False) -> Iterator[Json]:
    """Its sessions, some of which are read at a time, with trials, grades and events; `personal` as above."""
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    rows = _sessions(study).iterator(chunk_size=_SESSIONS_AT_ONCE)
    return (_session(row, systems, personal, study.version > 1) for row in rows)


def file_name(kind: str, stored: Any, *parts: object) -> str | None:
    """The path of a stored file in an archive; None without a file."""
    if not stored:
        return None
    return "/".join([*(str(part) for part in parts), kind + PurePosixPath(stored.name).suffix.lower()])


def clip_files(clip: Clip) -> dict[str, str | None]:
    folder = ("clips", clip.sha256[:16])
    return {
        "upload": file_name("upload", clip.upload, *folder),
        "audio": file_name("audio", clip.audio, *folder),
    }


def rendition_files(row: Rendition) -> dict[str, str | None]:
    folder = ("renditions", row.clip.sha256[:16], row.system)
    return {kind: file_name(kind, getattr(row, kind), *folder) for kind in ("audio", "bitstream", "upload")}


def stimulus_file(row: Stimulus) -> str | None:
    return file_name(row.system, row.audio, "stimuli", f"item-{row.item.position:02d}")


def _study(study: Study) -> Json:
    data = to_json(study)
    if not study.analysis:
        del data["analysis"]  # as before there was such a setting: the bytes of an archive stay the same
    if study.channels == 1:
        del data["channels"]  # the same
    if not study.other_languages:
        del data["other_languages"]  # the same
    if study.simulation:
        # "asked" comes last, as ever: the bytes of an archive stay the same.
        made_of = dict(cast("JsonObject", data["simulation"]))
        asked = {"asked": made_of.pop("asked")} if "asked" in made_of else {}
        data["simulation"] = {**made_of, "state": state_of(study), **asked}
    if study.version > 1:
        # A study of one version is described as before there were any.
        data["version"] = study.version
        data["versions"] = [to_json(version) for version in study.versions.order_by("number")]
    return data


def _clip(clip: Clip) -> Json:
    data = to_json(clip)
    # As before clips kept theirs: the bytes of an archive stay the same.
    if (clip.rate, clip.channels) == (WORKING_RATE, 1):
        del data["rate"], data["channels"]
    if clip.speech:
        del data["speech"]
    return {**data, "files": clip_files(clip)}


def _item(item: Item) -> Json:
    data = to_json(item)
    if item.loudness is None:
        del data["loudness"]  # as before it was kept: the bytes of an archive stay the same
    return {**data, "clip": item.clip.sha256 if item.clip else None}


def _rendition(row: Rendition) -> Json:
    scores = sorted(row.scores.all(), key=lambda score: score.metric)
    return {
        **to_json(row),
        "clip": row.clip.sha256,
        "scores": [to_json(score) for score in scores],
        "files": rendition_files(row),
    }


def _stimulus(row: Stimulus) -> Json:
    return {
        **to_json(row),
        "item": row.item.position,
        "rendition": row.rendition_id is not None,
        "file": stimulus_file(row),
    }


def _sessions(study: Study) -> QuerySet[Session]:
    ratings = Rating.objects.select_related("stimulus").order_by("stimulus__system")
    trials = (
        Trial.objects.select_related("item", "choice__chosen")
        .prefetch_related(Prefetch("ratings", ratings), "events")
        .order_by("position")
    )
    return (
        study.sessions.exclude(kind__in=HIDDEN)
        .select_related("assessor", "participation")
        .prefetch_related("stages", "answers", Prefetch("trials", trials))
        .order_by("number")
    )


def _session(session: Session, systems: dict[int, str], personal: bool, versions: bool) -> Json:
    participation = getattr(session, "participation", None)
    data = to_json(session)
    if not session.language:
        del data["language"]  # as before listeners had a choice: the bytes of an archive stay the same
    return {
        **data,
        **({"version": session.version} if versions else {}),
        "assessor": session.assessor.code,
        "stages": [to_json(stage) for stage in session.stages.all()],
        "answers": [to_json(answer) for answer in session.answers.all()] if personal else [],
        "participation": to_json(participation) if personal and participation else None,
        "trials": [_trial(trial, systems) for trial in session.trials.all()],
    }


def _trial(trial: Trial, systems: dict[int, str]) -> Json:
    choice = getattr(trial, "choice", None)
    return {
        **to_json(trial),
        "item": trial.item.position,
        "order": [
            {**{name: value for name, value in entry.items() if name != "stimulus"},
             "system": systems[entry["stimulus"]]}
            for entry in trial.order
        ],
        "ratings": [{**to_json(row), "system": row.stimulus.system} for row in trial.ratings.all()],
        "choice": {**to_json(choice), "system": choice.chosen.system if choice.chosen else None}
        if choice
        else None,
        "events": [[row.sequence, row.kind, row.milliseconds, row.detail] for row in trial.events.all()],
    }  # fmt: skip
