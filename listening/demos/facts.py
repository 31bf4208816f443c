"""What a demo page shows beside its texts: rates, scores and grades, as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Max, Min
from django.utils.translation import gettext_lazy as _

from evaluation.access import Role, rows_for, usable_clips
from evaluation.metrics import METRICS
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.refusals import Refusal
from evaluation.systems import describe_all, looks_of
from evaluation.web.presentation import prefetch_results
from listening.columns.demos import (
    DemoContent,
    DemoFacts,
    Recording,
    ShownGrade,
    ShownGrades,
    ShownMeasure,
    ShownRecording,
    ShownShare,
    ShownSound,
    ShownSystem,
    ShownWord,
)
from listening.kinds import COUNTED
from listening.models import Study
from listening.results import is_sealed
from listening.results.brief import can_be_brief, is_waiting, summarize
from listening.results.scales import decimals_of

#: The measured bit rate, which is no metric but is shown like one.
RATE = "kbps"


class DemoProblem(Refusal):
    """A demo page that cannot be published as it is."""

    status = 409


def clips_of(content: DemoContent, owner: User) -> dict[UUID, Clip]:
    """The clips of the page by id, with renditions and scores; those that are gone or hidden are missing."""
    wanted = [UUID(recording.clip) for recording in content.recordings]
    return {clip.pk: clip for clip in prefetch_results(usable_clips(owner).filter(pk__in=wanted))}


def gather_facts(content: DemoContent, owner: User) -> DemoFacts:
    """The facts of a page with this content. Recordings whose clips are gone are left out."""
    clips = clips_of(content, owner)
    looks, described = looks_of(content.systems), describe_all(content.systems)
    measures = [measure for slug in content.measures if (measure := _measure(slug)) is not None]
    return DemoFacts(
        systems=[
            ShownSystem(
                slug=slug,
                title=described[slug].title,
                colour=looks[slug][0],
                marker=looks[slug][1],
                nominal=described[slug].kbps,
                kind=described[slug].kind,
            )
            for slug in content.systems
        ],
        recordings=[
            _recording(recording, clips[UUID(recording.clip)], content.systems, measures)
            for recording in content.recordings
            if UUID(recording.clip) in clips
        ],
        measures=measures,
        grades=grades_of(content, owner),
    )


def _measure(slug: str) -> ShownMeasure | None:
    if slug == RATE:
        note = "Measured: the bits that a decoder needs by the seconds of the recording, without container."
        return ShownMeasure(slug=RATE, title="Bit rate", unit="kbit/s", note=note, decimals=1)
    metric = METRICS.get(slug)
    if metric is None:
        return None
    return ShownMeasure(
        slug=slug, title=metric.title, unit=metric.unit, note=metric.note, decimals=metric.decimals
    )


def _recording(
    recording: Recording, clip: Clip, systems: Iterable[str], measures: Iterable[ShownMeasure]
) -> ShownRecording:
    end = clip.seconds if recording.end is None else min(recording.end, clip.seconds)
    slugs = {measure.slug for measure in measures}
    made = {row.system: row for row in clip.renditions.all() if row.status == Job.Status.DONE}
    return ShownRecording(
        title=recording.title or clip.title,
        caption=recording.caption,
        licence=recording.licence,
        seconds=round(max(0.0, end - recording.start), 3),
        rate=clip.rate,
        channels=clip.channels,
        sounds=[
            _sound(slug, made.get(slug), slugs) for slug in systems if slug in made or slug == "original"
        ],
    )


def _sound(slug: str, rendition: Rendition | None, measures: set[str]) -> ShownSound:
    scores: Iterable[Score] = rendition.scores.all() if rendition is not None else ()
    return ShownSound(
        system=slug,
        # What passes the original on has no rate of its own.
        kbps=rendition.kbps if rendition is not None and RATE in measures and slug != "original" else None,
        scores={
            score.metric: score.value
            for score in scores
            if score.metric in measures and score.status == Job.Status.DONE and score.value is not None
        },
    )


def problem_of_study(study: Study) -> str:
    """Why a page cannot show the study's grades, for its author; "" if it can."""
    if study.status != Study.Status.CLOSED:
        return str(_("The study is not closed: grades are shown when nobody can change them any more."))
    if is_sealed(study):
        return str(_("The study is sealed: nobody can see its grades yet."))
    if not can_be_brief(study):
        return str(_("This Earshot cannot analyse the study's method, so there is nothing to show."))
    return ""


