"""Creating, changing, opening, closing and deleting studies."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from codec.base import MAX_CHANNELS
from evaluation.clips.removal import delete_files_later, list_files
from evaluation.models import Clip
from evaluation.refusals import Message
from evaluation.texts import clean_line
from listening.columns.studies import Design
from listening.columns.texts import Texts
from listening.kinds import COUNTED
from listening.methods import DEFAULT, AnyMethod, MethodOptions
from listening.methods.mushra import Mushra
from listening.models import Assessor, Session, Simulation, Stimulus, Study
from listening.study import design as designs
from listening.study.contents import (
    Excerpt,
    check_excerpts,
    check_systems,
    method_of,
    render_again,
    set_contents,
)
from listening.study.errors import StudyError, read_setting
from listening.study.preparing import prepare_again
from listening.study.removal import remember_links
from listening.study.sealing import check_seal
from listening.study.stimuli import SAMPLE_RATES, folder_of
from listening.study.versions import keep_version

#: In every trial of a MUSHRA test: the hidden reference and both anchors (M1, M3).
ALWAYS = Mushra.always
#: Signals in one trial of it, hidden reference and anchors included, open reference not (M6).
MAX_SIGNALS = Mushra.max_signals

#: Hz; at lower rates the mid anchor has nothing to remove.
LOWEST_RATE = 16_000
#: Maximum number of trials in a session, without training.
MAX_TRIALS = 1000

#: Fields that are locked once a real session exists: grades would not be comparable.
LOCKED = ("method", "method_options", "systems", "sample_rate", "channels", "design", "seed")
LOCKED_WHY = _(
    "A listener has begun. Items, systems, method, sample rate, channels and design can no longer be "
    "changed, so that all grades stay comparable; texts, dates and limits can."
)


class StudyLocked(StudyError):
    """The change would make existing grades incomparable with later ones."""


class TrialRunsExist(StudyError):
    """Pilot sessions have heard the contents that would change.

    Attributes:
        sessions: number of pilot sessions.
    """

    def __init__(self, sessions: int) -> None:
        message = Message(
            ngettext_lazy(
                "%(count)s pilot session has heard the present items and systems. "
                "Tick “discard the pilot sessions” to change them.",
                "%(count)s pilot sessions have heard the present items and systems. "
                "Tick “discard the pilot sessions” to change them.",
                sessions,
            ),
            count=sessions,
        )
        super().__init__(message, fields={"discard_trial_runs": message})
        self.sessions = sessions


def create_study(
    owner: Any,
    name: str,
    clips: Sequence[Clip],
    systems: Iterable[str],
    *,
    texts: Texts | Mapping[str, str] | None = None,
    seed: int | None = None,
    training_clip: Clip | None = None,
    listed: bool = False,
    excerpts: Sequence[Excerpt] | None = None,
    method: str = DEFAULT.slug,
    options: MethodOptions | Mapping[str, Any] | None = None,
    sample_rate: int | None = None,
    channels: int | None = None,
    language: str = "en",
    design: Design | Mapping[str, Any] | None = None,
    open_when_ready: bool = True,
    there: Iterable[str] = (),
) -> Study:
    """Create a study of whole `clips`, or of `excerpts`, with `systems`, and queue its rendering.

    The method's permanent systems (MUSHRA: hidden reference and both anchors) are added to `systems`. With
    `clips`, the training is one trial with `training_clip`, or with the first clip, before all others;
    `excerpts` say themselves whether they are training. Training grades are not used (M14). If a trial has
    no room for all systems and `design` does not divide them, a balanced design is proposed. `options` are
    those of the method, see its ``Options``. Without `sample_rate` or `channels` the study hears what its
    clips have: the highest rate, and stereo if any of them is. Systems that are `there`, in the study that
    this is a copy of, may be another researcher's.

    Raises:
        StudyError: nothing is chosen, a clip or system is unknown, or renditions are missing.
    """
    field = "items"
    if excerpts is None:
        field = "clips"
        whole = [Excerpt(clip) for clip in dict.fromkeys(clips)]
        training = training_clip or (whole[0].clip if whole else None)
        excerpts = [*([Excerpt(training, training=True)] if training and whole else []), *whole]
    chosen_method = method_of(method)
    study = Study(
        owner=owner,
        name=clean_name(name),
        method=method,
        language=language,
        texts=read_setting(Texts, texts or {}, "texts"),
        seed=secrets.randbits(53) if seed is None else seed,
        listed=listed,
        open_when_ready=open_when_ready,
    )
    checked = check_excerpts(excerpts, field)
    most = max(excerpt.clip.channels for excerpt in checked)
    study.sample_rate = _rate_of(checked, chosen_method) if sample_rate is None else sample_rate
    study.channels = most if channels is None else channels
    study.systems = check_systems(owner, chosen_method, systems, there)
    study.design = read_setting(Design, design or {}, "design")
    _fit_settings(study, checked, options or {})
    with transaction.atomic():
        study.save()
        set_contents(study, checked)
        prepare_again(study)
    return study


@transaction.atomic
def update_study(
    study: Study,
    changed: Iterable[str] = (),
    *,
    by: Any = None,
    excerpts: Sequence[Excerpt] | None = None,
    discard_trial_runs: bool = False,
) -> Study:
    """Store the attributes of `study` named in `changed` and its new items, and render missing stimuli.

    Systems are chosen from those of the user `by`, who edits it (None: its owner), and from the study's.

    If items, systems or design change, simulated sessions are deleted; they can be generated again. An open
    study that has to render stimuli takes no listeners until that is done.

    Raises:
        StudyLocked: `LOCKED` fields or items would change, and there are real sessions.
        TrialRunsExist: they would change, there are pilot sessions, and `discard_trial_runs` is false.
        StudyError: as in `create_study`, or the seal may not be set to this time.
    """
    changed = list(dict.fromkeys(changed))
    now = Study.objects.select_for_update().get(pk=study.pk)  # sessions begin one at a time, behind this lock
    if "name" in changed:
        study.name = clean_name(study.name)
    if "sealed_until" in changed:
        check_seal(now, study.sealed_until)
    method = method_of(study.method)
    if "systems" in changed or "method" in changed:
        study.systems = check_systems(by or study.owner, method, study.systems, now.systems)
    checked = None if excerpts is None else check_excerpts(excerpts)
    _fit_settings(study, checked)
    before = [(item.clip_id, item.start, item.end, item.training) for item in now.items.order_by("position")]
    after = before if checked is None else [(e.clip.pk, e.start, e.end, e.training) for e in checked]
    heard = [*(["items"] if after != before else []), *_differing(now, study, LOCKED)]
    if heard:
        _clear_trial_sessions(now, heard, discard_trial_runs)
    if keep_version(now, study):
        changed.append("version")
    fields = {*changed, *(LOCKED if heard else ())}
    if fields:
        study.save(update_fields=sorted(fields))
    if not heard:
        return study
    if (now.sample_rate, now.channels) != (study.sample_rate, study.channels):
        render_again(study)
    if checked is None:
        checked = excerpts_of(study)
    preparing = now.status == Study.Status.PREPARING
    if set_contents(study, checked) or preparing:
        study.open_when_ready = now.open_when_ready if preparing else now.status == Study.Status.OPEN
        study.status = Study.Status.PREPARING
        study.save(update_fields=["status", "open_when_ready"])
        prepare_again(study)
    return study


def _rate_of(excerpts: Iterable[Excerpt], method: AnyMethod) -> int:
    """The lowest of `SAMPLE_RATES` that keeps what the clips have, and that the method allows."""
    wanted = max(excerpt.clip.rate for excerpt in excerpts)
    if "anchor70" in method.always:
        wanted = max(wanted, LOWEST_RATE)
    return next((rate for rate in SAMPLE_RATES if rate >= wanted), SAMPLE_RATES[-1])


def excerpts_of(study: Study) -> list[Excerpt]:
    """The study's items as excerpts, the form that `update_study` accepts."""
    return [
        Excerpt(item.clip, item.start, item.end, item.training, item.name)
        for item in study.items.select_related("clip").order_by("position")
        if item.clip is not None
    ]


