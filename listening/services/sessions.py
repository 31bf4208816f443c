"""A listener's way through a study: starting a session and its steps."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from listening.models import Assessor, Session, Study, Trial
from listening.services.errors import StudyClosed
from listening.services.orders import derive_seed, draw_trials


@transaction.atomic
def start_session(study: Study) -> Session:
    """Begin a listener's session with its whole order drawn and stored.

    Orders follow from the study's seed and the session's number alone: training first, then the
    items in random order, in each trial all signals in random order (M16).

    Raises:
        StudyClosed: the study is closed or not ready.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)  # numbers are counted one at a time
    check_open(study)
    number = 1 + max(
        study.sessions.aggregate(last=Max("number"))["last"] or 0,
        # A deleted session's number, and the order drawn from it, is not given again.
        study.deletions.aggregate(last=Max("number"))["last"] or 0,
    )
    seed = derive_seed(study.seed, number)
    session = Session.objects.create(
        study=study,
        assessor=Assessor.objects.create(),
        number=number,
        seed=seed,
        completion_code=secrets.token_hex(4).upper(),
    )
    Trial.objects.bulk_create(draw_trials(session))
    return session


def check_open(study: Study) -> None:
    """Raises `StudyClosed`, with a message for the listener, unless `study` takes grades."""
    if study.status == Study.Status.CLOSED:
        raise StudyClosed("This listening test is closed.")
    if study.status != Study.Status.OPEN:
        raise StudyClosed("This listening test is not ready yet.")


def begin(session: Session) -> None:
    """The listener has read the instructions."""
    Session.objects.filter(pk=session.pk, instructed=None).update(instructed=timezone.now())


@dataclass(frozen=True)
class Step:
    """Where a session stands; `trial` is set if and only if `kind` is "trial"."""

    kind: Literal["instructions", "trial", "thanks"]
    trial: Trial | None = None


def current_step(session: Session) -> Step:
    """The step that the listener has to take next."""
    if session.finished:
        return Step("thanks")
    if session.instructed is None:
        return Step("instructions")
    trial = session.trials.filter(finished=None).select_related("item").order_by("position").first()
    return Step("trial", trial) if trial else Step("thanks")


def open_trial(trial: Trial) -> None:
    """Note when the listener first saw the trial."""
    Trial.objects.filter(pk=trial.pk, started=None).update(started=timezone.now())
