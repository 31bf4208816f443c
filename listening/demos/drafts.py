"""What a demo page starts with: made from a clip, from a study, or empty."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from evaluation.columns import BadColumn, Json, JsonObject, parse
from evaluation.metrics import defaults_for
from evaluation.models import Clip, Job
from evaluation.systems import PREFIX, SHOWCASE, order
from listening.columns.demos import MAX_RECORDINGS, MAX_SYSTEMS, DemoContent
from listening.demos.facts import RATE, DemoProblem
from listening.models import Demo, Item, Study
from listening.study.studies import ALWAYS

#: Columns that fit side by side on a desk.
_FEW = 9
#: Systems that a test needs and a demo rarely shows.
_ANCHORS = tuple(slug for slug in ALWAYS if slug != "original")


def new_demo(owner: Any, clip: Clip | None = None, study: Study | None = None) -> Demo:
    """Create a page of a clip with every system that has processed it, or of what a study tested."""
    content: JsonObject = {}
    if study is not None:
        content = _of_study(study)
    elif clip is not None:
        content = _of_clip(clip)
    return Demo.objects.create(owner=owner, draft=content)


def _of_clip(clip: Clip) -> JsonObject:
    made = clip.renditions.filter(status=Job.Status.DONE).values_list("system", flat=True)
    systems: list[Json] = [*_few(sorted({"original", *made} - set(_ANCHORS), key=order))]
    measures = [slug for slug in defaults_for(speech=clip.speech) if slug != "pesq_nb"][:1]
    return {
        "title": clip.title,
        "recordings": [recording_of(clip)],
        "systems": systems[:MAX_SYSTEMS],
        "measures": [RATE, *measures],
    }


def _few(systems: list[str]) -> list[str]:
    """At most `_FEW` of `systems`, to begin with: the researcher's own and those that show the most."""
    if len(systems) <= _FEW:
        return systems
    chosen = [slug for slug in systems if slug in SHOWCASE or slug.startswith(PREFIX)]
    return (chosen if len(chosen) > 2 else systems)[:_FEW]


def recording_of(clip: Clip, start: float = 0.0, end: float | None = None) -> JsonObject:
    """A row of the page for `clip`; source and licence are those that the clip states."""
    row: JsonObject = {"clip": str(clip.pk), "title": clip.title, "licence": clip.credit[:1000]}
    if start > 0 or (end is not None and end < clip.seconds - 0.005):
        row |= {"start": start, "end": end}
    return row


def _of_study(study: Study) -> JsonObject:
    items = study.items.filter(training=False, clip__isnull=False).select_related("clip").order_by("position")
    rows: list[Json] = []
    systems: list[Json] = ["original", *study.systems]
    for item in items[:MAX_RECORDINGS]:
        assert item.clip is not None  # noqa: S101 -- filtered above
        rows.append(recording_of(item.clip, item.start, item.end))
    return {
        "title": study.name,
        "recordings": rows,
        "systems": systems[:MAX_SYSTEMS],
        "measures": [RATE],
        "study": str(study.pk),
    }


def parse_content(value: object) -> DemoContent:
    """Validate what somebody has written for a page.

    Raises:
        DemoProblem: it does not fit; the fields say where.
    """
    try:
        return parse(DemoContent, value, "content")
    except BadColumn as error:
        raise DemoProblem(str(error), 422, fields=dict(error.fields)) from None


def save_draft(demo: Demo, content: DemoContent) -> None:
    """Store what the next version will say."""
    demo.draft = content
    demo.save(update_fields=["draft", "updated"])


def open_studies_with(content: DemoContent) -> list[Study]:
    """Open studies that test a recording of the page, which names what their listeners are to grade blind."""
    clips = [UUID(recording.clip) for recording in content.recordings]
    items = Item.objects.filter(clip__in=clips, study__status=Study.Status.OPEN)
    return list(Study.objects.filter(pk__in=items.values("study")))
