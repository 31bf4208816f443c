"""How items and systems are divided among sessions, and which session gets which block.

`Study.design` (`listening.columns.studies.Design`) sets how many items and systems a session hears.
Items are divided into item blocks, systems into system blocks (`listening.study.balance`). A session hears
one item block; it moves on to the next system block with each item, and sessions of the same item block
start with different system blocks. So each listener compares all systems if there are enough items, each
item is heard through all systems by some listener, and hidden reference and anchors are in every trial.

Places number the sessions of a design from 0 without limit: place ``p`` belongs to block ``p % blocks``, so
the first `blocks` places cover everything once. A new session gets the lowest free place: it belongs to the
least-filled block, and the places of drop-outs are filled first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from listening.columns.studies import Design
from listening.methods import AnyMethod
from listening.models import Rating, Session, Stage, Study, Trial
from listening.study.balance import balanced_blocks, meetings
from listening.study.errors import StudyError, read_setting

DROP_OUT_HOURS = 24.0


@dataclass(frozen=True)
class Plan:
    """The blocks of a design: `items` are indices of graded items, `systems` of ``Study.systems``."""

    items: tuple[tuple[int, ...], ...]
    systems: tuple[tuple[int, ...], ...]

    @property
    def blocks(self) -> int:
        return len(self.items) * len(self.systems)

    def items_of(self, block: int) -> tuple[int, ...]:
        return self.items[block % len(self.items)]

    def systems_of(self, block: int, item: int) -> tuple[int, ...]:
        """Which systems share the trial of the `item`-th graded item in sessions of this block."""
        return self.systems[(block // len(self.items) + item) % len(self.systems)]


def room_for_systems(method: AnyMethod) -> int:
    """How many systems under test a trial has room for besides the method's permanent signals."""
    return method.max_signals - len(method.always)


def plan_of(study: Study, graded: int | None = None) -> Plan:
    """The blocks of the study's design for `graded` items (default: the study's number of graded items)."""
    if graded is None:
        graded = study.items.filter(training=False).count()
    items = min(study.design.items_per_session or graded, graded)
    return Plan(
        balanced_blocks(graded, items, study.seed, pairs=False) if graded else ((),),
        balanced_blocks(len(study.systems), max(1, systems_per_trial(study)), study.seed)
        if study.systems
        else ((),),
    )


def systems_per_trial(study: Study) -> int:
    """The number of systems under test in a trial of the study."""
    return min(study.design.systems_per_trial or len(study.systems), len(study.systems))


def items_per_session(study: Study) -> int:
    """The number of graded items that a listener hears."""
    graded = study.items.filter(training=False).count()
    return min(study.design.items_per_session or graded, graded)


def fit_design(design: Design | Mapping[str, Any], method: AnyMethod, graded: int, systems: int) -> Design:
    """Drop settings without effect, and propose blocks if a trial has no room for all systems.

    Raises:
        StudyError: `design` is invalid, or a trial of the method has no room for it.
    """
    given = read_setting(Design, design, "design")
    fitted: dict[str, int | float] = {}
    if given.items_per_session is not None and given.items_per_session < graded:
        fitted["items_per_session"] = given.items_per_session
    room = room_for_systems(method)
    most = max_systems_per_trial(method)
    chosen = None if most is None else given.systems_per_trial
    if chosen is not None and chosen > room and chosen < systems:
        raise StudyError.of_field(
            "design.systems_per_trial",
            _(
                "%(chosen)s systems and the %(count)s signals of every trial are more than the "
                "%(max_signals)s signals that %(source)s allows; choose %(room)s systems at most."
            ),
            chosen=chosen,
            count=len(method.always),
            max_signals=method.max_signals,
            source=method.source,
            room=room,
        )
    if chosen is not None and chosen < systems:
        fitted["systems_per_trial"] = chosen
    elif most is not None and systems > most:
        fitted["systems_per_trial"] = propose_systems_per_trial(systems, most)
    if given.drop_out_hours is not None and not math.isclose(given.drop_out_hours, DROP_OUT_HOURS):
        fitted["drop_out_hours"] = given.drop_out_hours
    return Design.model_validate(fitted)


