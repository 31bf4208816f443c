"""Maps a file's systems to the hidden reference, the anchors, or systems that Earshot knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from django.utils.translation import gettext_lazy as _

from codec import registry
from listening.interchange.imports.reading import ImportProblem

#: Common spellings, reduced to letters and digits.
_ROLES = {
    "original": {
        "reference", "ref", "hiddenreference", "hiddenref", "hr", "href", "original", "orig", "uncoded",
        "groundtruth", "gt",
    },
    "anchor35": {"anchor35", "lp35", "lp35k", "anchor35k", "anchor35khz", "lowanchor", "anchorlow", "lp3500"},
    "anchor70": {
        "anchor70", "anchor7", "lp70", "lp7", "lp7k", "anchor7k", "anchor70k", "anchor7khz", "midanchor",
        "anchormid", "lp7000",
    },
}  # fmt: skip


def suggest(systems: Iterable[str]) -> dict[str, str]:
    """Suggest a slug for each of a file's systems; an unknown name stays unchanged.

    The researcher confirms the suggestions. No two systems get the same slug.
    """
    found: dict[str, str] = {}
    for name in systems:
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        slug = next((role for role, names in _ROLES.items() if plain in names), name)
        if name in registry.SYSTEMS:
            slug = name
        found[name] = slug if slug not in found.values() else name
    return found


def check_mapping(systems: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Complete a mapping for all systems. Raises `ImportProblem` if two systems would become one."""
    found: dict[str, str] = {}
    for name in systems:
        slug = mapping.get(name) or name
        if slug in found.values():
            other = next(key for key, value in found.items() if value == slug)
            raise ImportProblem(
                _("%(other)s and %(name)s cannot both be %(slug)s. Choose another for one of them."),
                other=other,
                name=name,
                slug=slug,
            )
        found[name] = slug
    return found
