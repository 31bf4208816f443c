"""Simulated listeners: programs that take a study as people would, to try its design beforehand.

`Study.simulation` (`listening.columns.studies.SimulatedListeners`) has their parameters and number. Their
progress is in the study's `Simulation`, a job of `evaluation.work.jobs`.

Their sessions have the kind SIMULATED: they use the same services as real sessions, and only results that
request this kind include them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.models import Score
from evaluation.work import jobs
from listening.columns.studies import SimulatedListeners
from listening.methods import METHODS
from listening.models import Session, Simulation, Stimulus, Study
from listening.session.ratings import finish_trial
from listening.session.sessions import begin, start_session
from listening.simulation.listener import Listener
from listening.study.design import items_per_session
from listening.study.errors import StudyError, read_setting
from listening.study.studies import delete_sessions, delete_simulation

if TYPE_CHECKING:
    from evaluation.analysis.statistics.planning import Plan

#: Numbers of a simulation that are stored as floats, even if whole.
_FLOATS = ("bias", "spread", "items", "use", "careless")
_ASKED = ("listeners", "seed", *_FLOATS)
#: How long a transaction may hold the lock on the study, and with SQLite on everything, seconds.
_HELD_SECONDS = 0.5
#: Quality of the original and of low-passed speech.
ANCHORS = {"original": 100.0, "anchor35": 25.0, "anchor70": 50.0}


def usual_qualities(study: Study) -> dict[str, float]:
    """Estimated quality of each system, 0 to 100: its scaled mean PESQ-WB on the items; 50 if unknown."""
    wanted = [*METHODS[study.method].always, *study.systems]
    stimuli = Stimulus.objects.filter(item__study=study, item__training=False, system__in=study.systems)
    renditions = dict(stimuli.exclude(rendition=None).values_list("rendition", "system"))
    scores: dict[str, list[float]] = {}
    measured = Score.objects.filter(rendition__in=renditions, metric="pesq_wb", value__isnull=False)
    for rendition, value in measured.values_list("rendition", "value"):
        if value is not None:
            scores.setdefault(renditions[rendition], []).append(value)
    found = {}
    for slug in wanted:
        if slug in ANCHORS:
            found[slug] = ANCHORS[slug]
        elif values := scores.get(slug):
            found[slug] = float(round(min(95.0, max(5.0, 100 * (sum(values) / len(values) - 1) / 3.64))))
        else:
            found[slug] = 50.0
    return found


def complete_settings(study: Study, asked: Mapping[str, Any]) -> SimulatedListeners:
    """Complete the settings `asked` by defaults. Raises `StudyError` if they are invalid."""
    wanted = read_setting(SimulatedListeners, asked, "simulation")
    qualities = usual_qualities(study)
    if strange := sorted(set(wanted.qualities) - set(qualities)):
        raise StudyError.of_field(
            f"qualities.{strange[0]}", _("%(slug)r is not in the study."), slug=strange[0]
        )
    return SimulatedListeners.model_validate(
        {name: float(value) if name in _FLOATS else value for name, value in wanted if name in _ASKED}
        | {"qualities": qualities | {slug: float(value) for slug, value in wanted.qualities.items()}}
    )


def read_archived(stored: object) -> SimulatedListeners:
    """Read an archive's settings of the simulation behind its simulated sessions; it does not continue.

    Raises:
        StudyError: they are not settings of simulated listeners.
    """
    known = (
        {name: value for name, value in stored.items() if name != "state"}
        if isinstance(stored, Mapping)
        else stored
    )
    found = read_setting(SimulatedListeners, known, "simulation")
    if stored and not {*_ASKED, "qualities"} - {"seed"} <= found.model_fields_set:
        raise StudyError(_("simulation: these are not settings of simulated listeners."))
    return found


@transaction.atomic
def start(study: Study, asked: Mapping[str, Any]) -> None:
    """Queue a simulation of the study; sessions of an earlier simulation are deleted.

    Raises:
        StudyError: as in `complete_settings`.
    """
    parameters = complete_settings(study, asked)
    Study.objects.select_for_update().get(pk=study.pk)  # before the job, in a worker's order of locking
    row, _new = Simulation.objects.get_or_create(study=study)
    jobs.restart(row)
    study.simulation_job = row
    delete_sessions(study, Session.Kind.SIMULATED)
    study.simulation = parameters.model_copy(update={"asked": timezone.now().isoformat()})
    study.save(update_fields=["simulation"])


def discard(study: Study) -> int:
    """Delete all simulated sessions with their grades; returns how many."""
    return delete_simulation(study)


def state_of(study: Study) -> str:
    """The state of a simulation: "" (none was requested), "running" (or queued), "done" or "failed"."""
    if not study.simulation:
        return ""
    row: Simulation | None = getattr(study, "simulation_job", None)
    if row is None:
        return "done"  # it came with an archive
    return "running" if row.waiting else str(row.status)


def run(study_id: str) -> int:
    """Let simulated listeners take the study one by one; returns how many did.

    Each transaction locks the study and checks the claim, so two workers make no duplicates. A session that a
    killed worker left unfinished is deleted by the next.
    """
    count = 0
    row = jobs.claim(Simulation, study_id)
    if row is None:
        return count
    with jobs.work_on(row, StudyError):
        while (started := _start_next(row)) and _listen(row, *started):
            count += 1
    return count


@transaction.atomic
def _start_next(row: Simulation) -> tuple[Session, int] | None:
    """The next listener's session, and its number from 0; None if nobody is left or the claim is lost."""
    study = _hold(row)
    if study is None:
        return None  # cancelled, or requested again
    number = Simulation.count_made(study)
    if number >= study.simulation.listeners:
        jobs.finish(row)
        return None
    delete_sessions(study, Session.Kind.SIMULATED, finished=None)
    session = start_session(study, kind=Session.Kind.SIMULATED)
    begin(session)
    return session, number


