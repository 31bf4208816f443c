"""How items and systems are shared out over sessions, and who gets which share."""

from __future__ import annotations

from listening.models import Session, Study


def take_place(study: Study, kind: str = Session.Kind.REAL) -> tuple[int, int]:
    """The place in the design of the next session of this kind, and its block: ``(place, block)``.

    Call it in the transaction that creates the session, with the study's row locked, and store both.
    """
    place = study.sessions.filter(kind=kind).count()
    return place, 0
