"""Who may see which clips. Another user's clip looks like a clip that does not exist: 404."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from evaluation.models import Clip, Rendition


def viewer(request: HttpRequest) -> Any:
    """The signed-in user (from a session cookie or a bearer token), or None."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def visible_clips(user: Any) -> QuerySet[Clip]:
    """Public clips and the user's own clips; `user` may be None."""
    return Clip.objects.filter(_visible(user))


def visible_renditions(user: Any) -> QuerySet[Rendition]:
    """Renditions of the clips that `user` may see."""
    return Rendition.objects.filter(_visible(user, "clip__")).select_related("clip")


def _visible(user: Any, prefix: str = "") -> Q:
    public = Q(**{f"{prefix}public": True})
    return public if user is None else public | Q(**{f"{prefix}owner": user})
