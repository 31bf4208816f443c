"""Names and order of systems on pages and in figures, for imported systems, too."""

from __future__ import annotations

from collections.abc import Iterable

from evaluation import systems

_HIDDEN = "Hidden reference"


def title_of(slug: str) -> str:
    """The title of a system; in a test the original is the hidden reference."""
    return _HIDDEN if slug == "original" else systems.title_of(slug)


def titles_of(slugs: Iterable[str]) -> dict[str, str]:
    """Titles of several systems, with a single query."""
    return {
        slug: _HIDDEN if slug == "original" else title for slug, title in systems.titles_of(slugs).items()
    }


def sort_systems(slugs: Iterable[str]) -> list[str]:
    """Each of `slugs` once, in the order of all tables and figures."""
    return sorted(set(slugs), key=systems.order)
