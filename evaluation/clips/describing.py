"""What its owner says of a clip, and whether everybody may hear it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from evaluation.models import Clip
from evaluation.refusals import Refusal
from evaluation.texts import clean_line, clean_text

MAX_TITLE = 200
MAX_CREDIT = 2000


def describe_clip(
    clip: Clip, *, title: str | None = None, credit: str | None = None, public: bool | None = None
) -> None:
    """Store title, credit and publication of `clip`; None keeps what is there.

    Raises:
        Refusal: the title is empty, or a text is too long; nothing is stored.
    """
    changed: dict[str, str | bool] = {}
    if title is not None:
        changed["title"] = title = clean_line(title)
        if not 0 < len(title) <= MAX_TITLE:
            text = _("Give the clip a title of at most %(most)s characters.")
            raise Refusal.of_field("title", text, most=MAX_TITLE)
    if credit is not None:
        changed["credit"] = credit = clean_text(credit)
        if len(credit) > MAX_CREDIT:
            text = _("The credit is longer than %(most)s characters.")
            raise Refusal.of_field("credit", text, most=MAX_CREDIT)
    if public is not None:
        changed["public"] = public
    for name, value in changed.items():
        setattr(clip, name, value)
    clip.save(update_fields=list(changed))
