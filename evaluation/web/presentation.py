"""The presentation of clips: one set of rows for pages, the API and downloads."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext

from codec.base import in_words
from evaluation import systems
from evaluation.access import Role
from evaluation.clips.choosing import ORIGINAL
from evaluation.metrics import DEFAULT, GENERAL, Metric, defaults_for, metric_of
from evaluation.metrics import METRICS as REGISTRY
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.refusals import translate_note
from evaluation.work.expecting import seconds_left
from evaluation.work.jobs import Silence, silence_of
from evaluation.work.pipeline import METRIC_TITLES, METRICS

QUEUED, RUNNING, DONE, FAILED = (status.value for status in Job.Status)

#: Lowest PESQ (MOS-LQO) for each of P.800's words.
_WORDS = ((4.0, "Excellent"), (3.5, "Good"), (3.0, "Fair"), (2.0, "Poor"))


@dataclass(frozen=True)
class JobState:
    """The state of background work, as ``_job.html`` shows it.

    Attributes:
        kind, pk: of the row.
        status: queued, running, done or failed.
        text: description of the work and its progress, or why it failed.
        title: title of the result, for screen readers.
        done, total: numbers of steps; 0 if they are not counted.
        silence: of its worker, if it is not heard from.
        address: URL of this fragment; empty if the page itself follows the work.
        retry_address: URL that the retry button posts to; empty unless the work has failed and who looks may
            have it repeated.
    """

    kind: str
    pk: str
    status: str
    text: str
    log: str = ""
    title: str = ""
    done: int = 0
    total: int = 0
    silence: Silence | None = None
    address: str = ""
    retry_address: str = ""

    @property
    def queued(self) -> bool:
        return self.status == QUEUED

    @property
    def waiting(self) -> bool:
        return self.status in Job.UNFINISHED

    @property
    def failed(self) -> bool:
        return self.status == FAILED


def job_state(row: Job, role: int = Role.OWNER) -> JobState:
    """The state of a row of any kind, for who has this role on the thing that it works for."""
    kind = str(row._meta.model_name)
    counted = row.count_progress() if row.waiting else None
    done, total = counted or (0, 0)
    text = ""
    if row.status == FAILED:
        text = str(row.FAILED).format(error=translate_note(row.error))
    elif row.status == RUNNING or counted:
        text = row.describe_work(counted)
    return JobState(
        kind=kind,
        pk=str(row.pk),
        status=str(row.status),
        text=text,
        log=row.log,
        done=done,
        total=total,
        silence=silence_of(row),
        address=reverse("job", args=[kind, row.pk]),
        retry_address=reverse("job_retry", args=[kind, row.pk])
        if row.status == FAILED and role >= Role.EDITOR
        else "",
    )


def clips_at_work(clips: QuerySet[Clip]) -> QuerySet[Clip]:
    """Those of `clips` with a rendition that `count_progress` counts as busy.

    Clips on which work has begun come before those that only wait, each newest first. So a clip does not lose
    its place between two of its jobs.
    """
    made = Rendition.objects.filter(status__in=Job.UNFINISHED)
    measured = Score.objects.filter(metric__in=(*DEFAULT, *GENERAL), status__in=Job.UNFINISHED)
    busy = clips.filter(Q(pk__in=made.values("clip")) | Q(pk__in=measured.values("rendition__clip")))
    begun = Rendition.objects.filter(clip=OuterRef("pk")).exclude(status=Job.Status.QUEUED)
    return busy.order_by(Exists(begun).desc(), "-created", "id")


def count_progress(clips: QuerySet[Clip]) -> list[Any]:
    """`clips`, newest first, with `status`, `total`, `done`, `failed`, `unavailable`, in one query for all.

    Of `total` renditions, `done` have all that is measured by default, `failed` lack something of it, and
    `unavailable` cannot be made here. `waits` counts renditions that can be cancelled.
    """
    unmade = Q(renditions__status=Job.Status.FAILED)
    by_default = Q(renditions__scores__metric__in=(*DEFAULT, *GENERAL))
    measuring = by_default & Q(renditions__scores__status__in=Job.UNFINISHED)
    annotated = clips.select_related("owner").annotate(
        total=Count("renditions", distinct=True),
        started=Count("renditions", filter=~Q(renditions__status=Job.Status.QUEUED), distinct=True),
        busy=Count("renditions", filter=Q(renditions__status__in=Job.UNFINISHED) | measuring, distinct=True),
        waits=Count(
            "renditions",
            filter=Q(renditions__status=Job.Status.QUEUED) & ~Q(renditions__system=ORIGINAL),
            distinct=True,
        ),
        unavailable=Count("renditions", filter=unmade & Q(renditions__unavailable=True), distinct=True),
        unmade=Count("renditions", filter=unmade & Q(renditions__unavailable=False), distinct=True),
        unmeasured=Count(
            "renditions", filter=by_default & Q(renditions__scores__status=Job.Status.FAILED), distinct=True
        ),
    )
    # Django drops the model's default ordering in aggregate queries.
    found: list[Any] = list(annotated.order_by("-created", "id"))
    for clip in found:
        settled = clip.total - clip.busy - clip.unavailable
        clip.failed = min(clip.unmade + clip.unmeasured, settled)
        clip.done = settled - clip.failed
        if clip.busy:
            clip.status = RUNNING if clip.started else QUEUED
        else:
            clip.status = DONE if clip.done else FAILED
    return found


def describe_progress(clips: QuerySet[Clip]) -> list[Any]:
    """`count_progress`, with `left`, how long all will take, and `state`, which tells apart what rows show.

    The first reads the queue, while something waits.
    """
    found = count_progress(clips)
    under_way = [clip.pk for clip in found if clip.busy]
    left = seconds_left(under_way) if under_way else {}
    for clip in found:
        clip.left = time_left(left.get(clip.pk))
        clip.state = _progress_state(clip)
    return found


def _progress_state(clip: Any) -> str:
    """What a row shows of its clip that changes, told apart from other rows and states."""
    shown = (clip.status, clip.total, clip.done, clip.failed, clip.unavailable, clip.waits, clip.left)
    return f"{clip.pk.hex[:12]}-{zlib.crc32(repr(shown).encode()):08x}"


class OtherScore(TypedDict):
    """A score by an optional metric: `value` is None until it is done; `note` may say why there is none."""

    value: float | None
    status: str
    version: str
    note: str
    error: str


class RenditionRow(TypedDict):
    """A system's row in tables and JSON. Missing numbers are None; `note` says why."""

    id: UUID
    system: str
    title: str
    family: str
    kind: str
    status: str
    percent: int | None
    unavailable: bool
    error: str
    log: str
    kbps: float | None
    stated_kbps: float | None
    pesq_nb: float | None
    pesq_wb: float | None
    stoi: float | None
    pesq_word: str
    encode_rtf: float | None
    decode_rtf: float | None
    audio_url: str | None
    bitstream_url: str | None
    retry_url: str | None
    silence: Silence | None
    note: str
    others: dict[str, OtherScore]