def has_real_sessions(study: Study) -> bool:
    """Whether the study has real sessions; from then on its contents are locked."""
    return study.sessions.filter(kind__in=COUNTED).exists()


def _differing(one: Study, other: Study, names: Iterable[str]) -> list[str]:
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def _clear_trial_sessions(study: Study, changed: Sequence[str], discard_trial_runs: bool) -> None:
    """Delete pilot and simulated sessions before the contents `changed`; refuse if there are real ones."""
    if has_real_sessions(study):
        raise StudyLocked(LOCKED_WHY, fields=dict.fromkeys(changed, LOCKED_WHY))
    pilots = study.sessions.filter(kind=Session.Kind.PILOT).count()
    if pilots and not discard_trial_runs:
        raise TrialRunsExist(pilots)
    delete_sessions(study, Session.Kind.PILOT, Session.Kind.PREVIEW)
    delete_simulation(study)


def delete_simulation(study: Study) -> int:
    """Delete all simulated sessions and their settings; return the number of sessions."""
    with transaction.atomic():
        # Lock the study and delete the job first, so that a worker loses its claim before the next session.
        Study.objects.select_for_update().filter(pk=study.pk).update(simulation={})
        Simulation.objects.filter(study=study).delete()
        return delete_sessions(study, Session.Kind.SIMULATED)


