"""One recording that two people have: the studies of one go on with their own copy of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.db.models import Q

from evaluation.metrics import METRICS
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.work import jobs
from evaluation.work.scores import request_scores
from listening.columns.demos import DemoContent
from listening.models import Demo, DemoVersion, Item, Stimulus

#: Of a row, what belongs to the state of its work.
_WORK = ("claim", "lease_until", "dispatched", "attempts")


@transaction.atomic
def merge_clip(clip: Clip, user: Any) -> None:
    """Have the studies of `user` use their own clip of the same recording in place of `clip`.

    Outputs of systems that their clip lacks are copied to it with their scores; where both have an output,
    their own counts from now on, as when an archive is imported. It gets the metrics that the other has: what
    somebody uploaded is copied, and the rest is measured. What listeners hear stays as it is, and the titles
    of items do. Demo pages of who works on these studies show it, too, with the systems that they name.

    Raises:
        Clip.DoesNotExist: they have no such clip.
    """
    # Locked, so that of two deletions at once the second sees what the first has copied.
    own = Clip.objects.select_for_update().get(owner=user, sha256=clip.sha256)
    items = list(Item.objects.filter(clip=clip, study__owner=user))
    theirs = {row.system: row for row in own.renditions.all()}
    named = _move_pages(clip, own, items)
    needed = Q(stimuli__item__in=items) | Q(system__in=named, status=Job.Status.DONE)
    for rendition in clip.renditions.filter(needed).distinct():
        found = theirs.get(rendition.system)
        if found is None or (found.status != Job.Status.DONE and rendition.status == Job.Status.DONE):
            found = _copy_rendition(rendition, own, found)
        _complete_scores(rendition, found)
        Stimulus.objects.filter(item__in=items, rendition=rendition).update(rendition=found)
    for item in items:
        item.name = item.name or (clip.title if clip.title != own.title else "")
        item.clip = own
    Item.objects.bulk_update(items, ["name", "clip"])


def _move_pages(clip: Clip, own: Clip, items: list[Item]) -> set[str]:
    """Have demo pages name `own` in place of `clip`, those of whoever works on studies with `items`.

    Returns:
        slugs of the systems on these pages.
    """
    people = User.objects.filter(Q(studies__items__in=items) | Q(shares__study__items__in=items))
    named: set[str] = set()

    def move(page: DemoContent) -> DemoContent | None:
        if str(clip.pk) not in {row.clip for row in page.recordings}:
            return None
        named.update(page.systems)
        rows = [
            row.model_copy(update={"clip": str(own.pk)}) if row.clip == str(clip.pk) else row
            for row in page.recordings
        ]
        return page.model_copy(update={"recordings": rows})

    for demo in Demo.objects.filter(owner__in=people):
        if (draft := move(demo.draft)) is not None:
            Demo.objects.filter(pk=demo.pk).update(draft=draft)
    for version in DemoVersion.objects.filter(demo__owner__in=people):
        if (content := move(version.content)) is not None:
            DemoVersion.objects.filter(pk=version.pk).update(content=content)
    return named


def _copy_rendition(row: Rendition, clip: Clip, instead: Rendition | None) -> Rendition:
    """A copy of `row` with its files and scores at another clip; `instead` of the one there, if there is."""
    copy = Rendition(clip=clip) if instead is None else instead
    for field in row._meta.concrete_fields:
        if field.name not in ("id", "clip", "upload", "audio", "bitstream", *_WORK):
            setattr(copy, field.attname, getattr(row, field.attname))
    copy.claim = copy.lease_until = None  # of a worker that may have it
    for name in ("upload", "audio", "bitstream"):
        stored = getattr(row, name)
        if stored:
            with stored.open("rb") as source:
                getattr(copy, name).save(PurePosixPath(stored.name).name, File(source), save=False)
    if copy.status in Job.UNFINISHED:
        copy.status = Job.Status.QUEUED
        transaction.on_commit(lambda: jobs.dispatch([copy]))
    copy.save(force_insert=instead is None)
    known = set(copy.scores.values_list("metric", flat=True))
    for score in row.scores.filter(status=Job.Status.DONE).exclude(metric__in=known):
        _copy_score(score, copy)
    return copy


def _complete_scores(row: Rendition, other: Rendition) -> None:
    """Give `other` the metrics of `row` that it lacks, which somebody may have had uploaded or asked for."""
    known = set(other.scores.values_list("metric", flat=True))
    wanted = []
    for score in row.scores.exclude(metric__in=known):
        if score.metric in METRICS and METRICS[score.metric].computed:
            wanted.append(score.metric)
        else:
            _copy_score(score, other)
    request_scores([other], wanted)


def _copy_score(score: Score, rendition: Rendition) -> None:
    score.pk, score.rendition = None, rendition
    score.save(force_insert=True)
