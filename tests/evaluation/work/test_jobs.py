"""Claims, leases, the sweeper and lost messages, on the database with real threads."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.db.models import Q
from django.utils import timezone
from kombu import Connection

from evaluation import tasks
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.work import broker, holders, jobs
from listening.site import embedded_redis

Status = Job.Status
MakeClip = Callable[..., Clip]
Sent = list[tuple[str, str]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The messages that would go to the broker: the network's edge."""
    messages: Sent = []
    for task in (tasks.make_rendition, tasks.make_score):
        monkeypatch.setattr(
            task,
            "apply_async",
            lambda args, retry, name=task.name: messages.append((name.split(".")[-1], args[0])),
        )
    return messages


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def ago(seconds: float) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


# -- Claims


def test_claim_takes_a_queued_row(rendition: Rendition) -> None:
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts, rendition.claim) == (Status.RUNNING, 1, row.claim)
    assert rendition.lease_until is not None
    assert rendition.lease_until > timezone.now()
    assert "attempt 1 on " in row.log


@pytest.mark.parametrize("status", [Status.RUNNING, Status.DONE, Status.FAILED])
def test_claim_leaves_other_rows_alone(rendition: Rendition, status: str) -> None:
    Rendition.objects.update(status=status, attempts=1)
    assert jobs.claim(Rendition, rendition.pk) is None
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts) == (status, 1)


def test_claim_of_a_deleted_row_is_none(db: None) -> None:
    assert jobs.claim(Rendition, uuid.uuid4()) is None


@pytest.mark.usefixtures("transactional_db")
def test_of_many_workers_one_gets_the_row(alice: User, make_clip: MakeClip) -> None:
    rendition = Rendition.objects.create(clip=make_clip(alice), system="original")
    start = threading.Barrier(8)
    claims: list[Any] = []

    def worker() -> None:
        try:
            start.wait()
            claims.append(jobs.claim(Rendition, rendition.pk))
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claims) == 8
    assert len([row for row in claims if row is not None]) == 1
    rendition.refresh_from_db()
    assert rendition.attempts == 1


# -- Only the holder may write


def test_finish_stores_results_and_gives_the_claim_back(rendition: Rendition) -> None:
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    assert jobs.finish(row, kbps=2.0)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.kbps, rendition.claim, rendition.lease_until) == (
        Status.DONE,
        2.0,
        None,
        None,
    )
    assert rendition.finished is not None


def test_who_lost_the_claim_has_no_say(rendition: Rendition) -> None:
    slow = jobs.claim(Rendition, rendition.pk)
    Rendition.objects.update(lease_until=ago(1))
    jobs._requeue_stale(Rendition)
    quick = jobs.claim(Rendition, rendition.pk)
    assert slow is not None
    assert quick is not None
    assert not jobs.renew(slow)
    assert not jobs.finish(slow, kbps=1.0)
    assert not jobs.fail(slow, "no")
    assert jobs.finish(quick, kbps=2.0)
    assert not jobs.finish(quick, kbps=3.0)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.kbps, rendition.error) == (Status.DONE, 2.0, "")


def test_fail_keeps_message_and_log(rendition: Rendition) -> None:
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    jobs.note(row, "line")
    assert jobs.fail(row, "Install libfoo.")
    rendition.refresh_from_db()
    assert (rendition.status, rendition.error) == (Status.FAILED, "Install libfoo.")
    assert rendition.log.endswith(" line\n")


# -- Steps


def test_a_step_that_is_done_counts_attempts_anew(rendition: Rendition) -> None:
    Rendition.objects.update(attempts=2)
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    Rendition.objects.update(lease_until=ago(1))
    assert jobs.advance(row)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts) == (Status.RUNNING, 1)
    assert rendition.lease_until is not None
    assert rendition.lease_until > timezone.now()


@pytest.mark.parametrize("status", list(Status))
def test_restart_takes_the_claim_from_whoever_has_it(
    rendition: Rendition, sent: Sent, status: str, django_capture_on_commit_callbacks: Any
) -> None:
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    Rendition.objects.update(status=status, error="no", dispatched=ago(5))
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.restart(rendition, kbps=2.5)
        assert (rendition.status, rendition.kbps) == (Status.QUEUED, 2.5)  # the object too, before it is sent
        assert sent == []
    assert sent == [("make_rendition", str(rendition.pk))]
    assert not jobs.advance(row)
    assert not jobs.finish(row, kbps=1.0)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts, rendition.error) == (Status.QUEUED, 0, "")
    assert (rendition.claim, rendition.lease_until, rendition.kbps) == (None, None, 2.5)


