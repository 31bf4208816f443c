"""Names, order and looks of systems on pages and in figures, whatever tool they come from."""

from __future__ import annotations

from collections.abc import Iterable

from evaluation import systems

_HIDDEN = "Hidden reference"


def title_of(slug: str) -> str:
    """What people read. In a test the original is there to be found: the hidden reference."""
    return _HIDDEN if slug == "original" else systems.title_of(slug)


def titles_of(slugs: Iterable[str]) -> dict[str, str]:
    """`title_of` of several, with one query."""
    return {
        slug: _HIDDEN if slug == "original" else title for slug, title in systems.titles_of(slugs).items()
    }


def in_order(slugs: Iterable[str]) -> list[str]:
    """Each of `slugs` once, in the order of every table and figure."""
    return sorted(set(slugs), key=systems.order)
