"""Making studies, preparing their stimuli, and the orders of sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from evaluation.clips.removal import list_files
from evaluation.models import Clip, Job, Rendition
from evaluation.work import jobs
from listening.models import Assessor, Item, Preparation, Session, Stimulus, Study
from listening.session.ratings import finish_trial, save_rating
from listening.session.sessions import begin, current_step, start_session, take_step
from listening.study import preparing
from listening.study.contents import Excerpt
from listening.study.errors import StudyClosed, StudyError
from listening.study.preparing import prepare_study, retry_preparing
from listening.study.stimuli import folder_of, render_item
from listening.study.studies import (
    ALWAYS,
    MAX_SIGNALS,
    close_study,
    create_study,
    delete_study,
    reopen_study,
    signals_of,
    update_study,
)
from tests.evaluation.work.test_jobs import until
from tests.listening.conftest import SYSTEMS, listen, system_of

ALL = {*ALWAYS, *SYSTEMS}


def create(owner: User, clips: list[Clip], systems: list[str] = SYSTEMS, **options: Any) -> Study:
    return create_study(owner, options.pop("name", "A study"), clips, systems, **options)


def test_a_study_has_training_items_and_all_stimuli(alice: User, processed: Callable[..., Clip]) -> None:
    clips = [processed(alice), processed(alice)]
    study = create(alice, clips, ["bpgan-2k", "original", "opus-9k", "bpgan-2k"])
    assert study.systems == ["opus-9k", "bpgan-2k"]  # registry order, once each, without what is always there
    items = list(study.items.all())
    assert [(item.clip, item.training) for item in items] == [
        (clips[0], True),
        (clips[0], False),
        (clips[1], False),
    ]
    assert items[1].end == clips[0].seconds
    for item in items:
        assert {stimulus.system for stimulus in item.stimuli.all()} == ALL
        assert all(stimulus.rendition.clip == item.clip for stimulus in item.stimuli.all())


def test_a_training_clip_of_its_own_is_no_item(alice: User, processed: Callable[..., Clip]) -> None:
    clip, other = processed(alice), processed(alice)
    study = create(alice, [clip], training_clip=other)
    assert list(study.items.values_list("clip", "training")) == [(other.pk, True), (clip.pk, False)]


def test_a_missing_rendition_is_named_with_its_clip(alice: User, processed: Callable[..., Clip]) -> None:
    clip = processed(alice, ["opus-9k"], title="Harvard 1")
    with pytest.raises(StudyError, match="“Harvard 1” has not been processed by BPGAN 2k"):
        create(alice, [clip])
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("status", "message"),
    [("queued", "Anchor 7 kHz is still processing"), ("failed", "Anchor 7 kHz failed on")],
)
def test_an_unfinished_anchor_is_named(
    alice: User, processed: Callable[..., Clip], status: str, message: str
) -> None:
    clip = processed(alice)
    Rendition.objects.filter(clip=clip, system="anchor70").update(status=status)
    with pytest.raises(StudyError, match=message):
        create(alice, [clip])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " \x00 "}, "Give the study a name"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"clips": []}, "at least one clip"),
        ({"systems": ["original", "anchor35"]}, "at least one system"),
        ({"systems": ["mp3"]}, "no system 'mp3'"),
        ({"texts": {"consent": "x" * 5001}}, "consent text is longer"),
    ],
)
def test_bad_input_is_refused(
    alice: User, processed: Callable[..., Clip], changes: dict[str, Any], message: str
) -> None:
    arguments = {"name": "A study", "clips": [processed(alice)], "systems": SYSTEMS} | changes
    with pytest.raises(StudyError, match=message):
        create_study(alice, **arguments)


def test_a_name_is_one_line_that_every_file_can_hold(alice: User, processed: Callable[..., Clip]) -> None:
    study = create_study(alice, " One\r\n\x00line\x08\x1b[31m\ud800 ", [processed(alice)], SYSTEMS)
    assert study.name == "One line[31m?"


def test_twelve_signals_are_a_trial_and_more_are_shared_out(
    alice: User, processed: Callable[..., Clip]
) -> None:
    from codec.registry import SYSTEMS as KNOWN

    ten = [slug for slug in KNOWN if slug not in ALWAYS][:10]
    clip = processed(alice, ten)
    study = create(alice, [clip], ten[:9])
    assert study.items.get(training=False).stimuli.count() == MAX_SIGNALS
    assert (study.design, signals_of(study)) == ({}, MAX_SIGNALS)
    shared = create(alice, [clip], ten)
    assert shared.design == {"systems_per_trial": 9}
    assert shared.items.get(training=False).stimuli.count() == 13
    assert signals_of(shared) == MAX_SIGNALS
    with pytest.raises(StudyError, match=r"more than the 12 signals .* 9 systems at most"):
        create(alice, [clip], [*ten, "bpgan-2k"], design={"systems_per_trial": 10})


def test_preparing_renders_everything_once_and_opens(make_study: Callable[..., Study]) -> None:
    study = make_study(sound=True)
    names = set(Stimulus.objects.values_list("audio", flat=True))
    assert len(names) == 3 * len(ALL)
    prepare_study(str(study.pk))  # a message that comes twice
    assert set(Stimulus.objects.values_list("audio", flat=True)) == names


def test_a_failure_is_kept_shown_and_can_be_retried(alice: User, processed: Callable[..., Clip]) -> None:
    clip = processed(alice, sound=True)
    study = create(alice, [clip])
    rendition = Rendition.objects.get(clip=clip, system="opus-9k")
    name, rendition.audio.name = rendition.audio.name, "renditions/gone.wav"
    rendition.save()
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.PREPARING
    assert "gone.wav" in study.error
    prepare_study(str(study.pk))  # nobody tries in vain again until someone asks

    rendition.audio.name = name
    rendition.save()
    retry_preparing(study)
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert (study.status, study.error) == (Study.Status.OPEN, "")


def prepared_by(study: Study) -> list[str]:
    """Names of the files that are stored for the study's stimuli."""
    return sorted(list_files(folder_of(study.pk)))


