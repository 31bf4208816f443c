"""Maps a file's systems to the hidden reference, the anchors, or systems that Earshot knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from django.utils.translation import gettext_lazy as _

from codec import registry
from listening.interchange.imports.reading import ImportProblem, Reading, list_names
from listening.interchange.imports.table import reduce
from listening.methods import METHODS, REFERENCE

_LOW, _MID = "anchor35", "anchor70"
#: The anchors, by the band that is left of them.
ANCHORS = {_LOW: "3.5 kHz", _MID: "7 kHz"}
#: Common spellings, reduced to letters and digits.
_ROLES = {
    REFERENCE: {
        "reference", "ref", "hiddenreference", "hiddenref", "hr", "href", "original", "orig", "uncoded",
        "groundtruth", "gt", "referencehidden", "refhidden", "hiddenoriginal", "referenz",
        "verstecktereferenz", "référence", "référencecachée", "リファレンス", "原音", "基準音",
    },
    _LOW: {
        "anchor35", "lp35", "lp35k", "anchor35k", "anchor35khz", "lowanchor", "anchorlow", "lp3500",
        "anker35", "ancre35",
    },
    _MID: {
        "anchor70", "anchor7", "lp70", "lp7", "lp7k", "anchor7k", "anchor70k", "anchor7khz", "midanchor",
        "anchormid", "lp7000", "anker70", "ancre70",
    },
}  # fmt: skip
#: Words that a system's name begins or ends with if it has another name in each item.
_WORDS = {
    REFERENCE: ("reference", "hiddenreference", "hidden_reference", "hidden_ref", "original", "ref", "orig"),
    _LOW: ("anchor35", "lp35", "low_anchor", "anchor_low"),
    _MID: ("anchor70", "lp70", "mid_anchor", "anchor_mid"),
}


def suggest(systems: Iterable[str], heard: Mapping[str, Collection[str]] | None = None) -> dict[str, str]:
    """Suggest a slug for each of a file's systems; an unknown name stays unchanged.

    The researcher confirms the suggestions. No two systems get the same slug, except those that have another
    name in each item, such as ``reference_a`` and ``reference_b``.

    Args:
        systems: names in the file.
        heard: items of each system; without it, names are compared as wholes only.
    """
    found: dict[str, str] = {}
    names_of: dict[str, list[str]] = {}
    names = list(systems)
    # A slug by itself comes first: it stays that slug, whatever other name means the same.
    for name in sorted(names, key=lambda name: name not in registry.SYSTEMS):
        plain = reduce(name)
        slug = next((role for role, names in _ROLES.items() if plain in names), name)
        if name in registry.SYSTEMS:
            slug = name
        same = names_of.get(slug, [])
        free = not same or (slug != name and bool(heard) and never_meet([*same, name], heard or {}))
        found[name] = slug if free else name
        names_of.setdefault(found[name], []).append(name)
    for role, words in _WORDS.items():
        if heard and role not in found.values():
            many = [name for name in found if found[name] == name and _has_word(name, words)]
            if len(many) > 1 and never_meet(many, heard):
                found |= dict.fromkeys(many, role)
    return {name: found[name] for name in names}


def suggest_for(reading: Reading) -> dict[str, str]:
    """The suggestions for a reading: what its format says of a system comes first."""
    said = {name: slug for name, slug in reading.roles.items() if name in reading.systems}
    if not never_meet([name for name in said if said[name] == REFERENCE], reading.heard):
        said = {}
    named = suggest([name for name in reading.systems if name not in said], reading.heard)
    return {
        name: said[name] if name in said else name if named[name] in said.values() else named[name]
        for name in reading.systems
    }


def is_called(name: str, role: str) -> bool:
    """Whether a name by itself is one of a role: ``hidden_ref``, ``ref_a``, ``Reference 2``, ``LP 3.5``."""
    return reduce(name) in _ROLES[role] or bool(
        role == REFERENCE
        and re.fullmatch(
            r"(hidden|open)?[-_ ]?(reference|ref|original|orig)([-_ ][a-z0-9]{1,2}|\d{1,2})?", name.lower()
        )
    )


def _has_word(name: str, words: Iterable[str]) -> bool:
    """Whether a name begins or ends with one of `words`, parted from the rest."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return any(plain == word or plain.startswith(f"{word}_") or plain.endswith(f"_{word}") for word in words)