def delete_sessions(study: Study, *kinds: str, **which: Any) -> int:
    """Delete the sessions of these kinds, all or `which` of them, with their grades and listeners.

    Returns:
        their number.
    """
    sessions = study.sessions.filter(kind__in=kinds, **which)
    assessors = list(sessions.values_list("assessor", flat=True))
    count = sessions.count()
    remember_links(sessions)
    sessions.delete()
    Assessor.objects.filter(pk__in=assessors, sessions=None).delete()
    return count


def _fit_settings(
    study: Study,
    excerpts: Sequence[Excerpt] | None,
    options: MethodOptions | Mapping[str, Any] | None = None,
) -> None:
    """Check rate, channels, design and method options, or the given options, and adapt the design."""
    if study.sample_rate not in SAMPLE_RATES:
        raise StudyError.of_field(
            "sample_rate",
            _("The sample rate must be one of %(rates)s Hz."),
            rates=", ".join(map(str, SAMPLE_RATES)),
        )
    if study.channels not in (1, MAX_CHANNELS):
        raise StudyError.of_field("channels", _("A study is heard in mono or in stereo: 1 or 2 channels."))
    method = method_of(study.method)
    if "anchor70" in method.always and study.sample_rate < LOWEST_RATE:
        raise StudyError.of_field(
            "sample_rate",
            _("At %(sample_rate)s Hz the 7 kHz anchor would equal the reference: choose a higher rate."),
            sample_rate=study.sample_rate,
        )
    graded = (
        sum(not excerpt.training for excerpt in excerpts)
        if excerpts is not None
        else study.items.filter(training=False).count()
    )
    study.design = designs.fit_design(study.design, method, graded, len(study.systems))
    study.method_options = method.clean_options(
        study.method_options if options is None else options, study.systems
    )
    heard = study.systems[: designs.systems_per_trial(study)] if study.design else study.systems
    trials = min(study.design.items_per_session or graded, graded)
    trials *= method.trials_per_item(study.method_options, heard)
    if trials > MAX_TRIALS:
        message = Message(
            _(
                "That makes %(trials)s trials for each listener; the maximum is %(max_trials)s. Choose "
                "fewer clips, systems or pairs."
            ),
            trials=trials,
            max_trials=MAX_TRIALS,
        )
        raise StudyError(message, fields=dict.fromkeys(("items", "systems", "method_options"), message))


def clean_name(name: str) -> str:
    """Return the name as one clean line. Raises `StudyError` if it is empty or too long."""
    name = clean_line(name)
    if not name:
        raise StudyError.of_field("name", _("Give the study a name."))
    if len(name) > 200:
        raise StudyError.of_field("name", _("The name is longer than 200 characters."))
    return name


def signals_of(study: Study) -> int:
    """The number of signals in a trial of the study, including hidden reference and anchors."""
    method = method_of(study.method)
    return min(method.max_signals, len(method.always) + designs.systems_per_trial(study))


