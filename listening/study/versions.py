"""What listeners have met stays as they met it: other texts, questions or language are another version.

A study's columns hold the version in force, numbered `Study.version`; `StudyVersion` holds those that came
before, and `Session.version` says which one its listener meets, from the consent to the thanks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.db.models import Count

from listening.columns.questions import Question
from listening.columns.versions import VersionContent
from listening.models import Session, Study, StudyVersion

#: The columns of a study that a version is made of.
VERSIONED = ("language", "texts", "questionnaire")
#: Sessions of people, who have met what the study says.
_MET = (Session.Kind.REAL, Session.Kind.PILOT)


def content_of(study: Study) -> VersionContent:
    """What the study says and asks now."""
    return VersionContent.model_validate({name: getattr(study, name) for name in VERSIONED})


def digest_of(study: Study) -> str:
    """A short text that changes with what the study says and asks."""
    return hashlib.sha256(content_of(study).model_dump_json().encode()).hexdigest()[:16]


def keep_version(now: Study, changed: Study) -> bool:
    """Keep what `now` says as a version of its own, if `changed` says otherwise and a listener has met it.

    Sets `changed.version` then; the caller stores it.

    Args:
        now: as it is stored, locked.
        changed: the same study, about to be stored.
    """
    if all(getattr(now, name) == getattr(changed, name) for name in VERSIONED):
        return False
    if not now.sessions.filter(kind__in=_MET, version=now.version).exists():
        return False
    StudyVersion.objects.create(study=now, number=now.version, content=content_of(now))
    changed.version = now.version + 1
    return True


def apply_version(session: Session) -> Session:
    """The session with a study that says and asks what its listener has met.

    So is the language that the listener has chosen. The study's columns are overlaid in memory, and are not
    to be stored.
    """
    study = session.study
    if session.version != study.version:
        met = StudyVersion.objects.filter(study=study.pk, number=session.version).first()
        if met is not None:
            for name in VERSIONED:
                setattr(study, name, getattr(met.content, name))
            study.version = session.version
    if session.language and session.language != study.language:
        study.other_languages = [study.language, *study.other_languages]
        study.language = session.language
    return session


def questions_ever(study: Study) -> list[Question]:
    """The questions of all versions, each once by its name: those asked now first."""
    found = {question.name: question for question in study.questionnaire}
    for version in study.versions.order_by("-number"):
        for question in cast(list[Question], version.content.questionnaire):
            found.setdefault(question.name, question)
    return list(found.values())


class Met:
    """What tables say of what a session's listener has met: nothing where all have met the same.

    Attributes:
        columns: ``study_version`` if the study has several, ``language`` if listeners had a choice.
    """

    def __init__(self, study: Study) -> None:
        chosen = study.other_languages or study.sessions.exclude(language="").exists()
        self.columns = [*(["study_version"] if study.version > 1 else []), *(["language"] if chosen else [])]
        self._usual = study.language
        self._languages = {row.number: row.content.language for row in study.versions.all()} if chosen else {}

    def cells(self, session: Session) -> list[int | str]:
        """The cells of `columns`."""
        language = session.language or self._languages.get(session.version, self._usual)
        values: dict[str, int | str] = {"study_version": session.version, "language": language}
        return [values[name] for name in self.columns]


@dataclass(frozen=True)
class Version:
    """A version for the study's page: what is new in it, how many met it, until when."""

    number: int
    changed: list[str]
    sessions: int
    ended: datetime | None


def versions_of(study: Study) -> list[Version]:
    """All versions of the study, the first one first; empty where there is one."""
    if study.version == 1:
        return []
    kept = list(study.versions.order_by("number"))
    contents = [*(row.content for row in kept), content_of(study)]
    people = study.sessions.filter(kind__in=_MET).order_by()
    met = dict(people.values_list("version").annotate(count=Count("pk")))
    return [
        Version(
            number=number,
            changed=[
                name for name in VERSIONED if before and getattr(before, name) != getattr(content, name)
            ],
            sessions=met.get(number, 0),
            ended=row.ended if row else None,
        )
        for number, before, content, row in zip(
            range(1, len(contents) + 1), [None, *contents], contents, [*kept, None], strict=False
        )
    ]
