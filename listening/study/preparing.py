"""Rendering a study's stimuli in the background, item by item: the work of a `Preparation`.

Code that changes a study's contents queues its preparation again (`prepare_again`). A worker that is
rendering then loses its claim, stores nothing more and removes the files that it has written.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction

from evaluation.clips.removal import delete_files, list_files
from evaluation.work import jobs
from listening.models import Preparation, Stimulus, Study
from listening.study.stimuli import StimulusError, folder_of, render_item


def prepare_again(study: Study) -> None:
    """Queue the rendering of missing stimuli."""
    row, _new = Preparation.objects.get_or_create(study=study)
    study.preparation = row
    jobs.restart(row)


def retry_preparing(study: Study) -> None:
    """Queue the study's preparation again if it failed."""
    row = Preparation.objects.filter(study=study).first()
    if row is not None:
        jobs.retry(row)


def prepare_study(study_id: str) -> None:
    """Render every missing stimulus of a study, then open the study or mark it ready."""
    row = jobs.claim(Preparation, study_id)
    if row is None:
        return
    with jobs.work_on(row, StimulusError):
        _remove_leftovers(row)
        for item in row.study.items.filter(stimuli__audio="").distinct().select_related("clip", "study"):
            if not render_item(item, partial(_advance, row)):
                return  # the claim is lost: the study has changed and is queued again
        finish_preparing(row)


def finish_preparing(row: Preparation) -> bool:
    """Open the study, or mark it ready, once all stimuli are rendered. Returns False if the claim is lost."""
    with transaction.atomic():
        study = Study.objects.select_for_update().get(pk=row.study_id)
        if not jobs.finish(row):
            return False
        if study.status == Study.Status.PREPARING:
            study.status = Study.Status.OPEN if study.open_when_ready else Study.Status.READY
            study.save(update_fields=["status"])
    return True


def _advance(row: Preparation) -> bool:
    # Lock the study before the row, in the same order as changes to the study, to avoid a deadlock.
    study = Study.objects.select_for_update().filter(pk=row.study_id).first()
    return study is not None and jobs.advance(row)


def _remove_leftovers(row: Preparation) -> None:
    """Delete files that workers wrote but did not store before they were killed or lost the claim."""
    found = list(list_files(folder_of(row.study_id)))
    if not jobs.renew(row):
        return  # some of these files may belong to the worker that has the claim now
    stimuli = Stimulus.objects.filter(item__study=row.study_id)
    delete_files(set(found) - set(stimuli.values_list("audio", flat=True)))
