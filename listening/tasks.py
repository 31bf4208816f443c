"""Celery tasks of studies. They carry ids only; `listening.services` does the work."""

from __future__ import annotations

import logging

from celery import shared_task

from evaluation.refusals import Refusal

logger = logging.getLogger(__name__)


@shared_task
def prepare_study(study_id: str) -> None:
    """Render every stimulus of a study that is not there yet, then open it or call it ready."""
    from listening.study.preparing import (
        claim_study,
        fail_preparing,
        open_prepared_study,
        renew_study_lease,
    )
    from listening.study.stimuli import render_item

    study = claim_study(study_id)
    if study is None:
        return
    try:
        for item in study.items.filter(stimuli__audio="").distinct().select_related("clip"):
            render_item(item)
            if not renew_study_lease(study):
                return  # changed meanwhile: it has been sent again
    except Exception as error:
        # Whatever it is, the researcher has to see it: the page shows the message and offers a retry.
        logger.exception("Study %s could not be prepared", study_id)
        fail_preparing(study, str(error) or type(error).__name__)
        return
    open_prepared_study(study)


@shared_task
def sweep_studies() -> None:
    """Send again the studies that wait for a worker: a message or a worker was lost."""
    from listening.simulation import runs as simulation
    from listening.study import preparing

    preparing.sweep_studies()
    simulation.sweep()


@shared_task
def simulate(study_id: str) -> None:
    """Let the simulated listeners of a study take it, those that are still to come."""
    from listening.simulation import runs as simulation

    simulation.run(study_id)


@shared_task
def make_analysis(analysis_id: int | str) -> None:
    """Compute what takes long of a study's results."""
    from listening.results import analyses

    analyses.run(analysis_id)


@shared_task
def import_configuration(draft_id: str) -> None:
    """Make the study of a configuration and its audio."""
    from evaluation.work import jobs
    from listening.interchange.imports.configuring import import_configuration as make_study
    from listening.interchange.imports.drafts import forget_files
    from listening.models import ImportDraft

    row = jobs.claim(ImportDraft, draft_id)
    if row is None:
        return
    with jobs.working(row, Refusal):
        if row.study_id is None:
            make_study(row)
        if jobs.finish(row):
            forget_files(row)
