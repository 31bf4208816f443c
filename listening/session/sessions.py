"""A listener's way through a study: starting a session, and the step that comes next.

consent -> questions before -> volume -> headphones -> instructions -> training -> trials, with breaks
-> questions after -> thanks. Grading has rows of its own (`Trial`); every other step that has been taken
is a `Stage`, so that a session goes on where it was, from any browser that has its link.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from listening.columns.sessions import StageData
from listening.columns.studies import MAX_REPEATS
from listening.models import Assessor, Participation, Session, Stage, Study, Trial
from listening.session.orders import derive_seed, draw_training, draw_trials
from listening.study import headphones, questionnaire
from listening.study.design import live_sessions, take_place
from listening.study.errors import StudyClosed
from listening.study.recruitment import Entry

#: Names of stages, as `Stage.name` keeps them. A break's has the number of graded trials before it.
BEFORE, VOLUME, TRAINED, REPEAT, AFTER = "before", "volume", "trained", "repeat-", "after"


@transaction.atomic
def start_session(study: Study, *, kind: str | None = None, participation: Entry | None = None) -> Session:
    """Begin a listener's session with its whole order drawn and stored.

    Orders follow from the study's seed and the session's number alone: training first, then the
    items in random order, in each trial all signals in random order (M16).

    Args:
        study: to take part in.
        kind: of session; without it, a pilot's while the study is in its pilot, else real. Limits
            of listeners and dates hold for real sessions only.
        participation: who a platform says the listener is. Somebody who has a session already gets
            that one back, whatever the limits.

    Raises:
        StudyClosed: the study is closed, not ready, not open at this time, or full.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)  # numbers are counted one at a time
    person = _participation(study, participation)
    if person and person.session:
        return person.session
    kind = kind or current_kind(study)
    if kind != Session.Kind.SIMULATED:
        check_open(study)
    if kind == Session.Kind.REAL:
        check_entry(study)
    number = (study.sessions.aggregate(last=Max("number"))["last"] or 0) + 1
    # A deleted session's number is not given again: its note names it, and its orders were heard.
    number = max(number, (study.deletions.aggregate(last=Max("number"))["last"] or 0) + 1)
    seed = derive_seed(study.seed, number)
    place, block = take_place(study, kind)
    session = Session.objects.create(
        study=study,
        assessor=Assessor.objects.create(),
        number=number,
        kind=kind,
        place=place,
        block=block,
        seed=seed,
        completion_code=secrets.token_hex(4).upper(),
    )
    Trial.objects.bulk_create(draw_trials(session))
    if person:
        person.session = session
        person.save()
    return session


def _participation(study: Study, entry: Entry | None) -> Participation | None:
    """The person's row, not stored yet if new; with the platform's newest ids unless all is done."""
    if entry is None:
        return None
    known = (
        Participation.objects.select_for_update(of=("self",))
        .select_related("session")
        .filter(study=study, platform=entry.platform, person=entry.person)
        .first()
    )
    if known is None:
        return Participation(
            study=study, platform=entry.platform, person=entry.person, references=entry.references
        )
    if known.session and not (known.session.finished or known.session.screened_out):
        # The same person on another assignment: this is the one to hand in.
        known.references = entry.references
        known.save(update_fields=["references"])
    return known


def current_kind(study: Study) -> str:
    """Of a session that a listener starts now."""
    return Session.Kind.PILOT if study.pilot else Session.Kind.REAL


def check_open(study: Study) -> None:
    """Raises `StudyClosed`, with a message for the listener, unless `study` takes grades."""
    if study.status == Study.Status.CLOSED:
        raise StudyClosed(_("This listening test is closed."))
    if study.status != Study.Status.OPEN:
        raise StudyClosed(_("This listening test is not ready yet."), "preparing")


def check_entry(study: Study) -> None:
    """Raises `StudyClosed` unless `study` takes one more listener now.

    Who has begun may finish after the closing date: only closing the study by hand stops grading.
    """
    check_open(study)
    now = timezone.now()
    if study.opens and now < study.opens:
        raise StudyClosed(_("This listening test is not open yet."), "not_yet")
    if study.closes and now >= study.closes:
        raise StudyClosed(_("This listening test is over."), "over")
    if study.max_sessions is not None and live_sessions(study).count() >= study.max_sessions:
        raise StudyClosed(_("This listening test has all the listeners it needs."), "full")


def begin(session: Session) -> None:
    """The listener has read the instructions."""
    Session.objects.filter(pk=session.pk, instructed=None).update(instructed=timezone.now())


