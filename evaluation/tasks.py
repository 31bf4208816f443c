"""Names that Celery knows, each mapped to what it does. Messages carry the id of a row and nothing else.

The web process imports this module to send messages: what a worker needs is imported inside the functions,
on first use in the worker's child, never before the fork.
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
    """Set lost work of every kind going again; beat sends this every few seconds."""

    jobs.sweep()
