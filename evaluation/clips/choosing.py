"""Which systems process an upload: what a researcher may choose, and the favourites that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from codec import registry
from evaluation.models import Favourites
from evaluation.refusals import Message, Refusal, Text

ORIGINAL = "original"

#: The choices beside an upload, in the order of the page.
FITTING, SPEECH, FAVOURITES, NONE, LISTED = "fitting", "speech", "favourites", "none", "listed"
CHOICES: dict[str, Text] = {
    FITTING: _("All that suit the recording"),
    SPEECH: _("All for speech"),
    FAVOURITES: _("My favourites"),
    NONE: _("The original only"),
    LISTED: _("These:"),
}


def check_systems(slugs: Sequence[str], field: str = "systems") -> list[str]:
    """The systems `slugs`, each once, in the registry's order.

    Raises:
        Refusal: one of them does not run here; the refusal names it by its place in `field`.
    """
    for number, slug in enumerate(slugs):
        if slug not in registry.SYSTEMS:
            text = Message(_("%(system)r is not a system that runs here."), system=slug[:64])
            raise Refusal(text, 422, {f"{field}.{number}": text})
    return [slug for slug in registry.SYSTEMS if slug in slugs]


def with_original(systems: Sequence[str]) -> list[str]:
    """`systems` and the original, with which everything is compared."""
    return [slug for slug in registry.SYSTEMS if slug == ORIGINAL or slug in systems]


def choose_systems(owner: Any, choice: str, listed: Sequence[str]) -> list[str] | None:
    """The systems of one of `CHOICES`; None: those that suit the recording, as `ingest` takes it.

    Raises:
        Refusal: there is no such choice, nothing is chosen, or a system does not run here.
    """
    if choice == FITTING:
        return None
    if choice == SPEECH:
        return [slug for slug, system in registry.SYSTEMS.items() if not system.general]
    if choice == NONE:
        return [ORIGINAL]
    if choice == FAVOURITES:
        listed = favourites_of(owner)
    elif choice != LISTED:
        raise Refusal.of_field("which", _("There is no such choice of systems."))
    else:
        listed = check_systems(listed, "system")
    if not listed:
        raise Refusal.of_field("system", _("Choose at least one system."))
    return with_original(listed)


def favourites_of(owner: Any) -> list[str]:
    """The favourites that `owner` has kept, of those that run here."""
    kept = Favourites.objects.filter(owner=owner).first()
    return [slug for slug in registry.SYSTEMS if kept is not None and slug in kept.systems]


def keep_favourites(owner: Any, systems: Sequence[str]) -> None:
    """Keep `systems` as the favourites of `owner`; none of them: keep none.

    Raises:
        Refusal: one of them does not run here; nothing is stored.
    """
    chosen = check_systems(systems, "system")
    Favourites.objects.update_or_create(owner=owner, defaults={"systems": chosen})