def max_systems_per_trial(method: AnyMethod) -> int | None:
    """The maximum number of systems side by side in a trial; None for other methods."""
    return room_for_systems(method) if method.side_by_side else None


def propose_systems_per_trial(systems: int, room: int) -> int:
    """The number of systems that a trial should have: as many as it has room for, or one or two fewer if
    every two systems are then compared almost equally often."""
    for size in range(room, max(room - 3, 1), -1):
        fewest, most = meetings(systems, balanced_blocks(systems, size, 0))
        if fewest and most - fewest <= 1:
            return size
    return room


def covering_blocks(plan: Plan, block: int) -> list[tuple[int, ...]]:
    """System blocks of a session that together contain all systems: those of its training (M14)."""
    left = {system for systems in plan.systems for system in systems}
    chosen = []
    for step in range(len(plan.systems)):
        systems = plan.systems_of(block, step)
        if step == 0 or left & set(systems):
            chosen.append(systems)
            left -= set(systems)
        if not left:
            break
    return chosen


def training_trials(plan: Plan) -> int:
    """The number of trials of a training item that are needed to present all systems."""
    return len(covering_blocks(plan, 0))


def drop_out_time(study: Study) -> timedelta:
    """The time without activity after which an unfinished session loses its place."""
    return timedelta(hours=study.design.drop_out_hours or DROP_OUT_HOURS)


def stale_sessions(study: Study, kind: str = Session.Kind.REAL) -> QuerySet[Session]:
    """Unfinished sessions without activity for `drop_out_time`."""
    since = timezone.now() - drop_out_time(study)

    def has_recent(model: Any, path: str, field: str) -> Exists:
        return Exists(model._default_manager.filter(**{path: OuterRef("pk"), f"{field}__gte": since}))

    return (
        study.sessions.filter(kind=kind, finished=None, created__lt=since)
        .exclude(instructed__gte=since)
        .exclude(has_recent(Rating, "trial__session", "updated"))
        .exclude(has_recent(Trial, "session", "started"))
        .exclude(has_recent(Trial, "session", "finished"))
        .exclude(has_recent(Stage, "session", "finished"))
    )


def live_sessions(study: Study, kind: str = Session.Kind.REAL) -> QuerySet[Session]:
    """Sessions that keep their places: finished, or in progress and not stale."""
    gone = stale_sessions(study, kind).values("pk")
    return study.sessions.filter(kind=kind).filter(
        Q(finished__isnull=False) | (Q(abandoned=None, screened_out=None) & ~Q(pk__in=gone))
    )


def take_place(study: Study, kind: str = Session.Kind.REAL) -> tuple[int, int]:
    """Assign a place in the design to the next session of this kind; return ``(place, block)``.

    A session that drops out of the place is marked `Session.abandoned` and may still finish: nothing is
    deleted. Call this in the transaction that creates the session, with the study's row locked (SQLite: with
    the write lock), and store both values, so that concurrent sessions get different places.
    """
    since = timezone.now() - drop_out_time(study)
    fields = ("pk", "place", "number", "created", "finished", "abandoned", "screened_out")
    held: set[int] = set()
    waiting: dict[UUID, int] = {}
    any_old = False
    for pk, place, number, created, finished, abandoned, screened_out in (
        study.sessions.filter(kind=kind).values_list(*fields)
    ):  # fmt: skip
        if finished is not None:
            held.add(_place_of(place, number))
        elif abandoned is None and screened_out is None:
            waiting[pk] = _place_of(place, number)
            any_old = any_old or created < since
    # Most studies have no session that began so long ago; to ask which of them are stale takes long.
    stale = set(stale_sessions(study, kind).values_list("pk", flat=True)) if any_old else set()
    held |= {place for pk, place in waiting.items() if pk not in stale}
    free = next(number for number in range(len(held) + 1) if number not in held)
    if lost := [pk for pk, place in waiting.items() if pk in stale and place == free]:
        study.sessions.filter(pk__in=lost).update(abandoned=timezone.now())
    return free, free % plan_of(study).blocks


def place_of(session: Session) -> int:
    """The session's place; for sessions older than places, derived from the number."""
    return _place_of(session.place, session.number)


def _place_of(place: int | None, number: int) -> int:
    return number - 1 if place is None else place