def row_state(row: RenditionRow, role: int = Role.OWNER) -> JobState:
    """The state of one of `rendition_rows`: of the rendition with its scores by the default metrics.

    It is for who has this role on the clip.

    It has no address, because the clip's page follows all rows at once.
    """
    return JobState(
        kind="rendition",
        pk=str(row["id"]),
        status=row["status"],
        text=row["error"],
        log=row["log"],
        silence=row["silence"],
        title=row["title"],
        retry_address=(row["retry_url"] or "") if role >= Role.EDITOR else "",
    )


def time_left(seconds: float | None) -> str:
    """How long work will still take, in words; empty where it is not known."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if seconds < 45:
        return gettext("less than a minute left")
    if minutes < 90:
        return gettext("about %(minutes)s min left") % {"minutes": max(1, minutes)}
    return gettext("about %(hours)s h left") % {"hours": round(minutes / 60)}


def prefetch_results(clips: QuerySet[Clip]) -> QuerySet[Clip]:
    """Fetch renditions and scores with the clips, in a constant number of queries."""
    return clips.prefetch_related("renditions__scores")


def clip_status(clip: Clip) -> str:
    """Queued until a worker starts, running until everything is made and measured, then done.

    The clip has failed only if all systems have failed.
    """
    return _summary(rendition_status(rendition) for rendition in clip.renditions.all())


def _summary(statuses: Iterable[str]) -> str:
    found = set(statuses)
    if found <= {QUEUED}:
        return QUEUED
    if found.intersection(Job.UNFINISHED):
        return RUNNING
    return DONE if DONE in found else FAILED


def rendition_status(rendition: Rendition) -> str:
    """The status of a rendition and its default scores together: done means that the scores are final."""
    if rendition.status != DONE:
        return str(rendition.status)
    default = defaults_for(speech=rendition.clip.speech)
    scores = {score.status for score in rendition.scores.all() if score.metric in default}
    if scores.intersection(Job.UNFINISHED):
        return RUNNING
    return FAILED if FAILED in scores else DONE


def rendition_rows(clip: Clip) -> list[RenditionRow]:
    """One row for each system, in the registry's order."""
    renditions = sorted(clip.renditions.all(), key=lambda rendition: systems.order(rendition.system))
    described = systems.describe_all(rendition.system for rendition in renditions)
    return [rendition_row(rendition, described[rendition.system]) for rendition in renditions]