def test_restart_under_a_condition(rendition: Rendition, sent: Sent) -> None:
    assert not jobs.restart(rendition, Q(status=Status.DONE), kbps=2.5)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.kbps) == (Status.QUEUED, None)


def test_kinds_of_work_are_known_by_name() -> None:
    names = {model._meta.model_name for model in jobs.KINDS}
    assert names == {
        "rendition", "score", "outputbatch", "preparation", "simulation", "analysis", "importdraft",
        "demoversion", "voicetrial", "madefile", "mail",
    }  # fmt: skip
    assert all(jobs.kind_of(str(name)) in jobs.KINDS for name in names)
    assert jobs.kind_of("clip") is None


# -- Leases


@pytest.mark.usefixtures("transactional_db")
def test_lease_is_renewed_while_the_work_goes_on(alice: User, make_clip: MakeClip, settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 0.3
    rendition = Rendition.objects.create(clip=make_clip(alice), system="original")
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    first = row.lease_until
    with jobs.keep_alive(row):
        until(lambda: Rendition.objects.get().lease_until > first)
    assert not [t for t in threading.enumerate() if t.name == f"lease of {row.pk}"]
    assert jobs.finish(row)


@pytest.mark.usefixtures("transactional_db")
def test_renewal_stops_when_the_claim_is_lost(alice: User, make_clip: MakeClip, settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 0.03
    rendition = Rendition.objects.create(clip=make_clip(alice), system="original")
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    with jobs.keep_alive(row):
        Rendition.objects.update(status=Status.QUEUED, claim=None, lease_until=None)
        until(lambda: not [t for t in threading.enumerate() if t.name == f"lease of {row.pk}"])
    assert Rendition.objects.get().lease_until is None


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (EndpointConnectionError(endpoint_url="http://s3"), True),
        (ConnectionClosedError(endpoint_url="http://s3"), True),
        (ClientError({"ResponseMetadata": {"HTTPStatusCode": 503}}, "PutObject"), True),
        (ClientError({"ResponseMetadata": {"HTTPStatusCode": 403}}, "PutObject"), False),
        (OperationalError("away"), True),
        (ValueError("broken"), False),
    ],
)
def test_work_waits_for_a_store_or_database_that_is_away(
    rendition: Rendition, sent: Sent, error: Exception, is_tried_again: bool
) -> None:
    row = jobs.claim(Rendition, rendition.pk)
    assert row
    with suppress(type(error)), jobs.work_on(row):
        raise error
    Rendition.objects.filter(status=Status.RUNNING).update(lease_until=ago(1))
    jobs.sweep()
    rendition.refresh_from_db()
    assert rendition.status == (Status.QUEUED if is_tried_again else Status.FAILED)
    assert bool(sent) is is_tried_again


@pytest.mark.usefixtures("transactional_db")
def test_work_that_hangs_loses_its_lease(alice: User, make_clip: MakeClip, settings: Any) -> None:
    settings.JOB_LEASE_SECONDS, settings.JOB_MAX_SECONDS = 0.03, 0.05
    rendition = Rendition.objects.create(clip=make_clip(alice), system="original")
    row = jobs.claim(Rendition, rendition.pk)
    assert row is not None
    with jobs.keep_alive(row):
        until(lambda: not [t for t in threading.enumerate() if t.name == f"lease of {row.pk}"])
        until(lambda: Rendition.objects.get().lease_until < timezone.now())
        jobs._requeue_stale(Rendition)
    assert Rendition.objects.get().status == Status.QUEUED


# -- The sweeper


def test_row_of_a_dead_worker_is_queued_and_sent_again(rendition: Rendition, sent: Sent) -> None:
    jobs.claim(Rendition, rendition.pk)
    Rendition.objects.update(lease_until=ago(1), dispatched=ago(5))
    jobs.sweep()
    rendition.refresh_from_db()
    assert rendition.status == Status.QUEUED
    assert "the worker died or hung" in rendition.log
    assert sent == [("make_rendition", str(rendition.pk))]


