"""Celery tasks: each maps a task name to a function. Messages carry only the id of a row.

The web process imports this module to send messages, so the functions import what a worker needs: on first
use in the worker's child, never before the fork.
"""

from __future__ import annotations

from celery import shared_task

from evaluation.work import jobs


@shared_task
def make_rendition(rendition_id: str) -> None:
    from evaluation.clips import rendering

    rendering.make_rendition(rendition_id)


@shared_task
def make_score(score_id: int | str) -> None:
    from evaluation.clips import rendering

    rendering.make_score(score_id)


@shared_task
def handle_outputs(batch_id: str) -> None:
    from evaluation.outputs import batches

    batches.handle_batch(batch_id)


@shared_task
def sweep() -> None:
    """Re-queue lost work of every kind; beat sends this task every few seconds."""

    jobs.sweep()
