"""A listener's session: starting it, and its steps.

consent -> questions before -> volume -> headphones -> instructions -> training -> trials, with breaks
-> questions after -> thanks. Grading has rows of its own (`Trial`); every other step that has been taken
is a `Stage`, so that any browser with the link can resume the session.
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
from listening.study.errors import SessionGone, StudyClosed
from listening.study.languages import languages_offered
from listening.study.recruitment import Entry, participation_of
from listening.study.studies import delete_sessions
from listening.study.versions import apply_version

#: Names of stages, as `Stage.name` keeps them. A break's has the number of graded trials before it.
BEFORE, VOLUME, TRAINED, REPEAT, AFTER = "before", "volume", "trained", "repeat-", "after"
#: Of previews only: everybody else consents before the session begins.
CONSENT = "consent"


@transaction.atomic
def start_session(
    study: Study, *, kind: str | None = None, participation: Entry | None = None, language: str = ""
) -> Session:
    """Start a listener's session and store all its trials.

    Orders depend only on the study's seed and the session's place and number: training first, then the
    items and the signals of each trial in balanced random order (M16).

    Args:
        study: the study.
        kind: kind of session; by default pilot while the study is in its pilot, otherwise real. Limits
            on listeners and dates apply to real sessions only.
        participation: the listener's id on a platform. A listener with a session gets that one back,
            whatever the limits.
        language: the listener's choice, if the study offers it; empty: the study's language.

    Raises:
        StudyClosed: the study is closed, not ready, not open at this time, or full.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)  # so that numbers are unique
    person = _participation(study, participation)
    if person and person.session:
        return person.session
    kind = kind or current_kind(study)
    check_takes_answers(study, kind)
    if kind == Session.Kind.REAL:
        check_entry(study)
    number = 0 if kind == Session.Kind.PREVIEW else _next_number(study)
    seed = derive_seed(study.seed, number)
    place, block = take_place(study, kind)
    session = Session.objects.create(
        study=study,
        assessor=Assessor.objects.create(),
        number=number,
        version=study.version,
        language=language if language in study.other_languages else "",
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


def _next_number(study: Study) -> int:
    number = (study.sessions.aggregate(last=Max("number"))["last"] or 0) + 1
    # A deleted session's number is not reused: its `Deletion` names it, and its orders were heard.
    return max(number, (study.deletions.aggregate(last=Max("number"))["last"] or 0) + 1)


@transaction.atomic
def start_preview(study: Study) -> Session:
    """Start the researcher's own look at the test, in place of the one before.

    It goes through every page, works before the study is opened and after it is closed, counts nowhere and
    locks nothing.

    Raises:
        StudyClosed: the stimuli are not ready.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    delete_sessions(study, Session.Kind.PREVIEW)
    return start_session(study, kind=Session.Kind.PREVIEW)


def choose_language(session: Session, code: str) -> None:
    """Show the session's pages in another language from now on, if its study offers it."""
    if code in {language.code for language in languages_offered(session.study)}:
        Session.objects.filter(pk=session.pk).update(language=code)


@transaction.atomic
def skip_step(session: Session) -> None:
    """Leave the current step of a preview behind, whatever it asks for; do nothing in other sessions."""
    session = lock_session(session)
    step = current_step(session)
    if session.kind != Session.Kind.PREVIEW:
        return
    if step.stage:
        take_step(session, step.stage, {})
    elif step.kind == "headphones":
        headphones.pass_tests(session)
    elif step.kind == "instructions":
        begin(session)
    elif step.trial is not None:
        Trial.objects.filter(pk=step.trial.pk).update(finished=timezone.now())
    finish_if_done(session)


def _participation(study: Study, entry: Entry | None) -> Participation | None:
    """The person's row, not saved yet if new; updates the platform's ids unless the session has ended."""
    if entry is None:
        return None
    known = participation_of(study, entry, lock=True)
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
    """The kind of a session that a listener starts now."""
    return Session.Kind.PILOT if study.pilot else Session.Kind.REAL


def check_takes_answers(study: Study, kind: str) -> None:
    """Raise `StudyClosed` unless sessions of this kind may go on: most of them only in an open study."""
    if kind == Session.Kind.SIMULATED or (
        kind == Session.Kind.PREVIEW and study.status != Study.Status.PREPARING
    ):
        return
    check_open(study)


def check_open(study: Study) -> None:
    """Raise `StudyClosed`, with a message for the listener, unless `study` accepts grades."""
    if study.status == Study.Status.CLOSED:
        raise StudyClosed(_("This listening test is closed."))
    if study.status != Study.Status.OPEN:
        raise StudyClosed(_("This listening test is not ready yet."), "preparing")


def check_entry(study: Study) -> None:
    """Raise `StudyClosed` unless `study` accepts another listener now.

    Listeners who have started may finish after the closing date: only closing the study stops grading.
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
    """Record that the listener has read the instructions."""
    Session.objects.filter(pk=session.pk, instructed=None).update(instructed=timezone.now())


StepKind = Literal[
    "consent",
    "questions",
    "volume",
    "headphones",
    "instructions",
    "trained",
    "trial",
    "break",
    "thanks",
    "screened_out",
]


@dataclass(frozen=True)
class Step:
    """The current step of a session.

    Attributes:
        kind: kind of the page.
        trial: the trial to grade; set if and only if `kind` is "trial".
        stage: name of the stage that is stored when the step is completed; "" if none is.
    """

    kind: StepKind
    trial: Trial | None = None
    stage: str = ""


def current_step(session: Session) -> Step:
    """The step that the listener has to take next.

    Once the instructions are read, all earlier steps are over, whatever else is stored.
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
    """Whether the questionnaire has questions for this session; simulated listeners get none."""
    return session.kind != Session.Kind.SIMULATED and bool(questionnaire.questions_of(session.study, when))


def _before_grading(session: Session, stages: set[str]) -> Step:
    if session.kind == Session.Kind.PREVIEW and CONSENT not in stages:
        return Step("consent", stage=CONSENT)
    if BEFORE not in stages and _has_questions(session, "before"):
        return Step("questions", stage=BEFORE)
    if VOLUME not in stages:
        return Step("volume", stage=VOLUME)
    if headphones.current_round(session):
        return Step("headphones")
    return Step("instructions")


def _pause_before(trial: Trial, trials: list[Trial], study: Study, stages: set[str]) -> Step | None:
    """The page before `trial`, if any: a break, or the end of the training, from where on grades count."""
    if trial.item.training or trial.started:
        return None
    graded = [other for other in trials if not other.item.training and other.finished]
    trained = any(other.item.training for other in trials)
    if not graded and trained and TRAINED not in stages:
        return Step("trained", stage=TRAINED)
    every = study.break_after
    if every and graded and len(graded) % every == 0:
        name = f"break-{len(graded)}"
        if name not in stages:
            return Step("break", stage=name)
    return None


@transaction.atomic
def take_step(session: Session, stage: str, data: StageData) -> bool:
    """Store the completion of this stage's step, with its outcome.

    Do nothing and return False unless it is the current step, so that a second click, a page in another tab
    or a forged request has no effect.
    """
    session = lock_session(session)
    step = current_step(session)
    if not stage or step.stage != stage:
        return False
    Stage.objects.create(session=session, name=stage, data=data)
    finish_if_done(session)
    return True


def lock_session(session: Session) -> Session:
    """The session as it is now, locked until the transaction ends. Raises `SessionGone`."""
    sessions = Session.objects.select_for_update(of=("self",)).select_related("study")
    try:
        return apply_version(sessions.get(pk=session.pk))
    except Session.DoesNotExist:
        raise SessionGone() from None


def finish_if_done(session: Session) -> None:
    """Finish the session if nothing is left to grade or answer. Call this after every change."""
    if session.finished is not None or session.trials.filter(finished=None).exists():
        return  # without reading all trials, as the current step is told from
    if current_step(session).kind == "thanks":
        Session.objects.filter(pk=session.pk, finished=None).update(finished=timezone.now())


def trainings_left(session: Session) -> int:
    """How often the listener may still repeat the training."""
    allowed = min(session.study.training_repeats, MAX_REPEATS)
    return max(0, allowed - session.stages.filter(name__startswith=REPEAT).count())


@transaction.atomic
def repeat_training(session: Session) -> bool:
    """Insert the training again before the trials, in a new order; keep its earlier grades.

    Do nothing and return False unless the training has just ended and may be repeated.
    """
    session = lock_session(session)
    if current_step(session).kind != "trained" or not trainings_left(session):
        return False
    repeat = session.stages.filter(name__startswith=REPEAT).count() + 1
    Stage.objects.create(session=session, name=f"{REPEAT}{repeat}")
    again = draw_training(session, repeat)
    graded = list(session.trials.filter(item__training=False).order_by("-position"))
    first = graded[-1].position
    for trial in graded:  # from the last on, because positions must be unique after every statement
        trial.position += len(again)
        trial.save(update_fields=["position"])
    for offset, trial in enumerate(again):
        trial.position = first + offset
    Trial.objects.bulk_create(again)
    return True