def test_row_of_a_child_that_was_seen_to_die_is_given_back_at_once(rendition: Rendition, sent: Sent) -> None:
    token = holders.token_of("task", child=77, parent=76)
    Rendition.objects.update(status="running", claim=token, attempts=1, lease_until=ago(-60))
    task = "evaluation.tasks.make_rendition"
    for name, other in (
        ("evaluation.tasks.make_score", token),
        (task, holders.token_of("task", child=78, parent=76)),
    ):
        assert not jobs.give_back(name, other)
    assert jobs.give_back(task, token)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.claim, rendition.lease_until) == ("queued", None, None)
    assert rendition.log.endswith(" the worker died\n")
    assert [pk for _, pk in sent] == [str(rendition.pk)]
    assert not jobs.give_back(task, token)
    Rendition.objects.update(status="running", claim=token, attempts=3)
    assert jobs.give_back(task, token)
    rendition.refresh_from_db()
    assert rendition.status == "failed"


def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_rows_of_a_worker_that_died_whole_are_queued_at_once(
    rendition: Rendition, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the lease; the death counts only if the row was alone in the worker."""
    others = [Rendition.objects.create(clip=rendition.clip, system=f"opus-{rate}k") for rate in (6, 9, 12)]
    dead, me = gone(), os.getpid()
    held = {
        rendition: holders.token_of("one", child=dead, parent=dead),
        others[0]: holders.token_of("two", child=gone(), parent=dead),
        others[1]: holders.token_of("three", child=dead, parent=me),  # whose worker lives: it will see to it
    }
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(holders, "this_host", lambda: 7)
        held[others[2]] = holders.token_of("four", child=dead, parent=dead)
    for row, token in held.items():
        Rendition.objects.filter(pk=row.pk).update(
            status="running", claim=token, attempts=2, lease_until=ago(-60)
        )
    jobs.sweep()
    found = [Rendition.objects.get(pk=row.pk) for row in held]
    assert [(row.status, row.attempts) for row in found] == [
        ("queued", 1), ("queued", 1), ("running", 2), ("running", 2)
    ]  # fmt: skip
    token = holders.token_of("alone", child=dead, parent=dead)
    Rendition.objects.filter(pk=rendition.pk).update(status="running", claim=token, attempts=2)
    jobs.sweep()
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts) == ("queued", 2)


@pytest.mark.service
def test_a_broker_that_starts_anew_gets_every_queued_row_again(
    rendition: Rendition, sent: Sent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = embedded_redis.broker_url(tmp_path)
    monkeypatch.setattr(broker.current_app, "connection_for_write", lambda: Connection(address))
    Rendition.objects.update(dispatched=ago(1))
    for starts in (1, 2):
        with embedded_redis.EmbeddedRedis(tmp_path) as server:
            for _ in range(2):
                jobs.sweep()
            assert len(sent) == starts  # not once more while it stays the same
            assert server.process is not None
            server.process.kill()
            server.process.wait()
            jobs.sweep()  # without a broker
    assert len(sent) == 2


def test_row_whose_lease_runs_is_left_alone(rendition: Rendition, sent: Sent) -> None:
    jobs.claim(Rendition, rendition.pk)
    jobs.sweep()
    rendition.refresh_from_db()
    assert rendition.status == Status.RUNNING
    assert sent == []


def test_what_kills_worker_after_worker_fails_in_the_end(
    rendition: Rendition, sent: Sent, settings: Any
) -> None:
    for _ in range(settings.JOB_MAX_ATTEMPTS):
        assert jobs.claim(Rendition, rendition.pk) is not None
        Rendition.objects.update(lease_until=ago(1))
        jobs.sweep()
    rendition.refresh_from_db()
    assert rendition.status == Status.FAILED
    assert "The worker died 3 times" in rendition.error
    assert rendition.log.count("the worker died or hung") == 3
    assert len(sent) == settings.JOB_MAX_ATTEMPTS - 1


def test_rows_never_sent_are_sent_once(rendition: Rendition, sent: Sent) -> None:
    jobs.sweep()
    jobs.sweep()
    assert sent == [("make_rendition", str(rendition.pk))]


def test_scores_are_swept_too(rendition: Rendition, sent: Sent) -> None:
    Rendition.objects.update(status=Status.DONE)
    score = Score.objects.create(rendition=rendition, metric="stoi")
    jobs.sweep()
    assert sent == [("make_score", str(score.pk))]


def test_a_long_queue_is_not_flooded(alice: User, make_clip: MakeClip, sent: Sent) -> None:
    """A worker is busy with the oldest row: the others wait their turn, however long that takes."""
    clip = make_clip(alice)
    rows = [Rendition.objects.create(clip=clip, system=f"s{n}", dispatched=ago(9000 - n)) for n in range(4)]
    jobs.claim(Rendition, rows[0].pk)
    jobs.sweep()
    assert sent == []


def test_a_worker_between_two_rows_is_no_silence(alice: User, make_clip: MakeClip, sent: Sent) -> None:
    clip = make_clip(alice)
    first = Rendition.objects.create(clip=clip, system="a", dispatched=ago(9001))
    Rendition.objects.create(clip=clip, system="b", dispatched=ago(9000))
    row = jobs.claim(Rendition, first.pk)
    assert row is not None
    jobs.finish(row)
    jobs.sweep()
    assert sent == []
    Rendition.objects.filter(pk=first.pk).update(finished=ago(1000))
    jobs.sweep()
    assert len(sent) == 1


def test_a_message_that_the_queue_has_passed_is_sent_again(
    alice: User, make_clip: MakeClip, sent: Sent
) -> None:
    clip = make_clip(alice)
    lost = Rendition.objects.create(clip=clip, system="a", dispatched=ago(9000))
    working = Rendition.objects.create(clip=clip, system="b", dispatched=ago(5000))
    Rendition.objects.create(clip=clip, system="c", dispatched=ago(4000))
    jobs.claim(Rendition, working.pk)
    jobs.sweep()
    assert sent == [("make_rendition", str(lost.pk))]


def test_messages_of_a_lost_broker_are_sent_again(alice: User, make_clip: MakeClip, sent: Sent) -> None:
    """Nobody has worked on anything for a while, though messages are minutes old: there are none."""
    clip = make_clip(alice)
    old = [Rendition.objects.create(clip=clip, system=f"s{n}", dispatched=ago(9000 - n)) for n in range(3)]
    Rendition.objects.create(clip=clip, system="fresh", dispatched=timezone.now())
    jobs.sweep()
    assert [pk for _, pk in sent] == [str(row.pk) for row in old]
    jobs.sweep()
    assert len(sent) == 3


def test_a_sweep_sends_a_limited_number(alice: User, make_clip: MakeClip, sent: Sent, settings: Any) -> None:
    settings.JOB_SWEEP_BATCH = 2
    clip = make_clip(alice)
    Rendition.objects.bulk_create(Rendition(clip=clip, system=f"s{n}") for n in range(5))
    for total in (2, 4, 5, 5):
        jobs.sweep()
        assert len(set(sent)) == len(sent) == total


# -- Sending


def test_broker_away_leaves_the_row_queued(
    rendition: Rendition, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A real publish to a socket where nobody listens."""
    from listening.site.celery import app

    monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{tmp_path / 'nobody.sock'}")
    monkeypatch.setattr(app, "_pool", None)
    assert jobs.dispatch([rendition, rendition]) == 0
    rendition.refresh_from_db()
    assert (rendition.status, rendition.dispatched) == (Status.QUEUED, None)
    assert caplog.text.count("broker cannot be reached") == 1, (
        "a second attempt would keep the request waiting"
    )


def test_of_several_sweepers_one_sends(rendition: Rendition, sent: Sent) -> None:
    """Both have read the row before either sends."""
    first, second = Rendition.objects.get(), Rendition.objects.get()
    assert (jobs.dispatch([first]), jobs.dispatch([second])) == (1, 0)
    assert len(sent) == 1


def test_dispatch_skips_what_is_no_longer_queued(rendition: Rendition, sent: Sent) -> None:
    Rendition.objects.update(status=Status.DONE)
    assert jobs.dispatch([rendition]) == 0
    assert sent == []


def test_retry_starts_afresh(
    rendition: Rendition, sent: Sent, django_capture_on_commit_callbacks: Any
) -> None:
    Rendition.objects.update(status=Status.FAILED, attempts=3, error="no", dispatched=ago(5))
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.retry(rendition)
    rendition.refresh_from_db()
    assert (rendition.status, rendition.attempts, rendition.error) == (Status.QUEUED, 0, "")
    assert sent == [("make_rendition", str(rendition.pk))]
    assert not jobs.retry(rendition)