def _hold(row: Simulation) -> Study | None:
    """Lock the study and the claim until the end of the transaction; None if the claim is lost."""
    study = Study.objects.select_for_update().filter(pk=row.study_id).first()
    return study if study is not None and jobs.renew(row) else None


def _listen(row: Simulation, session: Session, number: int) -> bool:
    """One listener takes the whole test through the services that a browser uses.

    A transaction ends after `_HELD_SECONDS`, and others get their turn: people may be grading meanwhile.
    Returns False if the claim is lost.
    """
    listener = Listener(session.study, number)
    systems = dict(Stimulus.objects.filter(item__study=session.study).values_list("pk", "system"))
    waiting = deque(session.trials.order_by("position"))
    while True:
        jobs.let_others_write()
        with transaction.atomic():
            if _hold(row) is None:
                return False
            until = time.monotonic() + _HELD_SECONDS
            for _ in range(len(waiting)):
                trial = waiting.popleft()
                listener.answer(trial, systems)
                finish_trial(trial)
                if time.monotonic() >= until:
                    break
            if not waiting:
                # Simulated listeners do not answer questionnaires, so set the end here.
                Session.objects.filter(pk=session.pk, finished=None).update(finished=timezone.now())
                # Only a whole listener is a step: of one that kills its worker, the next begins anew.
                return jobs.advance(row)


def usual_half_width(study: Study) -> float | None:
    """Default half width of the planned interval: a 20th of the method's scale; None without grades."""
    method = METHODS[study.method]
    if method.lowest is None or method.highest is None:
        return None
    return (method.highest - method.lowest) / 20


def plan_assessors(study: Study, half_width: float, kind: str = Session.Kind.SIMULATED) -> Plan:
    """Plan how many assessors give each system under test a 95 % interval of ± `half_width` points.

    Uses the spread of listeners of this kind over the items of a session.
    """
    from evaluation.analysis.statistics import planning
    from listening.results.methods import score_frame

    return planning.plan(
        score_frame(study, kind),
        half_width,
        items=items_per_session(study),
        exclude=METHODS[study.method].always,
    )