def stored_names(study: Study) -> list[str]:
    return sorted(Stimulus.objects.filter(item__study=study).values_list("audio", flat=True))


@pytest.mark.usefixtures("transactional_db")
def test_a_study_that_takes_three_leases_is_healthy(
    alice: User, processed: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Three leases pass in one item, and sweepers come by: nobody takes the work away."""
    settings.JOB_LEASE_SECONDS = 0.9
    study = create(alice, [processed(alice, sound=True)])
    seen: list[tuple[str, int]] = []

    def slow(item: Item, hold: Callable[[], bool]) -> bool:
        for _ in range(0 if seen else 3):
            lease = Preparation.objects.get().lease_until
            assert lease is not None
            until(lambda end=lease: timezone.now() > end)
            jobs.sweep()
            row = Preparation.objects.get()
            seen.append((row.status, row.attempts))
        return render_item(item, hold)

    monkeypatch.setattr(preparing, "render_item", slow)
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert (study.status, study.error) == (Study.Status.OPEN, "")
    assert seen == [("running", 1)] * 3


def test_deaths_count_within_an_item(
    alice: User, processed: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(alice, [processed(alice, sound=True)])
    seen: list[int] = []

    def render(item: Item, hold: Callable[[], bool]) -> bool:
        seen.append(Preparation.objects.get().attempts)
        stored = render_item(item, hold)
        seen.append(Preparation.objects.get().attempts)
        return stored

    Preparation.objects.update(attempts=2)  # two workers died before this one
    monkeypatch.setattr(preparing, "render_item", render)
    prepare_study(str(study.pk))
    assert seen == [3, 1, 1, 1]


def test_items_that_change_take_the_claim_away(
    alice: User, processed: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first item is rendered the researcher changes the study: the new state is what opens."""
    clips = [processed(alice, sound=True) for _ in range(2)]
    study = create(alice, clips)
    rendered: list[int] = []

    def render(item: Item, hold: Callable[[], bool]) -> bool:
        rendered.append(item.pk)
        if len(rendered) == 1:
            update_study(Study.objects.get(), excerpts=[Excerpt(clips[1], 0.0, 0.5)])
        return render_item(item, hold)

    monkeypatch.setattr(preparing, "render_item", render)
    prepare_study(str(study.pk))
    row = Preparation.objects.get()
    assert (len(rendered), row.status, row.attempts) == (1, Job.Status.QUEUED, 0)
    assert prepared_by(study) == []  # the loser has removed what it wrote
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN
    assert rendered[1:] == [study.items.get().pk]
    assert prepared_by(study) == stored_names(study)
    assert len(stored_names(study)) == len(ALL)


def test_what_killed_workers_wrote_is_removed_and_nothing_else(
    alice: User, processed: Callable[..., Clip], make_study: Callable[..., Study]
) -> None:
    other = make_study(clips=1, sound=True)
    study = create(alice, [processed(alice, sound=True)])
    default_storage.save(f"{folder_of(study.pk)}/killed.wav", ContentFile(b"half a file"))
    render_item(study.items.all()[0])  # of an attempt before
    kept = set(stored_names(study)) - {""}
    prepare_study(str(study.pk))
    assert prepared_by(study) == stored_names(study)
    assert kept < set(prepared_by(study))
    assert prepared_by(other) == stored_names(other)


def test_dead_workers_are_swept_up_in_bounds(
    alice: User, processed: Callable[..., Clip], settings: Any
) -> None:
    """Two more attempts, then the page says what happened and offers to retry."""
    study = create(alice, [processed(alice, sound=True)])
    for _ in range(settings.JOB_MAX_ATTEMPTS):
        assert jobs.claim(Preparation, study.pk) is not None
        assert jobs.claim(Preparation, study.pk) is None  # nobody else's while its lease runs
        Preparation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
    study.refresh_from_db()
    assert "died 3 times" in study.error
    retry_preparing(study)
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert (study.status, study.error) == (Study.Status.OPEN, "")


def test_a_study_deleted_while_it_is_prepared_leaves_no_files(
    alice: User, processed: Callable[..., Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(alice, [processed(alice, sound=True)])

    def render(item: Item, hold: Callable[[], bool]) -> bool:
        def deleted() -> bool:
            delete_study(Study.objects.get())
            return hold()

        return render_item(item, deleted)

    monkeypatch.setattr(preparing, "render_item", render)
    prepare_study(str(study.pk))
    assert not Study.objects.exists()
    assert prepared_by(study) == []


def order_of(session: Session) -> list[tuple[int, list[str]]]:
    return [
        (trial.item.position, [system_of(entry) for entry in trial.order])
        for trial in session.trials.select_related("item")
    ]


def test_orders_follow_from_the_seed_alone(make_study: Callable[..., Study]) -> None:
    first, again = make_study(clips=4), make_study(clips=4)
    sessions = [[start_session(study) for _ in range(6)] for study in (first, again)]
    orders = [[order_of(session) for session in row] for row in sessions]
    assert orders[0] == orders[1]
    assert len({str(order) for order in orders[0]}) == 6  # and differ between listeners
    assert {str([position for position, _ in order]) for order in orders[0]} != {str([0, 1, 2, 3, 4])}
    for order in orders[0]:
        assert order[0][0] == 0  # training first
        assert sorted(position for position, _ in order) == [0, 1, 2, 3, 4]
        assert all(set(systems) == ALL for _, systems in order)


def test_every_system_comes_everywhere(make_study: Callable[..., Study]) -> None:
    study = make_study(clips=1)
    firsts = Counter(order_of(start_session(study))[1][1][0] for _ in range(60))
    assert set(firsts) == ALL
    assert max(firsts.values()) < 30


def test_keys_are_never_used_twice(make_study: Callable[..., Study]) -> None:
    study = make_study(clips=1)
    sessions = [start_session(study) for _ in range(10)]
    keys = [entry["key"] for s in sessions for trial in s.trials.all() for entry in trial.order]
    keys += [trial.reference_key for s in sessions for trial in s.trials.all()]
    assert len(set(keys)) == len(keys) == 10 * 2 * (len(ALL) + 1)


def test_a_session_goes_from_instructions_through_its_trials_to_thanks(study: Study) -> None:
    session = start_session(study)
    assert current_step(session).kind == "volume"
    assert take_step(session, "volume", {})
    assert current_step(session).kind == "instructions"
    begin(session)
    session.refresh_from_db()
    for position in (1, 2, 3):
        step = current_step(session)
        assert step.trial is not None
        assert step.trial.position == position
        for entry in step.trial.order:
            save_rating(step.trial, entry["key"], 50, 1)
        finish_trial(step.trial)
        assert take_step(session, "trained", {}) == (position == 1)  # the first was the training
    session.refresh_from_db()
    assert session.finished
    assert current_step(session).kind == "thanks"


def test_a_closed_study_starts_no_session(study: Study) -> None:
    close_study(study)
    with pytest.raises(StudyClosed):
        start_session(study)
    reopen_study(study)
    assert start_session(study).number == 1


def test_deleting_takes_grades_listeners_and_files_and_leaves_clips(
    make_study: Callable[..., Study], django_capture_on_commit_callbacks: Any
) -> None:
    study = make_study(sound=True)
    listen(study)
    files = list(Stimulus.objects.values_list("audio", flat=True))
    with django_capture_on_commit_callbacks(execute=True):
        delete_study(study)
    assert not any(model.objects.exists() for model in (Study, Item, Stimulus, Session, Assessor))
    assert Clip.objects.count() == 2
    assert Rendition.objects.count() == 2 * len(ALL)
    assert not any(default_storage.exists(name) for name in files)
