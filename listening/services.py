"""What researchers and listeners change: studies, sessions, ratings. Reads are in `listening.selectors`.

Every function takes and returns rows, keeps its own transaction and raises `StudyError` with a
message for the person who asked.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from codec import registry
from evaluation.models import Clip, Rendition
from listening.models import (
    Assessor,
    Event,
    Item,
    Rating,
    Session,
    Stimulus,
    Study,
    Trial,
    opaque_token,
)

logger = logging.getLogger(__name__)

#: In every trial, whatever is under test: the hidden reference and both anchors (M1, M3).
ALWAYS = ("original", "anchor35", "anchor70")
#: Signals in one trial, hidden reference and anchors included, open reference not (M6).
MAX_SIGNALS = 12
#: Longer excerpts "must be justified in the report" (M5), seconds.
LONG_ITEM_SECONDS = 12.0
MAX_ITEMS = 60
MAX_COMMENT = 2000
MAX_EVENTS_PER_REQUEST = 500
MAX_EVENTS_PER_TRIAL = 20_000

#: Texts of a study that its researcher may write; the usual ones are in the listener's pages.
TEXTS = ("consent", "instructions", "thanks")
MAX_TEXT = 5000


class StudyError(Exception):
    """A request that a study cannot grant; the message is for the person who made it."""


class BadRating(StudyError):
    """A grade, comment or event that is not one."""


class UnknownStimulus(StudyError):
    """A key that is not in the trial."""


class TrialFinished(StudyError):
    """The trial has been handed in and takes no more changes."""


class StudyClosed(StudyError):
    """The study does not take grades now."""


class GradesMissing(StudyError):
    """The trial cannot be handed in yet.

    Attributes:
        keys: of the stimuli without a grade, in order of presentation.
    """

    def __init__(self, keys: list[str]) -> None:
        super().__init__(
            f"{len(keys)} recordings have no grade yet." if len(keys) > 1 else "1 recording has no grade yet."
        )
        self.keys = keys


_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def _clean_text(text: str) -> str:
    """`text` without what a database or an SVG file cannot hold: control characters, lone surrogates."""
    return _UNFIT.sub("", text.encode("utf-8", "replace").decode()).strip()


# -- Studies


def create_study(
    owner: Any,
    name: str,
    clips: Sequence[Clip],
    systems: Iterable[str],
    *,
    texts: Mapping[str, str] | None = None,
    seed: int | None = None,
    training_clip: Clip | None = None,
    listed: bool = False,
) -> Study:
    """Make a MUSHRA study of whole `clips` through `systems`; its stimuli are rendered in the background.

    The hidden reference and both anchors are added to `systems`. Training is a trial with
    `training_clip`, or with the first clip, before all others; its grades are not used (M14).

    Raises:
        StudyError: nothing chosen, too much for one trial, or renditions are not there yet.
    """
    name = " ".join(_clean_text(name).split())
    if not name:
        raise StudyError("Give the study a name.")
    if len(name) > 200:
        raise StudyError("The name is longer than 200 characters.")
    clips = list(dict.fromkeys(clips))
    if not clips:
        raise StudyError("Choose at least one clip.")
    if len(clips) > MAX_ITEMS:
        raise StudyError(
            f"{len(clips)} clips are more than a listener can grade; choose {MAX_ITEMS} at most."
        )
    chosen = list(dict.fromkeys(slug for slug in systems if slug not in ALWAYS))
    unknown = [slug for slug in chosen if slug not in registry.SYSTEMS]
    if unknown:
        raise StudyError(f"There is no system {unknown[0]!r}. Known: {', '.join(registry.SYSTEMS)}.")
    if not chosen:
        raise StudyError(
            "Choose at least one system besides the original and the anchors, which are always there."
        )
    signals = len(ALWAYS) + len(chosen)
    if signals > MAX_SIGNALS:
        raise StudyError(
            f"{len(chosen)} systems make {signals} signals in a trial with hidden reference and anchors; "
            f"BS.1534-3 allows {MAX_SIGNALS}. Choose {MAX_SIGNALS - len(ALWAYS)} systems at most."
        )
    chosen.sort(key=list(registry.SYSTEMS).index)
    own_texts = {key: _clean_text((texts or {}).get(key, "")) for key in TEXTS}
    for key, text in own_texts.items():
        if len(text) > MAX_TEXT:
            raise StudyError(f"The {key} text is longer than {MAX_TEXT} characters.")

    with transaction.atomic():
        training = training_clip or clips[0]
        renditions = _done_renditions([training, *clips], [*ALWAYS, *chosen])
        study = Study.objects.create(
            owner=owner,
            name=name,
            systems=chosen,
            texts={key: text for key, text in own_texts.items() if text},
            seed=secrets.randbits(53) if seed is None else seed,
            listed=listed,
        )
        for position, clip in enumerate([training, *clips]):
            item = Item.objects.create(
                study=study, clip=clip, position=position, end=clip.seconds, training=position == 0
            )
            Stimulus.objects.bulk_create(
                Stimulus(item=item, system=slug, rendition=renditions[clip.pk, slug])
                for slug in (*ALWAYS, *chosen)
            )
        transaction.on_commit(lambda: dispatch_study(study))
    return study


def signals_of(study: Study) -> int:
    """How many signals a trial of the study has, hidden reference and anchors included."""
    return len(ALWAYS) + len(study.systems)


def _done_renditions(clips: Sequence[Clip], systems: Sequence[str]) -> dict[tuple[Any, str], Rendition]:
    """Finished renditions by clip and system. Raises `StudyError` naming the first that is missing."""
    rows = Rendition.objects.filter(clip__in=clips, system__in=systems)
    found = {(row.clip_id, row.system): row for row in rows}
    for clip in clips:
        for slug in systems:
            row = found.get((clip.pk, slug))
            title = registry.SYSTEMS[slug].title
            if row is None:
                raise StudyError(
                    f"“{clip.title}” has not been through {title}. Choose another clip or leave {title} out."
                )
            if row.status == Rendition.Status.FAILED:
                raise StudyError(
                    f"“{clip.title}” failed in {title}. Retry it on the clip's page or leave {title} out."
                )
            if row.status != Rendition.Status.DONE:
                raise StudyError(
                    f"“{clip.title}” is still on its way through {title}. Wait until it is done."
                )
    return found


def dispatch_study(study: Study) -> None:
    """Send a worker the message to prepare `study`. Without a broker the sweeper sends it later."""
    from listening.tasks import prepare_study

    try:
        prepare_study.delay(str(study.pk))
    except (KombuError, RedisError, OSError) as error:
        logger.warning("Could not send study %s to the workers, the sweeper will: %s", study.pk, error)


def claim_study(study_id: str) -> Study | None:
    """Take the work of preparing a study for one lease; None if it is done, failed or somebody else's."""
    now = timezone.now()
    waiting = Study.objects.filter(pk=study_id, status=Study.Status.PREPARING, error="")
    free = waiting.filter(Q(lease_until=None) | Q(lease_until__lt=now))
    lease = now + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    # One conditional update: of two workers only one counts a row.
    if not free.update(lease_until=lease, attempts=F("attempts") + 1):
        return None
    return Study.objects.get(pk=study_id)


