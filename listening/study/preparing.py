"""Rendering a study's stimuli in the background, item by item: the work of a `Preparation`.

Whoever changes what a study is made of queues its preparation anew (`prepare_again`). A worker that is at it
then loses its claim, stores nothing more and removes what it has written.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction

from evaluation.clips.removal import delete_files, list_files
from evaluation.work import jobs
from listening.models import Preparation, Stimulus, Study
from listening.study.stimuli import StimulusError, folder_of, render_item


def prepare_again(study: Study) -> None:
    """Queue the rendering of the stimuli that are missing; the study waits for it."""
    row, _new = Preparation.objects.get_or_create(study=study)
    study.preparation = row
    jobs.restart(row)


def retry_preparing(study: Study) -> None:
    """Send the study to the workers again if its preparation failed."""
    row = Preparation.objects.filter(study=study).first()
    if row is not None:
        jobs.retry(row)


def prepare_study(study_id: str) -> None:
    """Render every stimulus of a study that is not there yet, then open it or call it ready."""
    row = jobs.claim(Preparation, study_id)
    if row is None:
        return
    with jobs.work_on(row, StimulusError):
        _remove_leftovers(row)
        for item in row.study.items.filter(stimuli__audio="").distinct().select_related("clip", "study"):
            if not render_item(item, partial(_advance, row)):
                return  # changed meanwhile, or somebody else's: it has been queued again
        finish_preparing(row)


def finish_preparing(row: Preparation) -> bool:
    """All stimuli are there: let listeners in, or wait for the researcher to. False: the claim is lost."""
    with transaction.atomic():
        study = Study.objects.select_for_update().get(pk=row.study_id)
        if not jobs.finish(row):
            return False
        if study.status == Study.Status.PREPARING:
            study.status = Study.Status.OPEN if study.open_when_ready else Study.Status.READY
            study.save(update_fields=["status"])
    return True


def _advance(row: Preparation) -> bool:
    # The study is locked before the row, as by whoever changes it: in the other order both could wait.
    study = Study.objects.select_for_update().filter(pk=row.study_id).first()
    return study is not None and jobs.advance(row)


def _remove_leftovers(row: Preparation) -> None:
    """Delete what workers that were killed, or lost the claim, have written and not stored."""
    found = list(list_files(folder_of(row.study_id)))
    if not jobs.renew(row):
        return  # among these may be the files of whoever has the claim now
    stimuli = Stimulus.objects.filter(item__study=row.study_id)
    delete_files(set(found) - set(stimuli.values_list("audio", flat=True)))
