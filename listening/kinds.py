"""Which sessions count: real ones, and those of tests held elsewhere; others are asked for by name."""

from __future__ import annotations

from listening.models import Session

#: What figures and tables are made of, unless somebody asks for a trial run.
COUNTED = (Session.Kind.REAL, Session.Kind.IMPORTED)


def kinds_of(name: str) -> tuple[Session.Kind, ...]:
    """The kinds that belong together under `name`: "real", "pilot" or "simulated". They are never mixed.

    Raises:
        ValueError: there is no such kind.
    """
    kind = Session.Kind(name)
    return COUNTED if kind in COUNTED else (kind,)