StepKind = Literal[
    "questions", "volume", "headphones", "instructions", "trained", "trial", "break", "thanks", "screened_out"
]


@dataclass(frozen=True)
class Step:
    """Where a session stands.

    Attributes:
        kind: of the page.
        trial: to grade; set if and only if `kind` is "trial".
        stage: name of the stage that is stored once the step is taken; "" where something else is.
    """

    kind: StepKind
    trial: Trial | None = None
    stage: str = ""


def current_step(session: Session) -> Step:
    """The step that the listener has to take next.

    Reading the instructions ends all that comes before them, whatever else is stored.
    """
    if session.screened_out:
        return Step("screened_out")
    if session.finished:
        return Step("thanks")
    stages = set(session.stages.values_list("name", flat=True))
    if session.instructed is None:
        return _before_grading(session, stages)
    trials = list(session.trials.select_related("item").order_by("position"))
    trial = next((trial for trial in trials if trial.finished is None), None)
    if trial is None:
        if AFTER not in stages and _has_questions(session, "after"):
            return Step("questions", stage=AFTER)
        return Step("thanks")
    pause = _pause_before(trial, trials, session.study, stages)
    return pause or Step("trial", trial)


def _has_questions(session: Session, when: Literal["before", "after"]) -> bool:
    """Whether the questionnaire has something to ask this session; programs are not asked."""
    return session.kind != Session.Kind.SIMULATED and bool(questionnaire.questions_of(session.study, when))


def _before_grading(session: Session, stages: set[str]) -> Step:
    if BEFORE not in stages and _has_questions(session, "before"):
        return Step("questions", stage=BEFORE)
    if VOLUME not in stages:
        return Step("volume", stage=VOLUME)
    if headphones.current_round(session):
        return Step("headphones")
    return Step("instructions")


def _pause_before(trial: Trial, trials: list[Trial], study: Study, stages: set[str]) -> Step | None:
    """The page before `trial`, if there is one: the end of the training, or a break."""
    if trial.item.training or trial.started:
        return None
    graded = [other for other in trials if not other.item.training and other.finished]
    trained = any(other.item.training for other in trials)
    if not graded and trained and study.training_repeats and TRAINED not in stages:
        return Step("trained", stage=TRAINED)
    every = study.break_after
    if every and graded and len(graded) % every == 0:
        name = f"break-{len(graded)}"
        if name not in stages:
            return Step("break", stage=name)
    return None


@transaction.atomic
def take_step(session: Session, stage: str, data: StageData) -> bool:
    """Store that the listener has taken the step of this stage, and what came of it.

    Does nothing, and returns False, unless that is the current step: a second click, a page left open
    in another tab and a forged request change nothing.
    """
    session = lock_session(session)
    step = current_step(session)
    if not stage or step.stage != stage:
        return False
    Stage.objects.create(session=session, name=stage, data=data)
    finish_if_done(session)
    return True


def lock_session(session: Session) -> Session:
    """The session as it is now, locked until the transaction ends."""
    return Session.objects.select_for_update(of=("self",)).select_related("study").get(pk=session.pk)


def finish_if_done(session: Session) -> None:
    """Finish the session once nothing is left to grade or to answer. Call it after every change."""
    if session.finished is None and current_step(session).kind == "thanks":
        Session.objects.filter(pk=session.pk, finished=None).update(finished=timezone.now())


def trainings_left(session: Session) -> int:
    """How often the listener may take the training again."""
    allowed = min(session.study.training_repeats, MAX_REPEATS)
    return max(0, allowed - session.stages.filter(name__startswith=REPEAT).count())


@transaction.atomic
def repeat_training(session: Session) -> bool:
    """Put the training once more before the trials, in a new order; what was graded in it before is kept.

    Does nothing, and returns False, unless the training has just ended and may be repeated.
    """
    session = lock_session(session)
    if current_step(session).kind != "trained" or not trainings_left(session):
        return False
    repeat = session.stages.filter(name__startswith=REPEAT).count() + 1
    Stage.objects.create(session=session, name=f"{REPEAT}{repeat}")
    again = draw_training(session, repeat)
    graded = list(session.trials.filter(item__training=False).order_by("-position"))
    first = graded[-1].position
    for trial in graded:  # the last one first: no two trials may have one position, not even for a moment
        trial.position += len(again)
        trial.save(update_fields=["position"])
    for offset, trial in enumerate(again):
        trial.position = first + offset
    Trial.objects.bulk_create(again)
    return True


def open_trial(trial: Trial) -> None:
    """Note when the listener first saw the trial."""
    Trial.objects.filter(pk=trial.pk, started=None).update(started=timezone.now())
