"""Simulated listeners: programs that take a study as people would, to try its design before anybody does.

`Study.simulation` is empty, or::

    listeners       how many are asked for
    seed            every grade follows from it, the study's seed and the listener's number
    qualities       {system: 0 to 100}, what an ideal listener would grade; methods with another scale put
                    the points on theirs
    bias            standard deviation of listeners' offsets, points
    spread          standard deviation of a grade around what its listener thinks, points
    items           standard deviation of an item's effect on a system, the same for all listeners, points
    use             standard deviation of listeners' use of the scale (1 is what an ideal one uses)
    careless        share of listeners, 0 to 1, who grade at random and miss the hidden reference
    state           "running" until all are made, then "done"
    asked           when, ISO 8601

Their sessions are of kind SIMULATED: they go through the services that real ones go through, and stay out
of all results but those that ask for them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from evaluation.models import Score
from listening.methods import METHODS
from listening.models import Session, Stimulus, Study
from listening.session.ratings import finish_trial
from listening.session.sessions import begin, start_session
from listening.simulation.listener import Listener
from listening.study.design import items_per_session
from listening.study.errors import StudyError
from listening.study.studies import delete_sessions

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.analysis.statistics.planning import Plan

logger = logging.getLogger(__name__)

MOST_LISTENERS = 200
#: What a careful researcher may expect of listeners; from published MUSHRA tests of speech codecs, in round
#: figures: the spread of listener means is some 10 points, that of grades around them some 12.
USUAL = {"bias": 8.0, "spread": 10.0, "items": 5.0, "use": 0.15, "careless": 0.05}
#: Where low-passed speech ends up.
ANCHORS = {"original": 100.0, "anchor35": 25.0, "anchor70": 50.0}
_RANGES = {"bias": (0, 40), "spread": (0, 40), "items": (0, 40), "use": (0, 0.9), "careless": (0, 1)}
#: A message is sent again if nothing has come of it for so long.
_PATIENCE = timedelta(seconds=30)


def usual_qualities(study: Study) -> dict[str, float]:
    """What each system may be worth, 0 to 100: its mean PESQ-WB on the items, stretched; 50 if unknown."""
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


def checked(study: Study, asked: Mapping[str, Any]) -> dict[str, Any]:
    """`asked`, complete. Raises `StudyError` for numbers that make no sense."""
    listeners = asked.get("listeners", 20)
    if not isinstance(listeners, int) or not 1 <= listeners <= MOST_LISTENERS:
        raise StudyError(
            _("The number of simulated listeners is a whole number from 1 to %(most_listeners)s."),
            most_listeners=MOST_LISTENERS,
        )
    found: dict[str, Any] = {"listeners": listeners, "seed": int(asked.get("seed", 1))}
    for name, (low, high) in _RANGES.items():
        value = asked.get(name, USUAL[name])
        if not isinstance(value, (int, float)) or not math.isfinite(value) or not low <= value <= high:
            raise StudyError(
                _("“%(name)s” of simulated listeners is a number from %(low)g to %(high)g."),
                name=name,
                low=low,
                high=high,
            )
        found[name] = float(value)
    qualities = usual_qualities(study)
    for slug, value in dict(asked.get("qualities", {})).items():
        if slug not in qualities:
            raise StudyError(_("%(slug)r is not in the study."), slug=slug)
        if not isinstance(value, (int, float)) or not 0 <= value <= 100:
            raise StudyError(_("The quality of a system is a number from 0 to 100."))
        qualities[slug] = float(value)
    return found | {"qualities": qualities}


def kept(stored: Any) -> dict[str, Any]:
    """What an archive says of the simulation that its simulated sessions came of; it is not gone on with.

    Raises:
        StudyError: it is of another shape than the one above.
    """
    if stored == {}:
        return {}
    numbers = ("listeners", *_RANGES)
    if (
        not isinstance(stored, dict)
        or not isinstance(stored.get("qualities"), dict)
        or not all(_is_number(stored.get(name)) for name in numbers)
        or not all(_is_number(value) for value in stored["qualities"].values())
    ):
        raise StudyError(_("simulation: this is not what simulated listeners are made of."))
    return stored | {"state": "done"}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@transaction.atomic
def start(study: Study, asked: Mapping[str, Any]) -> None:
    """Have simulated listeners take the study; those of an earlier simulation are deleted.

    Raises:
        StudyError: as in `checked`.
    """
    parameters = checked(study, asked)
    delete_sessions(study, Session.Kind.SIMULATED)
    study.simulation = parameters | {"state": "running", "asked": timezone.now().isoformat()}
    study.save(update_fields=["simulation"])
    transaction.on_commit(lambda: _dispatch(study))


def discard(study: Study) -> int:
    """Delete all simulated sessions with their grades; returns how many."""
    with transaction.atomic():
        Study.objects.select_for_update().filter(pk=study.pk).update(simulation={})
        return delete_sessions(study, Session.Kind.SIMULATED)


def made(study: Study) -> int:
    """How many simulated listeners are through."""
    return study.sessions.filter(kind=Session.Kind.SIMULATED).count()  # each came and finished at once


def run(study_id: str) -> int:
    """Let listeners take the study one by one until all are there; returns how many came.

    Each is one transaction behind a lock on the study: a worker that is killed leaves no half of one, and
    two workers make none twice.
    """
    count = 0
    while _next(study_id):
        count += 1
    return count


@transaction.atomic
def _next(study_id: str) -> bool:
    study = Study.objects.select_for_update().filter(pk=study_id).first()
    if study is None or study.simulation.get("state") != "running":
        return False
    number = made(study)
    if number < study.simulation["listeners"]:
        _listen(study, number)
        return True
    study.simulation["state"] = "done"
    study.save(update_fields=["simulation"])
    return False


def _listen(study: Study, number: int) -> None:
    """One listener takes the whole test through the services that a browser uses."""
    session = start_session(study, kind=Session.Kind.SIMULATED)
    begin(session)
    listener = Listener(study, number)
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    for trial in session.trials.order_by("position"):
        listener.answer(trial, systems)
        finish_trial(trial)
    # Programs answer no questions; without this a questionnaire would keep them from the end.
    Session.objects.filter(pk=session.pk, finished=None).update(finished=timezone.now())


def _dispatch(study: Study) -> None:
    from listening.tasks import simulate

    try:
        simulate.delay(str(study.pk))
    except (KombuError, RedisError, OSError) as error:
        logger.warning("Could not send the simulation of %s, the sweeper will: %s", study.pk, error)


def sweep() -> int:
    """Send again the simulations of which nothing has come for a while; returns how many."""
    since = timezone.now() - _PATIENCE
    count = 0
    for study in Study.objects.filter(simulation__state="running"):
        recent = study.sessions.filter(kind=Session.Kind.SIMULATED, created__gte=since).exists()
        if not recent and datetime.fromisoformat(study.simulation["asked"]) < since:
            _dispatch(study)
            count += 1
    return count


def usual_half_width(study: Study) -> float | None:
    """Of the interval that is planned for: a 20th of the method's scale; None where nothing is graded."""
    method = METHODS[study.method]
    if method.lowest is None or method.highest is None:
        return None
    return (method.highest - method.lowest) / 20


def needed(study: Study, half_width: float, kind: str = Session.Kind.SIMULATED) -> Plan:
    """How many assessors make the 95 % interval of each system under test ± `half_width` points wide.

    From the spread of this kind's listeners over the items that a session of the study hears; in BS.1116
    of diff grades, in CCR of what is said of the system.
    """
    from evaluation.analysis.statistics import planning

    return planning.plan(
        _frame(study, kind),
        half_width,
        items=items_per_session(study),
        exclude=METHODS[study.method].always,
    )


def _frame(study: Study, kind: str) -> pd.DataFrame:
    from listening.results.frames import rating_frame
    from listening.results.grading import ccr_frame, diff_frame

    if study.method == "bs1116":
        frame = diff_frame(study, kind)
        return frame.assign(score=frame["score"] - frame["reference"])
    if study.method == "ccr":
        frame = ccr_frame(study, kind)
        return frame.assign(score=frame["score"] * frame["sign"])
    return rating_frame(study, kind)
