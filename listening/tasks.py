"""Celery tasks: each maps a task name to a function. Messages carry only the id of a row."""

from __future__ import annotations

from celery import shared_task


@shared_task
def prepare_study(study_id: str) -> None:
    from listening.study import preparing

    preparing.prepare_study(study_id)


@shared_task
def simulate(study_id: str) -> None:
    from listening.simulation import runs

    runs.run(study_id)


@shared_task
def make_analysis(analysis_id: int | str) -> None:
    from listening.results import analyses

    analyses.run(analysis_id)


@shared_task
def import_configuration(draft_id: str) -> None:
    from listening.interchange.imports import configuring

    configuring.run(draft_id)
