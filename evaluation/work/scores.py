"""Scores by optional metrics: computed on request or uploaded as a table.

POLQA is licensed and cannot be computed here; its scores can be uploaded as a table.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.metrics import DEFAULT, METRICS, OPTIONAL, UPLOADED, metric_of
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.work import jobs
from evaluation.work.files import FileProblem

#: Limit on rows: 1000 clips through 15 systems.
MAX_ROWS = 15_000
MAX_BYTES = 4_000_000

_CLIP = ("clip", "clip_id", "item", "file")
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ScoreProblem(FileProblem):
    """A table of scores that cannot be stored."""


@dataclass(frozen=True)
class Stored:
    """The numbers of new scores of `metric` and of replaced ones."""

    metric: str
    created: int
    replaced: int


def request_scores(renditions: Iterable[Rendition], metrics: Sequence[str]) -> int:
    """Queue `metrics` for finished renditions, including failed scores; returns the number of queued scores.

    Scores that are queued, running or done stay unchanged. If a worker lacks a metric's library, the score
    fails with that message.

    Raises:
        ScoreProblem: a metric that cannot be computed.
    """
    for number, metric in enumerate(metrics):
        if metric not in (*DEFAULT, *OPTIONAL):
            raise ScoreProblem.of_field(
                f"metrics.{number}",
                _("%(metric)s cannot be computed here."),
                metric=metric_of(metric).title,
            )
    made = [row.pk for row in renditions if row.status == Job.Status.DONE]
    with transaction.atomic():
        there = Score.objects.filter(rendition__in=made, metric__in=metrics)
        known = set(there.values_list("rendition", "metric"))
        fresh = [Score(rendition_id=pk, metric=m) for pk in made for m in metrics if (pk, m) not in known]
        Score.objects.bulk_create(fresh, ignore_conflicts=True)  # another request may have been faster
        failed = list(there.filter(status=Job.Status.FAILED))
        again = sum(jobs.retry(score) for score in failed)
        keys = [score.rendition_id for score in fresh]
        queued = Score.objects.filter(rendition__in=keys, metric__in=metrics, status=Job.Status.QUEUED)
        transaction.on_commit(partial(_dispatch, [score.pk for score in queued]))
    return len(fresh) + again


def _dispatch(keys: Sequence[int]) -> None:
    jobs.dispatch(Score.objects.filter(pk__in=keys, dispatched=None))


def check_size(size: int | None) -> None:
    """Raise `ScoreProblem` if a table of this many bytes is too large."""
    if size is None or size > MAX_BYTES:
        raise ScoreProblem(_("The table is larger than %(limit).0f MB."), limit=MAX_BYTES / 1e6)


def store_scores(content: bytes, clips: Iterable[Clip], *, metric: str = "polqa", source: str = "") -> Stored:
    """Store a table of scores that were computed elsewhere, completely or not at all.

    Columns: ``clip`` (or ``item``: a clip's id, title or file name), ``system`` (slug) and ``value`` (or
    the metric's name). Comma, semicolon or tab; a decimal comma is refused.

    Args:
        clips: clips that rows may name.
        metric: slug of a metric that is not computed here.
        source: origin of the table, for the note of every score.

    Raises:
        ScoreProblem: the table is invalid; the message names the line.
    """
    known = METRICS.get(metric)
    if known is not None and known.computed:
        raise ScoreProblem.of_field(
            "metric", _("%(known)s is computed here; only other metrics can be uploaded."), known=known.title
        )
    if not _SLUG.fullmatch(metric):
        raise ScoreProblem.of_field(
            "metric", _("The metric's name must have at most 32 lower-case letters, digits and _.")
        )
    rows = _read(content, metric)
    names = _names(clips)
    described = metric_of(metric)
    values: dict[tuple[str, str], tuple[int, float]] = {}
    for line, clip_name, system, text in rows:
        found = names.get(clip_name)
        if found is None:
            raise ScoreProblem(_("There is no clip called %(clip_name)r."), line, clip_name=clip_name[:80])
        if len(found) > 1:
            raise ScoreProblem(
                _("Several clips are called %(clip_name)r: give the clip's id."),
                line,
                clip_name=clip_name[:80],
            )
        value = _number(text, line)
        if not described.low <= value <= described.high:
            raise ScoreProblem(
                _("%(metric)s ranges from %(low)g to %(high)g; this is %(value)g."),
                line,
                metric=described.title,
                low=described.low,
                high=described.high,
                value=value,
            )
        key = (next(iter(found)), system)
        if key in values:
            first = values[key][0]
            raise ScoreProblem(
                _("%(system)s of %(clip_name)s occurs twice, first in line %(first)s."),
                line,
                system=system,
                clip_name=clip_name[:80],
                first=first,
            )
        values[key] = (line, value)
    return _store(values, metric, source)


def _read(content: bytes, metric: str) -> list[tuple[int, str, str, str]]:
    """Line, clip, system and value of each row that is not blank."""
    check_size(len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScoreProblem(
            _("The table is not UTF-8 text."), content[: error.start].count(b"\n") + 1
        ) from error
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        clip = next((names.index(name) for name in _CLIP if name in names), None)
        system = names.index("system") if "system" in names else None
        wanted = ("value", metric, metric_of(metric).title.lower())
        value = next((names.index(name) for name in wanted if name in names), None)
        if clip is None or system is None or value is None:
            raise ScoreProblem(
                _(
                    "The table needs the columns clip, system and value (or %(metric)s). This one has "
                    "%(value)s."
                ),
                1,
                metric=metric,
                value=", ".join(filter(None, names)) or "none",
            )
        rows = []
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(clip, system, value):
                raise ScoreProblem(
                    _("%(count)s cells where the header has %(count_2)s."),
                    reader.line_num,
                    count=len(row),
                    count_2=len(names),
                )
            rows.append((reader.line_num, row[clip].strip(), row[system].strip(), row[value].strip()))
            if len(rows) > MAX_ROWS:
                raise ScoreProblem(_("More than %(max_rows)s rows."), reader.line_num, max_rows=MAX_ROWS)
    except csv.Error as error:
        raise ScoreProblem(_("The table cannot be read: %(error)s."), reader.line_num, error=error) from error
    if not rows:
        raise ScoreProblem(_("The table has only a header."))
    return rows


def _names(clips: Iterable[Clip]) -> dict[str, set[str]]:
    """Ids of clips by their names."""
    names: dict[str, set[str]] = {}
    for clip in clips:
        for name in {str(clip.pk), clip.title, clip.original_name}:
            names.setdefault(name, set()).add(str(clip.pk))
    return names


def _number(text: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ScoreProblem(
            _("%(value)r is not a number.") if text else _("The value is missing."), line, value=text[:40]
        )
    return value


def _store(values: dict[tuple[str, str], tuple[int, float]], metric: str, source: str) -> Stored:
    wanted = Rendition.objects.filter(
        clip__in={clip for clip, _system in values}, system__in={system for _clip, system in values}
    )
    renditions = {(str(row.clip_id), row.system): row for row in wanted}
    note = f"uploaded {timezone.now():%Y-%m-%d}" + (f" from {source[:200]}" if source else "")
    earlier = {
        score.rendition_id: score
        for score in Score.objects.filter(rendition__in=renditions.values(), metric=metric)
    }
    new: list[Score] = []
    changed: list[Score] = []
    for (clip, system), (line, value) in values.items():
        rendition = renditions.get((clip, system))
        if rendition is None or rendition.status != Job.Status.DONE:
            raise ScoreProblem(
                _("There is no finished output of %(system)r for this clip."), line, system=system[:64]
            )
        score = earlier.get(rendition.pk)
        (changed if score else new).append(score := score or Score(rendition=rendition, metric=metric))
        score.value, score.version, score.note, score.error = value, UPLOADED, note, ""
        score.status, score.finished = Job.Status.DONE, timezone.now()
    with transaction.atomic():
        Score.objects.bulk_create(new, batch_size=500)
        fields = ["value", "version", "note", "error", "status", "finished"]
        Score.objects.bulk_update(changed, fields, batch_size=200)
    return Stored(metric, len(new), len(changed))
