"""How items and systems are shared out over sessions, and who gets which share.

`Study.design` (`listening.columns.studies.Design`) says how many items and systems a session hears.
Items are shared out in item blocks, systems in system blocks (`listening.study.balance`). A session hears one
item block; from item to item it goes on to the next system block, and sessions of the same item block
begin with different ones. So each listener compares all systems where there are enough items, each item
is heard through all systems by somebody, and hidden reference and anchors are in every trial.

Places count the sessions of a design from 0, without end: place ``p`` is for block ``p % blocks``, and the
first `blocks` places give everything to somebody. The free place of lowest number is given to whoever comes
next: that is the least-filled block, and the place of a drop-out is filled first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

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
    """Blocks of a design: `items` of indices into the graded items, `systems` into ``Study.systems``."""

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
    """How many systems under test a trial has room for besides what is always in it."""
    return method.max_signals - len(method.always)


def plan_of(study: Study, graded: int | None = None) -> Plan:
    """The blocks of the study's design for `graded` items, counted where they are not said."""
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
    """How many systems under test a trial of the study has."""
    return min(study.design.systems_per_trial or len(study.systems), len(study.systems))


def items_per_session(study: Study) -> int:
    """How many graded items a listener hears."""
    graded = study.items.filter(training=False).count()
    return min(study.design.items_per_session or graded, graded)


def fitting(design: Design | Mapping[str, Any], method: AnyMethod, graded: int, systems: int) -> Design:
    """`design` without what shares nothing out, and with a proposal if a trial has no room for all.

    Raises:
        StudyError: it is no design, or asks for what the method has no room for.
    """
    asked = read_setting(Design, design, "design")
    fitted: dict[str, Any] = {}
    if asked.items_per_session is not None and asked.items_per_session < graded:
        fitted["items_per_session"] = asked.items_per_session
    room = room_for_systems(method)
    most = systems_per_trial_of(method)
    chosen = None if most is None else asked.systems_per_trial
    if chosen is not None and chosen > room and chosen < systems:
        raise StudyError(
            _(
                "%(chosen)s systems and %(count)s that are in every trial are more than the "
                "%(max_signals)s signals that %(source)s allows; %(room)s systems at most."
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
        fitted["systems_per_trial"] = propose(systems, most)
    if asked.drop_out_hours is not None and not math.isclose(asked.drop_out_hours, DROP_OUT_HOURS):
        fitted["drop_out_hours"] = asked.drop_out_hours
    return Design.model_validate(fitted)


def systems_per_trial_of(method: AnyMethod) -> int | None:
    """How many systems at most are heard side by side; None for methods that present them otherwise."""
    return room_for_systems(method) if method.side_by_side else None


def propose(systems: int, room: int) -> int:
    """How many systems a trial should have: as many as there is room for, or one or two fewer if that
    lets every two systems be compared almost equally often."""
    for size in range(room, max(room - 3, 1), -1):
        fewest, most = meetings(systems, balanced_blocks(systems, size, 0))
        if fewest and most - fewest <= 1:
            return size
    return room


def covering(plan: Plan, block: int) -> list[tuple[int, ...]]:
    """System blocks, beginning with the block's first, that together show all systems: training (M14)."""
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
    """Into how many trials a training item is split so that all systems are heard."""
    return len(covering(plan, 0))


def drop_out_time(study: Study) -> timedelta:
    """After so long without a sign of life an unfinished session gives its place away."""
    return timedelta(hours=study.design.drop_out_hours or DROP_OUT_HOURS)


def stale_sessions(study: Study, kind: str = Session.Kind.REAL) -> QuerySet[Session]:
    """Unfinished sessions of whose listeners there has been no sign for `drop_out_time`."""
    since = timezone.now() - drop_out_time(study)

    def recent(model: Any, path: str, field: str) -> Exists:
        return Exists(model._default_manager.filter(**{path: OuterRef("pk"), f"{field}__gte": since}))

    return (
        study.sessions.filter(kind=kind, finished=None, created__lt=since)
        .exclude(instructed__gte=since)
        .exclude(recent(Rating, "trial__session", "updated"))
        .exclude(recent(Trial, "session", "started"))
        .exclude(recent(Trial, "session", "finished"))
        .exclude(recent(Stage, "session", "finished"))
    )


def live_sessions(study: Study, kind: str = Session.Kind.REAL) -> QuerySet[Session]:
    """Sessions that hold their places: finished, or under way with a listener who may be expected back."""
    gone = stale_sessions(study, kind).values("pk")
    return study.sessions.filter(kind=kind).filter(
        Q(finished__isnull=False) | (Q(abandoned=None, screened_out=None) & ~Q(pk__in=gone))
    )


def take_place(study: Study, kind: str = Session.Kind.REAL) -> tuple[int, int]:
    """The place in the design of the next session of this kind, and its block: ``(place, block)``.

    Whoever held the place and dropped out is noted as having lost it (`Session.abandoned`), and may still
    finish: nothing is deleted. Call it in the transaction that creates the session, with the study's row
    locked (SQLite: with the write lock), and store both; then two who join at once get two places.
    """
    held = {place_of(session) for session in live_sessions(study, kind).only("study", "place", "number")}
    place = next(number for number in range(len(held) + 1) if number not in held)
    lost = stale_sessions(study, kind).filter(abandoned=None, screened_out=None)
    lost = lost.filter(Q(place=place) | Q(place=None, number=place + 1))
    study.sessions.filter(pk__in=list(lost.values_list("pk", flat=True))).update(abandoned=timezone.now())
    return place, place % plan_of(study).blocks


def place_of(session: Session) -> int:
    """Of a session that began before there were places: its number."""
    return session.number - 1 if session.place is None else session.place
