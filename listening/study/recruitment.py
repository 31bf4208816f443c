"""Where listeners come from: Prolific and Amazon Mechanical Turk, and the way back there.

`Study.recruitment` (`listening.columns.studies.Recruitment`) says which platform, if any. What the platform
says of a person is personal data: it is kept in `Participation` and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from listening.models import Participation, Session, Study

PLATFORMS = {"prolific": "Prolific", "mturk": "Amazon Mechanical Turk"}
#: What Prolific has to append to the study's address; it fills in the parts in braces.
PROLIFIC_QUERY = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
PROLIFIC_COMPLETE = "https://app.prolific.com/submissions/complete"
#: Where MTurk takes assignments; anything else in `turkSubmitTo` is somebody's attempt to be sent the data.
MTURK_HOSTS = ("https://www.mturk.com", "https://workersandbox.mturk.com")
#: Who may show the listener's pages in a frame, where the study is for MTurk.
MTURK_ANCESTORS = ("https://*.mturk.com",)
_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
#: Parameters that are kept, by platform: the person's, then the others.
_PARAMETERS = {
    "prolific": ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"),
    "mturk": ("workerId", "assignmentId", "hitId", "turkSubmitTo"),
}


@dataclass(frozen=True)
class Entry:
    """Who a platform says has come; `references` are the platform's other ids."""

    platform: str
    person: str
    references: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """What the address says that a listener came by.

    Attributes:
        state: "known" with an `entry`; "direct" without a platform; "preview" of an MTurk worker who has
            not accepted the task; "missing" where the study is only for a platform's people.
    """

    state: Literal["known", "direct", "preview", "missing"]
    entry: Entry | None = None


def arrival(study: Study, query: Mapping[str, str]) -> Arrival:
    """Read a platform's parameters; those of other platforms, and what is no id, count for nothing."""
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
    """The session that this person has already, and goes on with."""
    person = participation_of(study, entry) if entry else None
    return person.session if person else None


def participation_of(study: Study, entry: Entry, *, lock: bool = False) -> Participation | None:
    """The person's row, the latest one; None where the person comes for the first time, or begins again.

    Args:
        study: to take part in.
        entry: who a platform says has come.
        lock: until the transaction ends.
    """
    rows = Participation.objects.select_for_update(of=("self",)) if lock else Participation.objects.all()
    rows = rows.select_related("session").filter(study=study, platform=entry.platform, person=entry.person)
    person = rows.order_by("-created", "-id").first()
    if person is None or (person.session and begins_again(study, person.session)):
        return None
    return person


def begins_again(study: Study, session: Session) -> bool:
    """Whether who had this session and returns gets a new one, where the study is set so: it has ended."""
    return study.recruitment.returning == "new" and bool(session.finished or session.screened_out)


def remembered_session(study: Study, token: str, kind: str) -> Session | None:
    """The session that a browser remembers of this study, if it goes on for sessions of this kind."""
    session = Session.objects.filter(study=study, token=token, kind=kind).first() if token else None
    return None if session is None or begins_again(study, session) else session


def is_another_assignment(session: Session, entry: Entry) -> bool:
    """Whether an MTurk worker who is done comes again with another assignment, which cannot be handed in."""
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
    """How a listener hands in at the platform.

    Attributes:
        platform: its name for people.
        code: to show; "" where the platform takes none.
        url: to go to (Prolific) or to post `fields` to (MTurk); "" where there is none.
        fields: hidden fields of the form to post.
    """

    platform: str
    code: str
    url: str
    fields: dict[str, str]


def completion(session: Session) -> Completion | None:
    """The way back of a session that has ended; None for a listener who came by no platform.

    Call it only when `session.finished` or `session.screened_out` is stored: the code is the reward.
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
    # MTurk refuses an assignment without a field of its own.
    fields = {"assignmentId": assignment, "code": session.completion_code, "outcome": outcome}
    return Completion(PLATFORMS["mturk"], session.completion_code, f"{host}/mturk/externalSubmit", fields)
