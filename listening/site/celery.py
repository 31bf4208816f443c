"""The Celery application: ``celery -A listening.site worker -Q codec,metrics,prepare,prompt -B``."""

from __future__ import annotations

import os
from typing import Any

from billiard import current_process
from celery import Celery, signals

from evaluation.tracing import JOB
from listening.site import processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "listening.site.settings")
# They import all pages, which a worker never shows: half of the time that it would take to start. The
# commands of manage.py make them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")
app = Celery("earshot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.Task.Request = "listening.site.lost:Request"


@signals.worker_process_init.connect(weak=False)
@signals.beat_embedded_init.connect(weak=False)
def end_with_worker(**_: Any) -> None:
    """Do not outlive the worker: nobody would take the child's result, and see the child's own death."""
    processes.die_with(current_process()._parent_pid)


@signals.worker_ready.connect(weak=False)
def begin_presence(sender: Any, **_: Any) -> None:
    """Have a worker say that it is alive, from its parent."""
    from evaluation.work.presence import Presence

    worker = sender.controller
    queues = [queue.name for queue in worker.app.amqp.queues.consume_from.values()]
    worker.presence = Presence(worker.hostname, queues, worker.concurrency)
    worker.presence.start()


@signals.worker_shutdown.connect(weak=False)
def end_presence(sender: Any, **_: Any) -> None:
    if presence := getattr(sender, "presence", None):
        presence.stop()


@signals.task_prerun.connect(weak=False)
def note_job(task: Any, args: Any, **_: Any) -> None:
    """Name the job in the lines that its task logs."""
    JOB.set(" ".join([task.name.rsplit(".", 1)[-1], *map(str, args)]))


@signals.task_postrun.connect(weak=False)
def forget_job(**_: Any) -> None:
    JOB.set("")