def never_meet(names: Iterable[str], heard: Mapping[str, Collection[str]]) -> bool:
    """Whether no item was heard by two of the systems."""
    seen: set[str] = set()
    for name in names:
        items = set(heard.get(name, ()))
        if seen & items:
            return False
        seen |= items
    return True


def check_mapping(reading: Reading, mapping: Mapping[str, str]) -> dict[str, str]:
    """Complete a mapping for all systems of a reading.

    Raises:
        ImportProblem: two systems of one item would become one, or a name is not in the file.
    """
    systems, heard = reading.systems, reading.heard
    for name in mapping:
        if name not in systems:
            raise ImportProblem.of_field(
                f"systems.{name}",
                _("There is no system %(name)r in the file. Known: %(systems)s."),
                name=name[:60],
                systems=list_names(systems),
            )
    found: dict[str, str] = {}
    for name in systems:
        slug = mapping.get(name) or name
        same = [other for other in found if found[other] == slug]
        if same and not never_meet([*same, name], heard):
            raise ImportProblem.of_field(
                f"systems.{name}",
                _(
                    "%(other)s and %(name)s cannot both be %(slug)s: both were heard in one item. Choose "
                    "another for one of them."
                ),
                other=same[0],
                name=name,
                slug=slug,
            )
        found[name] = slug
    return found


def check_slugs(mapping: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse slugs that are neither known systems nor the file's own names.

    Raises:
        ImportProblem: one is neither.
    """
    for name, slug in mapping.items():
        if slug and slug != name and slug not in known:
            raise ImportProblem.of_field(
                f"systems.{name}",
                _("There is no system %(slug)r here. Known: %(known)s."),
                slug=slug[:60],
                known=list_names(known, 40),
            )


def roles_of(mapping: Mapping[str, str]) -> dict[str, list[str]]:
    """The file's names by role: ``reference``, ``low_anchor`` and ``mid_anchor``; empty lists for none."""
    roles = {"reference": REFERENCE, "low_anchor": _LOW, "mid_anchor": _MID}
    return {role: [name for name in mapping if mapping[name] == slug] for role, slug in roles.items()}


def consequences(mapping: Mapping[str, str], method: str) -> list[str]:
    """What follows from the roles that no system has, in sentences; before and after the import."""
    roles, of = roles_of(mapping), METHODS[method]
    said: list[str] = []
    if not roles["reference"]:
        said.append(_WITHOUT_REFERENCE.get(of.analysis, _WITHOUT_REFERENCE["opinion"]))
    if of.side_by_side:
        lost = [
            words
            for words in (("low_anchor", ANCHORS[_LOW]), ("mid_anchor", ANCHORS[_MID]))
            if not roles[words[0]]
        ]
        if lost:
            names = " or the ".join(name for _role, name in lost)
            said.append(
                f"No system is the {names} anchor: rules of screening that need it are not applied, and a "
                "system that is an anchor is compared and ranked as a system under test."
            )
    if len(roles["reference"]) > 1:
        said.append(
            f"{list_names(roles['reference'])} are taken as one hidden reference, which has another name in "
            "each item."
        )
    return said


#: By the analysis of the method.
_WITHOUT_REFERENCE = {
    "bs1534": (
        "No system is the hidden reference: nobody is screened by it (BS.1534-3), no grade is compared with "
        "it, and a system that is the reference is compared and ranked as a system under test."
    ),
    "impairment": (
        "No system is the hidden reference: there are no difference grades, and so no results of this method."
    ),
    "opinion": (
        "No system is the reference: no grade is compared with the original's, and a system that is the "
        "original is compared and ranked as a system under test."
    ),
    "discrimination": (
        "No system is the reference: which of the two is the original is not known, and pairs are named as "
        "two systems."
    ),
    "preference": (
        "No system is the reference: a system that is the original is compared and ranked as a system under "
        "test."
    ),
}
