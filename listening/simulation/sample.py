"""The sample study: what a newcomer gets with one click, to see results before there are listeners."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from evaluation.access import usable_clips
from evaluation.models import Clip, Job
from evaluation.systems import SHOWCASE
from listening.models import Study
from listening.simulation import runs
from listening.study.errors import StudyError
from listening.study.studies import ALWAYS, create_study

#: The name says what the study is, on every page and in every file.
NAME = "Sample study (simulated listeners)"
LISTENERS = 20
_CLIPS, _SYSTEMS = 4, 4


def find_contents(user: Any) -> tuple[list[Clip], list[str]]:
    """Clips that the user may hear, and systems that have processed all of them; both may be empty."""
    found: list[tuple[Clip, set[str]]] = []
    for clip in usable_clips(user).filter(speech=True).order_by("-public", "created", "id")[:50]:
        made = set(clip.renditions.filter(status=Job.Status.DONE).values_list("system", flat=True))
        if made >= set(ALWAYS) and len(made & set(SHOWCASE)) > 2:
            found.append((clip, made))
    found = found[:_CLIPS]
    if not found:
        return [], []
    common = set.intersection(*(made for _clip, made in found))
    systems = [slug for slug in SHOWCASE if slug in common and slug not in ALWAYS]
    return ([clip for clip, _made in found], systems[-_SYSTEMS:]) if systems else ([], [])


@transaction.atomic
def make_sample(user: Any) -> Study | None:
    """Create the sample study and let simulated listeners take it, all in the background.

    Returns:
        the study; None if there is one already.

    Raises:
        StudyError: no clip has been through enough systems yet.
    """
    User.objects.select_for_update().get(pk=user.pk)  # a double click makes one
    if Study.objects.filter(owner=user, name=NAME).exists():
        return None
    clips, systems = find_contents(user)
    if not clips:
        raise StudyError(_("No clip has been through enough systems yet. Upload one, and try again then."))
    study = create_study(user, NAME, clips, systems, open_when_ready=False)
    runs.start(study, {"listeners": LISTENERS})
    return study
