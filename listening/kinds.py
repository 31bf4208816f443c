"""Kinds of sessions: real and imported ones count by default; others are selected by name."""

from __future__ import annotations

from listening.models import Session

#: Kinds in figures and tables by default.
COUNTED = (Session.Kind.REAL, Session.Kind.IMPORTED)
#: Kinds that leave no trace: no figure, table, list or export has them.
HIDDEN = (Session.Kind.PREVIEW,)


def kinds_of(name: str) -> tuple[Session.Kind, ...]:
    """The kinds under `name`: "real", "pilot" or "simulated". Different names are never mixed.

    Raises:
        ValueError: there is no such kind.
    """
    kind = Session.Kind(name)
    if kind in HIDDEN:
        raise ValueError(f"Sessions of the kind {name!r} have no results.")
    return COUNTED if kind in COUNTED else (kind,)
