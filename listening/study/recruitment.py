"""Recruitment by Prolific and Amazon Mechanical Turk: arrival from there and return.

`Study.recruitment` (`listening.columns.studies.Recruitment`) names the platform, if any. The ids of a
person are personal data: they are stored in `Participation` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from listening.models import Participation, Session, Study

PLATFORMS = {"prolific": "Prolific", "mturk": "Amazon Mechanical Turk"}
#: Query that Prolific appends to the study's URL; Prolific fills in the parts in braces.
PROLIFIC_QUERY = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
PROLIFIC_COMPLETE = "https://app.prolific.com/submissions/complete"
#: Hosts to which MTurk assignments may be submitted; any other `turkSubmitTo` could steal the data.
MTURK_HOSTS = ("https://www.mturk.com", "https://workersandbox.mturk.com")
#: Sites that may show the listener's pages of an MTurk study in a frame.
MTURK_ANCESTORS = ("https://*.mturk.com",)
_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
#: Query parameters that are stored, by platform: the person's id, then the others.
_PARAMETERS = {
    "prolific": ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"),
    "mturk": ("workerId", "assignmentId", "hitId", "turkSubmitTo"),
}


@dataclass(frozen=True)
class Entry:
    """A listener's id on a platform; `references` are the platform's other ids."""

    platform: str
    person: str
    references: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """How a listener arrived, according to the URL.

    Attributes:
        state: "known" with an `entry`; "direct" without a platform; "preview" for an MTurk worker who has
            not accepted the task; "missing" if the study needs a platform's id and there is none.
    """

    state: Literal["known", "direct", "preview", "missing"]
    entry: Entry | None = None


def read_arrival(study: Study, query: Mapping[str, str]) -> Arrival:
    """Read a platform's parameters; ignore those of other platforms and invalid ids."""
    platform = study.recruitment.platform
    if platform not in PLATFORMS:
        return Arrival("direct")
    if platform == "mturk" and query.get("assignmentId") == _PREVIEW:
        return Arrival("preview")
    person, *others = (_identifier(name, query.get(name, "")) for name in _PARAMETERS[platform])
    if not person or (platform == "mturk" and not others[0]):
        return Arrival("missing" if study.recruitment.required else "direct")
    names = _PARAMETERS[platform][1:]
    references = {name: value for name, value in zip(names, others, strict=True) if value}
    return Arrival("known", Entry(platform, person, references))


def session_of(study: Study, entry: Entry | None) -> Session | None:
    """The existing session of this person, if any."""
    if entry is None:
        return None
    person = (
        Participation.objects.select_related("session")
        .filter(study=study, platform=entry.platform, person=entry.person)
        .first()
    )
    return person.session if person else None


def is_another_assignment(session: Session, entry: Entry) -> bool:
    """Whether a finished MTurk worker returns with another assignment, which cannot be submitted."""
    if entry.platform != "mturk" or not (session.finished or session.screened_out):
        return False
    kept = session.participation.references
    return kept.get("assignmentId") != entry.references.get("assignmentId")


def _identifier(name: str, value: str) -> str:
    if name == "turkSubmitTo":
        host = value.rstrip("/")
        return host if host in MTURK_HOSTS else ""
    return value if _IDENTIFIER.fullmatch(value) else ""


@dataclass(frozen=True)
class Completion:
    """How a listener reports completion to the platform.

    Attributes:
        platform: its name for display.
        code: completion code to show; "" if the platform uses none.
        url: URL to visit (Prolific) or to which to post `fields` (MTurk); "" if there is none.
        fields: hidden fields of the form.
    """

    platform: str
    code: str
    url: str
    fields: dict[str, str]


def completion(session: Session) -> Completion | None:
    """How the listener of an ended session returns to the platform; None without a platform.

    None, too, before `session.finished` or `session.screened_out` is stored: the code pays the listener.
    """
    person = Participation.objects.filter(session=session).first()
    if person is None or not (session.finished or session.screened_out):
        return None
    if person.platform == "mturk":
        return _mturk(session, person)
    recruitment = session.study.recruitment
    code = recruitment.screened_out_code if session.screened_out else recruitment.code
    url = f"{PROLIFIC_COMPLETE}?{urlencode({'cc': code})}" if code else ""
    return Completion(PLATFORMS["prolific"], code, url, {})


def _mturk(session: Session, person: Participation) -> Completion:
    references = person.references
    host, assignment = references.get("turkSubmitTo", ""), references.get("assignmentId", "")
    if host not in MTURK_HOSTS or not assignment:
        return Completion(PLATFORMS["mturk"], session.completion_code, "", {})
    outcome = "screened out" if session.screened_out else "finished"
    # MTurk rejects an assignment without at least one field besides its id.
    fields = {"assignmentId": assignment, "code": session.completion_code, "outcome": outcome}
    return Completion(PLATFORMS["mturk"], session.completion_code, f"{host}/mturk/externalSubmit", fields)