def mean_rates(clips: QuerySet[Clip]) -> dict[str, float]:
    """The mean rate of a system's outputs over `clips`, in kbit/s, by system, of two or more clips."""
    made = Rendition.objects.filter(clip__in=clips, status=DONE, kbps__isnull=False).order_by()
    means = made.values_list("system").annotate(mean=Avg("kbps"), clips=Count("clip")).filter(clips__gt=1)
    return {system: mean for system, mean, _ in means}


def rendition_row(rendition: Rendition, system: systems.Described) -> RenditionRow:
    """The row of one rendition, made by `system`."""
    clip = rendition.clip
    scores = {score.metric: score for score in rendition.scores.all()}
    default = defaults_for(speech=clip.speech)
    values = {metric: _value(scores.get(metric)) for metric in METRICS}
    status = rendition_status(rendition)
    made = rendition.status == DONE
    own = system.kind == "uploaded"
    parts = [rendition, *(scores[metric] for metric in METRICS if metric in scores)]
    return {
        "id": rendition.pk,
        "system": rendition.system,
        "title": system.title,
        "family": system.family,
        "kind": system.kind,
        "status": status,
        "percent": rendition.percent if rendition.status == RUNNING else None,
        "unavailable": rendition.unavailable and rendition.status == FAILED,
        "error": _error(rendition, [score for score in scores.values() if score.metric in default]),
        "log": "".join([rendition.log, *(score.log for score in scores.values())]),
        "kbps": rendition.kbps if made else None,
        "stated_kbps": system.kbps if own else None,
        "pesq_nb": values["pesq_nb"],
        "pesq_wb": values["pesq_wb"],
        "stoi": values["stoi"],
        "pesq_word": pesq_word(values["pesq_wb"]),
        "encode_rtf": _rtf(rendition.encode_seconds, clip) if made else None,
        "decode_rtf": _rtf(rendition.decode_seconds, clip) if made else None,
        "audio_url": reverse("rendition_audio", args=[rendition.pk]) if made else None,
        "bitstream_url": reverse("rendition_bitstream", args=[rendition.pk]) if made and not own else None,
        "retry_url": reverse("rendition_retry", args=[rendition.pk]) if status == FAILED else None,
        "silence": next((silence for part in parts if (silence := silence_of(part))), None),
        "note": "; ".join(filter(None, [system.note, _processed_as(clip, system), *_metric_notes(scores)])),
        "others": {metric: _other(score) for metric, score in scores.items() if metric not in METRICS},
    }


def _other(score: Score) -> OtherScore:
    return {
        "value": _value(score),
        "status": str(score.status),
        "version": score.version,
        "note": translate_note(score.note),
        "error": translate_note(score.error),
    }


def other_metrics(rows: Iterable[RenditionRow]) -> list[Metric]:
    """The optional metrics by which any of `rendition_rows` has a score, in table order."""
    found = {metric for row in rows for metric in row["others"]}
    known = [slug for slug in REGISTRY if slug in found]
    return [metric_of(slug) for slug in (*known, *sorted(found - set(known)))]


def pesq_word(value: float | None) -> str:
    """P.800's word for a PESQ score (MOS-LQO, 1 to 4.64) as it is shown; empty without a score."""
    if value is None:
        return ""
    return next((word for least, word in _WORDS if round(value, 2) >= least), "Bad")


def _value(score: Score | None) -> float | None:
    return score.value if score is not None and score.status == Job.Status.DONE else None


def _error(rendition: Rendition, scores: Iterable[Score]) -> str:
    if rendition.status == FAILED:
        return translate_note(rendition.error)
    failed = [f"{metric_of(s.metric).title}: {translate_note(s.error)}" for s in scores if s.status == FAILED]
    return " ".join(failed)


def _metric_notes(scores: dict[str, Score]) -> list[str]:
    notes = ((metric, scores[metric].note) for metric in METRICS if metric in scores)
    return [f"{METRIC_TITLES[metric]}: {translate_note(note)}" for metric, note in notes if note]


def _processed_as(clip: Clip, system: systems.Described) -> str:
    """What a system processes of a clip, in words; empty if it is all of it."""
    if system.takes is None:
        return ""
    rate, channels = system.takes.fit(clip.rate, clip.channels)
    if (rate, channels) == (clip.rate, clip.channels):
        return ""
    return f"processed in {in_words(rate, channels)}"


def _rtf(seconds: float | None, clip: Clip) -> float | None:
    return None if seconds is None else seconds / clip.seconds
