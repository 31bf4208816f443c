"""The contents of a study: excerpts of clips, systems, and the stimuli of their combinations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from evaluation import systems as known
from evaluation.clips.removal import delete_files_later
from evaluation.models import Clip
from evaluation.texts import clean_line
from listening.methods import METHODS, AnyMethod
from listening.models import Item, Stimulus, Study
from listening.study.errors import StudyError
from listening.study.lacking import done_renditions

#: Excerpts longer than this, in seconds, "must be justified in the report" (M5).
LONG_ITEM_SECONDS = 12.0
#: Shorter than this are not "approximately 10 s": half of that, seconds.
SHORT_ITEM_SECONDS = 5.0
#: Minimum length of a loop (M8), and so of an excerpt, seconds.
SHORTEST_ITEM_SECONDS = 0.5
MAX_ITEMS = 60
#: Divided into blocks if a trial has no room for all.
MAX_SYSTEMS = 40
#: How far an excerpt may end after its clip, seconds: the page rounds the clip's length.
_SLACK_SECONDS = 0.02


@dataclass(frozen=True)
class Excerpt:
    """A future item: `clip` from `start` to `end`, in seconds; if `end` is None, to the clip's end.

    Excerpts are cut after coding (M17), so a codec's minimum length does not limit them.
    """

    clip: Clip
    start: float = 0.0
    end: float | None = None
    training: bool = False
    name: str = ""


def method_of(slug: str) -> AnyMethod:
    """The method with this slug. Raises `StudyError` if there is none."""
    try:
        return METHODS[slug]
    except KeyError:
        raise StudyError.of_field(
            "method",
            _("There is no method %(slug)r. Known: %(methods)s."),
            slug=slug,
            methods=", ".join(METHODS),
        ) from None


def check_excerpts(excerpts: Sequence[Excerpt], field: str = "items") -> list[Excerpt]:
    """Return excerpts with ends and clean names, training first.

    Raises:
        StudyError: one is invalid; it names the request's `field`, or the place in it.
    """
    checked = []
    for number, excerpt in enumerate(excerpts):
        clip, place = excerpt.clip, f"{field}.{number}"
        end = clip.seconds if excerpt.end is None else excerpt.end
        if not (math.isfinite(excerpt.start) and math.isfinite(end)):
            raise StudyError.of_field(
                place, _("The excerpt of “%(clip)s” has no start or no end."), clip=clip.title
            )
        if not 0 <= excerpt.start < end <= clip.seconds + _SLACK_SECONDS:
            raise StudyError.of_field(
                place,
                _(
                    "The excerpt %(start).2f to %(end).2f s is not inside “%(clip)s”, which lasts "
                    "%(seconds).2f s."
                ),
                start=excerpt.start,
                end=end,
                clip=clip.title,
                seconds=clip.seconds,
            )
        if end - excerpt.start < SHORTEST_ITEM_SECONDS and end - excerpt.start < clip.seconds:
            raise StudyError.of_field(
                place,
                _(
                    "The excerpt of “%(clip)s” is shorter than %(shortest_item_seconds)s s, the shortest "
                    "loop."
                ),
                clip=clip.title,
                shortest_item_seconds=SHORTEST_ITEM_SECONDS,
            )
        name = clean_line(excerpt.name)
        if len(name) > 200:
            raise StudyError.of_field(
                f"{place}.name", _("The name of an item is longer than 200 characters.")
            )
        checked.append(Excerpt(clip, excerpt.start, min(end, clip.seconds), excerpt.training, name))
    graded = [excerpt for excerpt in checked if not excerpt.training]
    training = [excerpt for excerpt in checked if excerpt.training]
    if not graded:
        raise StudyError.of_field(
            field,
            _("Choose at least one clip.")
            if not checked
            else _("All items are training items: include at least one in the test."),
        )
    for part, message in (
        (graded, _("%(count)s clips are too many for a study; choose %(max_items)s at most.")),
        (training, _("%(count)s training trials are too many; choose %(max_items)s at most.")),
    ):
        if len(part) > MAX_ITEMS:
            raise StudyError.of_field(field, message, count=len(part), max_items=MAX_ITEMS)
    return [*training, *graded]


def check_systems(
    owner: Any, method: AnyMethod, systems: Iterable[str], there: Iterable[str] = ()
) -> list[str]:
    """Return the systems under test in table order, without those that the method adds itself.

    Those that are `there` may stay, whoever made them.

    Raises:
        StudyError: none or too many are left, or one is unknown or belongs to another user.
    """
    chosen = list(dict.fromkeys(slug for slug in systems if slug not in method.always))
    offered = {system.slug for system in known.systems_for(owner)} | set(there)
    unknown = [slug for slug in chosen if slug not in offered]
    if unknown:
        raise StudyError.of_field(
            "systems",
            _("There is no system %(unknown)r. Known: %(offered)s."),
            unknown=unknown[0],
            offered=", ".join(sorted(offered)),
        )
    if not chosen:
        raise StudyError.of_field(
            "systems",
            _("Choose at least one system besides the original and the anchors, which are always included.")
            if len(method.always) > 1
            else _("Choose at least one system besides the original, which is always included."),
        )
    most = MAX_SYSTEMS if method.side_by_side else method.max_systems
    if len(chosen) > most:
        raise StudyError.of_field(
            "systems",
            _("%(count)s systems are too many; choose %(most)s at most."),
            count=len(chosen),
            most=most,
        )
    return sorted(chosen, key=known.order)


def set_contents(study: Study, excerpts: Sequence[Excerpt]) -> bool:
    """Replace the study's items and stimuli; return whether any stimulus has to be rendered.

    `excerpts` come from `check_excerpts`. Unchanged items keep their rows, and rendered stimuli their audio.

    Raises:
        RenditionsMissing: a rendition is missing.
    """
    signals = [*method_of(study.method).always, *study.systems]
    renditions = done_renditions([excerpt.clip for excerpt in excerpts], signals)
    left = list(study.items.filter(clip__isnull=False))
    kept: list[tuple[Item, Excerpt]] = []
    new: list[tuple[int, Excerpt]] = []
    for position, excerpt in enumerate(excerpts):
        match = next((item for item in left if (item.clip_id, item.start, item.end) == _cut(excerpt)), None)
        if match is None:
            new.append((position, excerpt))
            continue
        left.remove(match)
        match.position, match.training, match.name = position, excerpt.training, excerpt.name
        kept.append((match, excerpt))
    _discard_items(study.items.filter(pk__in=[item.pk for item in left]))
    # In two steps, because positions must be unique after every statement.
    for offset in (1000, 0):
        for item, _excerpt in kept:
            Item.objects.filter(pk=item.pk).update(
                position=item.position + offset, training=item.training, name=item.name
            )
    items = [item for item, _excerpt in kept]
    for position, excerpt in new:
        items.append(
            Item.objects.create(
                study=study,
                clip=excerpt.clip,
                position=position,
                start=excerpt.start,
                end=excerpt.clip.seconds if excerpt.end is None else excerpt.end,
                training=excerpt.training,
                name=excerpt.name,
            )
        )
    _drop_files(Stimulus.objects.filter(item__study=study).exclude(system__in=signals))
    existing = set(Stimulus.objects.filter(item__study=study).values_list("item_id", "system"))
    Stimulus.objects.bulk_create(
        Stimulus(item=item, system=slug, rendition=renditions[item.clip_id, slug])
        for item in items
        for slug in signals
        if (item.pk, slug) not in existing
    )
    return Stimulus.objects.filter(item__study=study, audio="").exists()


def render_again(study: Study) -> None:
    """Delete all rendered audio, which has to be rendered again at another rate."""
    stimuli = Stimulus.objects.filter(item__study=study).exclude(audio="")
    names = list(stimuli.values_list("audio", flat=True))
    stimuli.update(audio="", gain_db=None)
    delete_files_later(names)


def _cut(excerpt: Excerpt) -> tuple[Any, float, float | None]:
    return excerpt.clip.pk, excerpt.start, excerpt.end


def _discard_items(items: Any) -> None:
    _drop_files(Stimulus.objects.filter(item__in=list(items)))
    items.delete()


def _drop_files(stimuli: Any) -> None:
    names = list(stimuli.exclude(audio="").values_list("audio", flat=True))
    stimuli.delete()
    delete_files_later(names)