def grades_of(content: DemoContent, owner: User) -> ShownGrades | None:
    """The grades or answers of the page's study, after the usual screening; None where none can be shown."""
    if content.study is None:
        return None
    study = rows_for(owner, Study, Role.EDITOR).filter(pk=content.study).first()
    if study is None or problem_of_study(study):
        return None
    found = summarize(study)
    if found is None:
        return None
    times: Mapping[str, Any] = study.sessions.filter(kind__in=COUNTED, finished__isnull=False).aggregate(
        first=Min("finished"), last=Max("finished")
    )
    return ShownGrades(
        study=study.name,
        method=found.method,
        measure=found.measure,
        kind=found.given,
        low=found.scale.low,
        high=found.scale.high,
        ticks=list(found.scale.ticks),
        words=[ShownWord(at=at, word=word) for at, word in found.scale.words],
        decimals=decimals_of(found.scale),
        listeners=found.listeners,
        excluded=found.excluded,
        items=found.items,
        first=f"{times['first']:%Y-%m-%d}" if times["first"] else "",
        last=f"{times['last']:%Y-%m-%d}" if times["last"] else "",
        imported=bool(study.imported),
        rows=[
            ShownGrade(
                system=row.slug,
                title=row.title,
                colour=row.colour,
                marker=row.marker,
                mean=round(row.mean, 4),
                half_width=None if row.half_width is None else round(row.half_width, 4),
                n=row.n,
                listeners=row.listeners,
            )
            for row in found.means
        ],
        shares=[
            ShownShare(
                left=row.left,
                right=row.right,
                share=_rounded(row.share),
                low=_rounded(row.low),
                high=_rounded(row.high),
                counts=row.note,
            )
            for row in found.shares
        ],
    )


def why_no_grades(content: DemoContent, owner: User) -> str:
    """Why the page shows nothing of its study, for its author; "" if it does, or has no study."""
    if content.study is None:
        return ""
    study = rows_for(owner, Study, Role.EDITOR).filter(pk=content.study).first()
    if study is None:
        return str(_("This study is not there any more."))
    if reason := problem_of_study(study):
        return reason
    if is_waiting(study):
        return str(_("The study's tests are still being computed. Try again in a moment."))
    if summarize(study) is not None:
        return ""
    if study.sessions.filter(kind__in=COUNTED, finished__isnull=False).exists():
        return str(_("The screening leaves out every listener of the study, so there are no grades to show."))
    return str(_("Nobody has finished the study, so there are no grades to show."))


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(float(share), 4)


def _is_measured_still(clip: Clip, content: DemoContent) -> bool:
    scores = Score.objects.filter(rendition__clip=clip, rendition__system__in=content.systems)
    return scores.filter(metric__in=content.measures, status__in=Job.UNFINISHED).exists()


def find_problems(content: DemoContent, owner: User) -> dict[str, str]:
    """Why the page cannot be published yet: messages for its author by path; empty if it can."""
    found: dict[str, str] = {}
    if not content.title:
        found["title"] = str(_("Give the page a title."))
    if not content.recordings:
        found["recordings"] = str(_("Add a recording."))
    if not content.systems:
        found["systems"] = str(_("Choose a system."))
    clips = clips_of(content, owner)
    for number, recording in enumerate(content.recordings):
        path, clip = f"recordings.{number}", clips.get(UUID(recording.clip))
        if clip is None:
            found[f"{path}.clip"] = str(_("This recording has been deleted. Take it off the page."))
            continue
        if not recording.licence:
            found[f"{path}.licence"] = str(
                _("Say whose recording it is and under which licence you publish it.")
            )
        end = clip.seconds if recording.end is None else recording.end
        if not recording.start < end <= clip.seconds + 0.005:
            message = _("The part must lie within the clip: from 0 to %(seconds)s s.")
            found[f"{path}.start"] = str(message % {"seconds": f"{clip.seconds:.2f}"})
        made = {row.system for row in clip.renditions.all() if row.status == Job.Status.DONE}
        waiting = {row.system for row in clip.renditions.all() if row.waiting} & set(content.systems)
        if waiting:
            found[f"{path}.clip"] = str(_("Some systems are still at work on it."))
        elif _is_measured_still(clip, content):
            found[f"{path}.clip"] = str(_("It is still being measured."))
        elif not (made | {"original"}) & set(content.systems):
            found[f"{path}.clip"] = str(_("None of the chosen systems has processed it."))
    if reason := why_no_grades(content, owner):
        found["study"] = reason
    return found