def open_study(study: Study, *, pilot: bool = False) -> None:
    """Open the study to listeners, now or as soon as its stimuli are rendered, and forget its preview.

    Sessions that begin in a `pilot` are trial runs and are never counted among the real ones.
    """
    delete_sessions(study, Session.Kind.PREVIEW)
    rows = Study.objects.filter(pk=study.pk)
    rows.update(archived=None)
    # In this order, because the preparation may finish between the two statements.
    rows.filter(status=Study.Status.PREPARING).update(open_when_ready=True, pilot=pilot)
    rows.filter(status=Study.Status.READY).update(status=Study.Status.OPEN, pilot=pilot)
    rows.filter(status=Study.Status.OPEN).update(pilot=pilot)


@transaction.atomic
def end_pilot(study: Study) -> None:
    """Stop new pilot sessions; the study then waits to be opened, unless it has real sessions."""
    now = Study.objects.select_for_update().get(pk=study.pk)
    if not now.pilot:
        return
    now.pilot = False
    if not has_real_sessions(now):
        now.open_when_ready = False
        if now.status == Study.Status.OPEN:
            now.status = Study.Status.READY
    now.save(update_fields=["pilot", "status", "open_when_ready"])


def close_study(study: Study) -> None:
    """Stop accepting listeners and grades."""
    Study.objects.filter(pk=study.pk, status=Study.Status.OPEN).update(status=Study.Status.CLOSED)


def reopen_study(study: Study) -> None:
    """Accept listeners and grades again."""
    Study.objects.filter(pk=study.pk, status=Study.Status.CLOSED).update(
        status=Study.Status.OPEN, archived=None
    )


def duplicate_study(study: Study, name: str = "", owner: Any = None) -> Study:
    """Make a new study of the same contents and settings, with an own seed, that waits to be opened.

    Dates, seal, pilot, listeners and grades stay behind, and so does its place on the front page.

    Args:
        study: the study.
        name: of the new study; default: the old one's, marked as a copy.
        owner: of the new study; default: the old one's.

    Raises:
        StudyError: the study has no clips here (it was imported), or as in `create_study`.
    """
    excerpts = excerpts_of(study)
    if not excerpts or len(excerpts) < study.items.count():
        raise StudyError(_("This study has no clips here, so it cannot be made again."))
    with transaction.atomic():
        made = create_study(
            owner or study.owner,
            name or _copy_name(study.name),
            [],
            study.systems,
            excerpts=excerpts,
            method=study.method,
            options=study.method_options.to_json(),
            sample_rate=study.sample_rate,
            channels=study.channels,
            language=study.language,
            texts=study.texts,
            design=study.design,
            open_when_ready=False,
            there=study.systems,
        )
        for field in _COPIED:
            setattr(made, field, getattr(study, field))
        made.save(update_fields=_COPIED)
    return made


#: Settings that `duplicate_study` takes along besides those that `create_study` is given.
_COPIED = (
    "other_languages", "questionnaire", "headphones", "recruitment", "post_screening", "analysis",
    "break_after", "training_repeats", "max_sessions",
)  # fmt: skip


def _copy_name(name: str) -> str:
    copy = Message(_("%(name)s (copy)"), name=name)
    return str(copy)[:200]


def archive_study(study: Study) -> None:
    """Put the study away: lists no longer show it; its pages, results and exports stay.

    Raises:
        StudyError: listeners can take part in it.
    """
    rows = Study.objects.filter(pk=study.pk).exclude(status=Study.Status.OPEN)
    if not rows.update(archived=timezone.now(), open_when_ready=False):
        raise StudyError(_("Close the test before you archive it: listeners can still take part."))


def restore_study(study: Study) -> None:
    """Show the study in lists again."""
    Study.objects.filter(pk=study.pk).update(archived=None)


def set_listed(study: Study, listed: bool) -> None:
    """Show the study on the front page, or stop showing it."""
    Study.objects.filter(pk=study.pk).update(listed=listed)


@transaction.atomic
def delete_study(study: Study) -> None:
    """Delete the study with its sessions, grades and rendered stimuli; keep clips and renditions."""
    Study.objects.select_for_update().filter(
        pk=study.pk
    ).first()  # in the order in which workers lock: the study before its jobs
    stimuli = Stimulus.objects.filter(item__study=study).exclude(audio="")
    names = [*stimuli.values_list("audio", flat=True), *list_files(folder_of(study.pk))]
    delete_sessions(study, *Session.Kind.values)
    study.delete()
    delete_files_later(names)
