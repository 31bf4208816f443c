"""Recordings that a study needs and that are not made yet: which they are, and having them made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from codec import registry
from evaluation import systems as known
from evaluation.access import Role, rows_for
from evaluation.clips.ingest import queue_renditions
from evaluation.models import Clip, Rendition
from evaluation.refusals import Message
from evaluation.work import jobs
from listening.study.errors import StudyError


@dataclass(frozen=True)
class Lacking:
    """`clip` has no output of `system` yet; `rendition` is one that is not finished, or None."""

    clip: Clip
    system: str
    title: str
    rendition: Rendition | None = None

    @property
    def waits(self) -> bool:
        """Whether a worker has it, or will."""
        return self.rendition is not None and self.rendition.status in Rendition.UNFINISHED

    @property
    def runs_here(self) -> bool:
        """Whether this site can make it; it has none of an uploaded system's outputs."""
        return self.system in registry.SYSTEMS and not (self.rendition and self.rendition.unavailable)

    def describe(self) -> Message:
        """What to do about it, in a sentence or two."""
        if self.rendition is None:
            text = _(
                "“%(clip)s” has not been processed by %(title)s. Have it processed, or take another clip."
            )
        elif self.waits:
            text = _("%(title)s is still processing “%(clip)s”. Wait until it has finished.")
        else:
            text = _("%(title)s failed on “%(clip)s”. Retry it on the clip's page, or take another clip.")
        return Message(text, clip=self.clip.title, title=self.title)


class RenditionsMissing(StudyError):
    """Recordings that a study needs are not made yet; the message is about the first of `lacking`."""

    field = "systems"

    def __init__(self, lacking: Sequence[Lacking]) -> None:
        super().__init__(lacking[0].describe())
        self.lacking = lacking


def done_renditions(clips: Iterable[Clip], systems: Sequence[str]) -> dict[tuple[Any, str], Rendition]:
    """Finished renditions by clip and system. Raises `RenditionsMissing`, which names those that are not."""
    clips = list(dict.fromkeys(clips))
    found = _renditions(clips, systems)
    if lacking := _unfinished(clips, systems, found):
        raise RenditionsMissing(lacking)
    return found


def find_lacking(clips: Iterable[Clip], systems: Iterable[str]) -> list[Lacking]:
    """What is not finished of `clips` by `systems`, in this order."""
    clips, systems = list(clips), list(systems)
    return _unfinished(clips, systems, _renditions(clips, systems))


def _renditions(clips: Sequence[Clip], systems: Sequence[str]) -> dict[tuple[Any, str], Rendition]:
    rows = Rendition.objects.filter(clip__in=clips, system__in=systems)
    return {(row.clip_id, row.system): row for row in rows}


def _unfinished(
    clips: Sequence[Clip], systems: Iterable[str], found: Mapping[tuple[Any, str], Rendition]
) -> list[Lacking]:
    systems = list(dict.fromkeys(systems))
    titles = known.titles_of(systems)
    return [
        Lacking(clip, slug, titles[slug], row)
        for clip in clips
        for slug in systems
        if (row := found.get((clip.pk, slug))) is None or row.status != Rendition.Status.DONE
    ]


def processable(user: Any, lacking: Iterable[Lacking]) -> list[Lacking]:
    """Those of `lacking` that `user` can have made: of systems that run here, on clips that they may edit."""
    lacking = list(lacking)
    theirs = set(
        rows_for(user, Clip, Role.EDITOR)
        .filter(pk__in={each.clip.pk for each in lacking})
        .values_list("pk", flat=True)
    )
    return [each for each in lacking if each.runs_here and (each.waits or each.clip.pk in theirs)]


def have_made(user: Any, lacking: Iterable[Lacking]) -> None:
    """Queue what `user` can have made of `lacking`; what has failed is tried again."""
    wanted: dict[Clip, list[str]] = {}
    for each in processable(user, lacking):
        if each.rendition is None:
            wanted.setdefault(each.clip, []).append(each.system)
        else:
            jobs.retry(each.rendition)
    for clip, systems in wanted.items():
        queue_renditions(clip, systems)