def renew_study_lease(study: Study) -> None:
    lease = timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING).update(lease_until=lease)


def open_prepared_study(study: Study) -> None:
    """All stimuli are rendered: let listeners in."""
    Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING).update(
        status=Study.Status.OPEN, lease_until=None, error=""
    )


def fail_preparing(study: Study, message: str) -> None:
    """Keep why a study could not be prepared; its page shows it and offers to try again."""
    Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING).update(error=message, lease_until=None)


def retry_preparing(study: Study) -> None:
    """Forget the failure and send the study to the workers again."""
    changed = (
        Study.objects.filter(pk=study.pk, status=Study.Status.PREPARING)
        .exclude(error="")
        .update(error="", attempts=0, lease_until=None)
    )
    if changed:
        transaction.on_commit(lambda: dispatch_study(study))


def sweep_studies() -> int:
    """Send again every study that nobody prepares, give up on one that takes its workers down.

    Returns how many were sent.
    """
    now = timezone.now()
    idle = Study.objects.filter(status=Study.Status.PREPARING, error="").filter(
        Q(lease_until=None) | Q(lease_until__lt=now)
    )
    idle.filter(attempts__gte=settings.JOB_MAX_ATTEMPTS).update(
        error=f"The worker that rendered the stimuli died {settings.JOB_MAX_ATTEMPTS} times without a word.",
        lease_until=None,
    )
    # A study younger than the period has its first message under way.
    stuck = list(idle.filter(attempts__lt=settings.JOB_MAX_ATTEMPTS, created__lt=now - timedelta(seconds=10)))
    for study in stuck:
        dispatch_study(study)
    return len(stuck)


