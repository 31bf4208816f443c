"""Making, opening, closing and deleting studies."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from evaluation.models import Clip, Rendition
from evaluation.systems import order, systems_for, titles_of
from listening.methods import METHODS, MUSHRA, Method, clean_options, trials_per_item
from listening.models import Assessor, Item, Stimulus, Study
from listening.services.errors import StudyError
from listening.services.preparing import dispatch_study
from listening.services.texts import clean_text

#: In every trial, whatever is under test: the hidden reference and both anchors (M1, M3).
ALWAYS = MUSHRA.always
#: Signals in one trial, hidden reference and anchors included, open reference not (M6).
MAX_SIGNALS = MUSHRA.max_signals
#: Longer excerpts "must be justified in the report" (M5), seconds.
LONG_ITEM_SECONDS = 12.0
MAX_ITEMS = 60
#: In a session, without training.
MAX_TRIALS = 1000

#: Texts of a study that its researcher may write; the usual ones are in the listener's pages.
TEXTS = ("consent", "instructions", "thanks")
MAX_TEXT = 5000


def create_study(
    owner: Any,
    name: str,
    clips: Sequence[Clip],
    systems: Iterable[str],
    *,
    texts: Mapping[str, str] | None = None,
    seed: int | None = None,
    training_clip: Clip | None = None,
    listed: bool = False,
    method: str = MUSHRA.slug,
    options: Mapping[str, Any] | None = None,
) -> Study:
    """Make a study of whole `clips` through `systems`; its stimuli are rendered in the background.

    What the method always presents is added to `systems`: for MUSHRA the hidden reference and both anchors.
    Training is with `training_clip`, or with the first clip, before all others; its grades are not used
    (M14). `options` are the method's, see `listening.methods.clean_options`.

    Raises:
        StudyError: nothing chosen, too much for one trial, or renditions are not there yet.
    """
    name = " ".join(clean_text(name).split())
    if not name:
        raise StudyError("Give the study a name.")
    if len(name) > 200:
        raise StudyError("The name is longer than 200 characters.")
    clips = list(dict.fromkeys(clips))
    if not clips:
        raise StudyError("Choose at least one clip.")
    if len(clips) > MAX_ITEMS:
        raise StudyError(
            f"{len(clips)} clips are more than a listener can grade; choose {MAX_ITEMS} at most."
        )
    if method not in METHODS:
        raise StudyError(f"There is no method {method!r}. Known: {', '.join(METHODS)}.")
    way = METHODS[method]
    chosen = list(dict.fromkeys(slug for slug in systems if slug not in way.always))
    known = [each.slug for each in systems_for(owner)]
    unknown = [slug for slug in chosen if slug not in known]
    if unknown:
        raise StudyError(f"There is no system {unknown[0]!r}. Known: {', '.join(known)}.")
    _check_systems(way, chosen)
    chosen.sort(key=order)
    try:
        own_options = clean_options(way, options, chosen)
    except ValueError as error:
        raise StudyError(str(error)) from None
    trials = len(clips) * trials_per_item(way, own_options, chosen)
    if trials > MAX_TRIALS:
        raise StudyError(
            f"That makes {trials} trials for each listener; {MAX_TRIALS} are the most. "
            "Choose fewer clips, systems or pairs."
        )
    own_texts = {key: clean_text((texts or {}).get(key, "")) for key in TEXTS}
    for key, text in own_texts.items():
        if len(text) > MAX_TEXT:
            raise StudyError(f"The {key} text is longer than {MAX_TEXT} characters.")

    with transaction.atomic():
        training = training_clip or clips[0]
        renditions = _done_renditions([training, *clips], [*way.always, *chosen])
        study = Study.objects.create(
            owner=owner,
            name=name,
            method=way.slug,
            method_options=own_options,
            systems=chosen,
            texts={key: text for key, text in own_texts.items() if text},
            seed=secrets.randbits(53) if seed is None else seed,
            listed=listed,
        )
        for position, clip in enumerate([training, *clips]):
            item = Item.objects.create(
                study=study, clip=clip, position=position, end=clip.seconds, training=position == 0
            )
            Stimulus.objects.bulk_create(
                Stimulus(item=item, system=slug, rendition=renditions[clip.pk, slug])
                for slug in (*way.always, *chosen)
            )
        transaction.on_commit(lambda: dispatch_study(study))
    return study


def signals_of(study: Study) -> int:
    """How many signals a trial of the study has, hidden reference and anchors included."""
    method = METHODS[study.method]
    return min(method.max_signals, len(method.always) + len(study.systems))


def _check_systems(method: Method, chosen: Sequence[str]) -> None:
    """Raises `StudyError` unless the method can ask about these systems under test."""
    mushra = method is MUSHRA
    if not chosen:
        always = "the original and the anchors, which are" if mushra else "the original, which is"
        raise StudyError(f"Choose at least one system besides {always} always there.")
    if len(chosen) <= method.max_systems:
        return
    if mushra:
        raise StudyError(
            f"{len(chosen)} systems make {len(ALWAYS) + len(chosen)} signals in a trial with hidden "
            f"reference and anchors; BS.1534-3 allows {MAX_SIGNALS}. "
            f"Choose {method.max_systems} systems at most."
        )
    raise StudyError(f"{len(chosen)} systems are too many; choose {method.max_systems} at most.")


def _done_renditions(clips: Sequence[Clip], systems: Sequence[str]) -> dict[tuple[Any, str], Rendition]:
    """Finished renditions by clip and system. Raises `StudyError` naming the first that is missing."""
    rows = Rendition.objects.filter(clip__in=clips, system__in=systems)
    found = {(row.clip_id, row.system): row for row in rows}
    titles = titles_of(systems)
    for clip in clips:
        for slug in systems:
            row = found.get((clip.pk, slug))
            title = titles[slug]
            if row is None:
                raise StudyError(
                    f"“{clip.title}” has not been through {title}. Choose another clip or leave {title} out."
                )
            if row.status == Rendition.Status.FAILED:
                raise StudyError(
                    f"“{clip.title}” failed in {title}. Retry it on the clip's page or leave {title} out."
                )
            if row.status != Rendition.Status.DONE:
                raise StudyError(
                    f"“{clip.title}” is still on its way through {title}. Wait until it is done."
                )
    return found


def close_study(study: Study) -> None:
    """Take no more listeners and no more grades."""
    Study.objects.filter(pk=study.pk, status=Study.Status.OPEN).update(status=Study.Status.CLOSED)


def reopen_study(study: Study) -> None:
    Study.objects.filter(pk=study.pk, status=Study.Status.CLOSED).update(status=Study.Status.OPEN)


def set_listed(study: Study, listed: bool) -> None:
    """Show the study on the front page, or stop showing it."""
    Study.objects.filter(pk=study.pk).update(listed=listed)


@transaction.atomic
def delete_study(study: Study) -> None:
    """Delete the study with its sessions, grades and rendered stimuli. Clips and renditions stay."""
    names = list(Stimulus.objects.filter(item__study=study).exclude(audio="").values_list("audio", flat=True))
    assessors = list(Assessor.objects.filter(sessions__study=study).values_list("pk", flat=True))
    study.sessions.all().delete()
    Assessor.objects.filter(pk__in=assessors, sessions=None).delete()
    study.delete()

    def remove_files() -> None:
        for name in names:
            default_storage.delete(name)

    transaction.on_commit(remove_files)
