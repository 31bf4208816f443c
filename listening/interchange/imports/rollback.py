"""What an import of a configuration has made so far, and its removal if the import fails."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from evaluation.clips.removal import ClipInUse, remove_clip
from evaluation.models import Clip, Rendition, UploadedSystem
from evaluation.outputs.batches import OutputInUse, remove_output, remove_system
from listening.columns.drafts import Made
from listening.models import ImportDraft


def remember(draft: ImportDraft, **choices: Any) -> None:
    """Store some of a draft's choices."""
    draft.choices = draft.choices.model_copy(update=choices)
    ImportDraft.objects.filter(pk=draft.pk).update(choices=draft.choices)


def undo(draft: ImportDraft) -> None:
    """Remove the clips, systems and outputs that an import has made, unless a study uses them by now."""
    made = draft.choices.made
    for sha256, slug in made.renditions:
        for rendition in Rendition.objects.filter(clip__owner=draft.owner, clip__sha256=sha256, system=slug):
            with suppress(OutputInUse):
                remove_output(rendition)
    for system in UploadedSystem.objects.filter(owner=draft.owner, slug__in=made.systems):
        with suppress(OutputInUse):
            remove_system(system)
    for clip in Clip.objects.filter(owner=draft.owner, sha256__in=made.clips):
        with suppress(ClipInUse):
            remove_clip(clip)
    remember(draft, made=Made())