def close_study(study: Study) -> None:
    """Take no more listeners and no more grades."""
    Study.objects.filter(pk=study.pk, status=Study.Status.OPEN).update(status=Study.Status.CLOSED)


def reopen_study(study: Study) -> None:
    Study.objects.filter(pk=study.pk, status=Study.Status.CLOSED).update(status=Study.Status.OPEN)


def set_listed(study: Study, listed: bool) -> None:
    """Show the study on the front page, or stop showing it."""
    Study.objects.filter(pk=study.pk).update(listed=listed)


@transaction.atomic
def delete_study(study: Study) -> None:
    """Delete the study with its sessions, grades and rendered stimuli. Clips and renditions stay."""
    names = list(Stimulus.objects.filter(item__study=study).exclude(audio="").values_list("audio", flat=True))
    assessors = list(Assessor.objects.filter(sessions__study=study).values_list("pk", flat=True))
    study.sessions.all().delete()
    Assessor.objects.filter(pk__in=assessors, sessions=None).delete()
    study.delete()

    def remove_files() -> None:
        for name in names:
            default_storage.delete(name)

    transaction.on_commit(remove_files)


# -- Sessions


def derive_seed(study_seed: int, number: int) -> int:
    """The seed of the `number`-th session of a study: 63 bits, the same on every machine."""
    digest = hashlib.sha256(f"{study_seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


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
    number = (study.sessions.aggregate(last=Max("number"))["last"] or 0) + 1
    seed = derive_seed(study.seed, number)
    session = Session.objects.create(
        study=study,
        assessor=Assessor.objects.create(),
        number=number,
        seed=seed,
        completion_code=secrets.token_hex(4).upper(),
    )
    draw = random.Random(seed)  # noqa: S311 -- an order, not a secret: it has to be reproducible
    items = list(study.items.order_by("position").prefetch_related("stimuli"))
    training = [item for item in items if item.training]
    graded = [item for item in items if not item.training]
    draw.shuffle(graded)
    trials = []
    for position, item in enumerate([*training, *graded], start=1):
        stimuli = sorted(item.stimuli.all(), key=lambda stimulus: stimulus.system)
        draw.shuffle(stimuli)
        order = [{"key": opaque_token(), "stimulus": stimulus.pk} for stimulus in stimuli]
        trials.append(Trial(session=session, item=item, position=position, order=order))
    Trial.objects.bulk_create(trials)
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


# -- Ratings


def _locked_trial(trial: Trial) -> Trial:
    """The trial as it is now, locked until the transaction ends.

    SQLite has no row locks: there the transaction took the write lock when it began.
    """
    return Trial.objects.select_for_update(of=("self",)).select_related("session__study").get(pk=trial.pk)


def _whole_number(value: object, what: str, low: int, high: int) -> int:
    """`value`, if it is a whole number from `low` to `high`; JSON's true, 1.0 and "1" are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRating(f"{what} must be a whole number from {low} to {high}.")
    return value


def stimulus_of_key(trial: Trial, key: object) -> int:
    """The id of the stimulus behind a presented key. Raises `UnknownStimulus`."""
    for entry in trial.order:
        if entry["key"] == key:
            return int(entry["stimulus"])
    raise UnknownStimulus("There is no such recording in this trial.")


@transaction.atomic
def save_rating(trial: Trial, key: object, score: object, sequence: object) -> Rating:
    """Store a grade unless a newer one is there; return what is stored then.

    `sequence` counts the listener's changes of this stimulus. A late, repeated or second-tab
    request with an older or equal number changes nothing.

    Raises:
        BadRating: the score is not a whole number from 0 to 100, or the sequence not one from 1.
        UnknownStimulus: `key` is not in this trial.
        TrialFinished: the trial has been handed in.
        StudyClosed: the study takes no grades.
    """
    score = _whole_number(score, "The grade", 0, 100)
    sequence = _whole_number(sequence, "The sequence number", 1, 2**31 - 1)
    trial = _locked_trial(trial)
    stimulus = stimulus_of_key(trial, key)
    if trial.finished:
        raise TrialFinished("This trial has been finished; its grades can no longer be changed.")
    check_open(trial.session.study)
    rating, created = Rating.objects.get_or_create(
        trial=trial, stimulus_id=stimulus, defaults={"score": score, "sequence": sequence}
    )
    if not created and sequence > rating.sequence:
        rating.score, rating.sequence = score, sequence
        rating.save(update_fields=["score", "sequence", "updated"])
    return rating


_EVENT_KIND = re.compile(r"[A-Za-z0-9_-]{1,20}")


def _is_plain(detail: dict[Any, Any]) -> bool:
    """Whether every database can hold `detail` as JSON: short, ASCII, finite numbers."""
    try:
        text = json.dumps(detail, allow_nan=False)
    except ValueError:
        return False
    return len(text) <= 1000 and "\\u" not in text


@transaction.atomic
def save_events(trial: Trial, events: object) -> int:
    """Store what happened in the page; return the highest sequence number stored.

    Raises:
        BadRating: `events` is not a list of events.
        TrialFinished, StudyClosed: as in `save_rating`.
    """
    if not isinstance(events, list) or len(events) > MAX_EVENTS_PER_REQUEST:
        raise BadRating(f"Expected a list of at most {MAX_EVENTS_PER_REQUEST} events.")
    rows = []
    trial = _locked_trial(trial)
    for event in events:
        if not isinstance(event, dict):
            raise BadRating("An event must be an object.")
        kind, detail = event.get("kind"), event.get("detail", {})
        if not isinstance(kind, str) or not _EVENT_KIND.fullmatch(kind):
            raise BadRating("The kind of an event must be a word of at most 20 letters.")
        if not isinstance(detail, dict) or not _is_plain(detail):
            raise BadRating("The detail of an event must be a small object of plain values.")
        rows.append(
            Event(
                trial=trial,
                sequence=_whole_number(event.get("sequence"), "The sequence number", 1, MAX_EVENTS_PER_TRIAL),
                kind=kind,
                milliseconds=_whole_number(
                    event.get("milliseconds"), "The time in milliseconds", 0, 2**31 - 1
                ),
                detail=detail,
            )
        )
    if trial.finished:
        raise TrialFinished("This trial has been finished.")
    check_open(trial.session.study)
    Event.objects.bulk_create(rows, ignore_conflicts=True)
    return last_event(trial)


def last_event(trial: Trial) -> int:
    """The highest sequence number of the trial's events; 0 if there are none."""
    return trial.events.aggregate(last=Max("sequence"))["last"] or 0


@transaction.atomic
def finish_trial(trial: Trial, comment: object = "") -> Trial:
    """Hand a trial in, and with the last one the session. Doing it again changes nothing.

    Raises:
        GradesMissing: not every stimulus has a grade (M12).
        BadRating: the comment is not a text, or too long.
        StudyClosed: the study takes no grades.
    """
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
        raise BadRating(f"The comment must be a text of at most {MAX_COMMENT} characters.")
    trial = _locked_trial(trial)
    if trial.finished:
        return trial
    check_open(trial.session.study)
    graded = set(trial.ratings.values_list("stimulus_id", flat=True))
    missing = [entry["key"] for entry in trial.order if entry["stimulus"] not in graded]
    if missing:
        raise GradesMissing(missing)
    trial.comment = _clean_text(comment)
    trial.finished = timezone.now()
    trial.save(update_fields=["comment", "finished"])
    if not trial.session.trials.filter(finished=None).exists():
        Session.objects.filter(pk=trial.session_id, finished=None).update(finished=trial.finished)
    return trial
