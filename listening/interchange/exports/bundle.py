"""All tables of a study as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from django.db.models import Model

from listening.interchange.exports.choices import (
    bs1116_rows,
    choices_rows,
    lss_rows,
    paired_rows,
)
from listening.interchange.exports.events import events_rows
from listening.interchange.exports.parquet import parquet_bytes
from listening.interchange.exports.ratings import ratings_rows
from listening.interchange.exports.tables import csv_parts
from listening.interchange.exports.webmushra import mushra_rows, php_csv_parts
from listening.kinds import kinds_of
from listening.methods import METHODS, AnyMethod
from listening.models import Choice, Event, Rating, Study, Trial

#: Trials, grades, answers and events, together, that are read within a request: some 100 µs of processor time
#: each. Files of more are made by a worker.
MOST_AT_ONCE = 5000

_GRADES, _CHOICES, _EVENTS = (Trial, Rating), (Trial, Choice), (Event,)


class Table(NamedTuple):
    """A file that a study can be exported as.

    Attributes:
        name: of the file.
        title: short description.
        fits: whether studies with a method have it.
        reads: what is read for it: trials, grades, answers, events.
        make: gives the file's bytes, part by part, from a study, a kind of sessions and whether to include
            personal data.
    """

    name: str
    title: str
    fits: Callable[[AnyMethod], bool]
    reads: tuple[type[Model], ...]
    make: Callable[[Study, str, bool], Iterator[bytes]]


def _always(method: AnyMethod) -> bool:
    return True


def _page(page_type: str) -> Callable[[AnyMethod], bool]:
    """Returns whether a method corresponds to this type of webMUSHRA's pages."""
    return lambda method: page_type in method.webmushra


TABLES = (
    Table(
        "ratings.csv", "every grade, one row each", _always, _GRADES,
        lambda study, kind, personal: _encode(csv_parts(ratings_rows(study, kind))),
    ),
    Table(
        "ratings.parquet", "the same table, typed", _always, _GRADES,
        lambda study, kind, personal: iter([parquet_bytes(
            ratings_rows(study, kind), {} if kind == "real" else {"earshot.kind": kind}
        )]),
    ),
    Table(
        "events.csv", "what happened in the pages", _always, _EVENTS,
        lambda study, kind, personal: _encode(csv_parts(events_rows(study, kind))),
    ),
    Table(
        "mushra.csv", "the grades as webMUSHRA writes them", _page("mushra"), _GRADES,
        lambda study, kind, personal: _encode(php_csv_parts(mushra_rows(study, kind, personal=personal))),
    ),
    Table(
        "choices.csv", "every answer, one row each", lambda method: not method.takes_grades, _CHOICES,
        lambda study, kind, personal: _encode(csv_parts(choices_rows(study, kind))),
    ),
    Table(
        "paired_comparison.csv", "the answers as webMUSHRA writes them", _page("paired_comparison"), _CHOICES,
        lambda study, kind, personal: _encode(php_csv_parts(paired_rows(study, kind, personal=personal))),
    ),
    Table(
        "bs1116.csv", "the grades as webMUSHRA writes them", _page("bs1116"), _GRADES,
        lambda study, kind, personal: _encode(php_csv_parts(bs1116_rows(study, kind, personal=personal))),
    ),
    Table(
        "lss.csv", "the grades as webMUSHRA writes them", _page("likert_single_stimulus"), _GRADES,
        lambda study, kind, personal: _encode(php_csv_parts(lss_rows(study, kind, personal=personal))),
    ),
)  # fmt: skip


def tables_of(study: Study) -> Iterator[Table]:
    """The tables of studies with this method."""
    return (table for table in TABLES if table.fits(METHODS[study.method]))


def table_parts(study: Study, name: str, kind: str = "real", *, personal: bool = False) -> Iterator[bytes]:
    """The table `name` of the study, part by part; what is refused is refused at once.

    Args:
        kind: of sessions, as `listening.kinds.kinds_of` names them.
        personal: include data that may identify listeners.

    Raises:
        KeyError: there is no such table for this method.
        ValueError: there is no such kind.
    """
    made = _table_of(study, name).make
    kinds_of(kind)
    return made(study, kind, personal)


def is_long(study: Study, name: str, kind: str = "real") -> bool:
    """Whether the table `name` is too long to be made within a request. Raises as `table_parts` does."""
    return are_many(study, _table_of(study, name).reads, kinds_of(kind))


def are_many(study: Study, models: Iterable[type[Model]], kinds: Iterable[str]) -> bool:
    """Whether sessions of some kinds have more than `MOST_AT_ONCE` trials, grades, answers or events.

    Args:
        models: which of these are counted, together: `Trial`, `Rating`, `Choice`, `Event`.
        kinds: of sessions, as rows have them.
    """
    left = MOST_AT_ONCE
    for model in models:
        session = "session" if model is Trial else "trial__session"
        rows = model._default_manager.filter(
            **{f"{session}__study": study, f"{session}__kind__in": list(kinds)}
        )
        left -= rows.order_by()[: left + 1].count()  # counts no further than it has to
        if left < 0:
            return True
    return False


def _table_of(study: Study, name: str) -> Table:
    return {entry.name: entry for entry in tables_of(study)}[name]


def table(study: Study, name: str, kind: str = "real", *, personal: bool = False) -> bytes:
    """The same as one file."""
    return b"".join(table_parts(study, name, kind, personal=personal))


def _encode(parts: Iterator[str]) -> Iterator[bytes]:
    return (part.encode() for part in parts)
