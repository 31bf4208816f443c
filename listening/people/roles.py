"""The rules of `evaluation.access` for studies, their clips, demo pages and imports; loaded by the app."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q, QuerySet

from evaluation.access import Role, grant, rows_for
from evaluation.models import Clip
from listening.models import Demo, ImportDraft, Item, MadeFile, Share, Study


def _shared(role: Role) -> Any:
    """The condition that a study is shared with a user in at least this role."""
    return lambda user: Q(pk__in=Share.objects.filter(user=user, role__gte=role).values("study"))


def _clips_of(studies: QuerySet[Study], **conditions: Any) -> Q:
    items = Item.objects.filter(study__in=studies.values("pk"), clip__isnull=False, **conditions)
    return Q(pk__in=items.values("clip"))


def load() -> None:
    """Make the rules known."""
    grant(Study, Role.OWNER, lambda user: Q(owner=user))
    for role in (Role.EDITOR, Role.VIEWER):
        grant(Study, role, _shared(role))
    # Who works on a study hears what is in it. To edit a clip, its owner must have shared it: otherwise a
    # public clip could be changed by whoever puts it into a study of their own.
    grant(Clip, Role.VIEWER, lambda user: _clips_of(rows_for(user, Study)))
    grant(
        Clip,
        Role.EDITOR,
        lambda user: _clips_of(rows_for(user, Study, Role.EDITOR), study__owner=F("clip__owner")),
    )
    grant(Demo, Role.OWNER, lambda user: Q(owner=user))
    grant(ImportDraft, Role.OWNER, lambda user: Q(owner=user))
    grant(MadeFile, Role.OWNER, lambda user: Q(owner=user))
