"""All systems by slug: title, position in tables, colour and marker.

Systems come from the codec registry or are uploaded by researchers. Imported studies may contain any other
name, which is its own title. Nothing here loads a codec.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import QuerySet
from django.utils.text import slugify

from codec import registry
from codec.base import Takes
from evaluation.models import UploadedSystem

#: Slugs of uploaded systems begin with it; no system of the registry has such a slug.
PREFIX = "own-"

Kind = Literal["registry", "uploaded", "other"]


#: A hue per family, after Okabe and Ito (colour-blind safe), with shades within a family. Each has a
#: contrast of 3:1 on white and on the dark page. The marker tells a family's members apart.
_LOOKS: dict[str, tuple[str, str]] = {
    "original": ("#6f7680", "circle"),
    "anchor35": ("#8b8f96", "triangle"),
    "anchor70": ("#8b8f96", "square"),
    "opus-6k": ("#3f97d3", "triangle"),
    "opus-9k": ("#2585c7", "circle"),
    "opus-12k": ("#1f6fa8", "square"),
    "celp-8k": ("#9c6b00", "circle"),
    "celp-4k": ("#bd8410", "triangle"),
    "amrwb-6.6k": ("#0b9b74", "circle"),
    "amrwb-8.85k": ("#0a7f60", "square"),
    "amrnb-4.75k": ("#2da583", "triangle"),
    "codec2-2.4k": ("#c877a6", "triangle"),
    "codec2-3.2k": ("#b8649a", "circle"),
    "unified-gan-2k": ("#db7b3a", "square"),
    "bpgan-1k": ("#d55e00", "triangle"),
    "bpgan-2k": ("#d55e00", "diamond"),
    "bpgan-2k-plain": ("#c65a5a", "diamond"),
    "bpgan-4k": ("#b34e00", "circle"),
    "opus-16k": ("#5b8fe0", "triangle"),
    "opus-32k": ("#4f84db", "circle"),
    "opus-64k": ("#4379d6", "square"),
    "opus-128k": ("#3f66c9", "diamond"),
    "aac-64k": ("#d0607e", "triangle"),
    "aac-96k": ("#c24f6f", "circle"),
    "aac-128k": ("#bb4565", "square"),
    "mp3-64k": ("#8a9430", "triangle"),
    "mp3-128k": ("#6f7a1c", "square"),
    "vorbis-64k": ("#3f9aac", "triangle"),
    "vorbis-128k": ("#1f7a8c", "square"),
}

#: Hues of systems outside the registry; each can be combined with every marker.
_OTHERS = tuple(
    (hue, shape)
    for shape in ("circle", "diamond", "square", "triangle")
    for hue in ("#7d6fc4", "#c4496b", "#7a8420", "#2f8a9c", "#a0603f", "#a558bd")
)


#: Systems that show a visitor the most: the paper's codec and codecs that telephones use today.
SHOWCASE = ("original", "opus-6k", "opus-9k", "amrwb-6.6k", "amrnb-4.75k", "bpgan-2k")


@dataclass(frozen=True)
class Described:
    """The description of a system.

    Attributes:
        slug: as stored in renditions, stimuli and studies.
        title: for people.
        note: remark for readers of tables.
        kind: from the registry, uploaded, or known by name only.
        kbps: nominal bit rate of a system of the registry, or the rate stated by the researcher for an
            uploaded system, in kbit/s. For measured rates see `Rendition.kbps`.
        family: systems of one family share a colour hue; empty outside the registry.
        takes: what a system of the registry processes; None for any other.
    """

    slug: str
    title: str
    note: str
    kind: Kind
    kbps: float | None
    family: str = ""
    takes: Takes | None = None


def describe(slug: str) -> Described:
    """Describe one system; an unknown name becomes its own title."""
    return describe_all([slug])[slug]


def describe_all(slugs: Iterable[str]) -> dict[str, Described]:
    """Describe several systems with one query, or none if the registry contains all of them."""
    wanted = list(dict.fromkeys(slugs))
    own = [slug for slug in wanted if slug.startswith(PREFIX)]
    rows = UploadedSystem.objects.filter(slug__in=own) if own else []
    uploaded = {row.slug: row for row in rows}
    found = {}
    for slug in wanted:
        if (known := registry.SYSTEMS.get(slug)) is not None:
            found[slug] = _describe_registered(known)
        elif (row := uploaded.get(slug)) is not None:
            found[slug] = _describe_uploaded(row)
        else:
            found[slug] = Described(slug, slug, "", "other", None)
    return found


def title_of(slug: str) -> str:
    """The title of a system for people. For several systems, `titles_of` needs only one query."""
    known = registry.SYSTEMS.get(slug)
    return known.title if known else describe(slug).title


def titles_of(slugs: Iterable[str]) -> dict[str, str]:
    return {slug: described.title for slug, described in describe_all(slugs).items()}


def order(slug: str) -> tuple[int, str]:
    """Sort key for all tables and figures: the registry's order, uploaded systems, others by name."""
    if slug in registry.SYSTEMS:
        return list(registry.SYSTEMS).index(slug), slug
    return len(registry.SYSTEMS) + (0 if slug.startswith(PREFIX) else 1), slug


def looks_of(slugs: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colours and markers of systems that are shown together, distinct as far as possible.

    Systems of the registry have fixed looks. The look of any other system follows from its slug; if that is
    taken, it is the next free look.
    """
    found: dict[str, tuple[str, str]] = {}
    taken: set[tuple[str, str]] = set()
    for slug in sorted(set(slugs)):
        if slug in _LOOKS:
            found[slug] = _LOOKS[slug]
            continue
        start = _place(slug)
        turn = [_OTHERS[(start + step) % len(_OTHERS)] for step in range(len(_OTHERS))]
        found[slug] = next((look for look in turn if look not in taken), turn[0])
        taken.add(found[slug])
    return found


def _place(slug: str) -> int:
    return int.from_bytes(hashlib.sha256(slug.encode()).digest()[:4], "big") % len(_OTHERS)


def systems_for(user: Any) -> list[Described]:
    """The systems that `user` can put into a study: the registry's and the user's own, in `order`."""
    own = [_describe_uploaded(row) for row in uploaded_systems(user)]
    registered = [_describe_registered(known) for known in registry.SYSTEMS.values()]
    return sorted([*registered, *own], key=lambda each: order(each.slug))


def uploaded_systems(user: Any) -> QuerySet[UploadedSystem]:
    """The systems that `user` made; none for an anonymous user."""
    if user is None or user.pk is None:
        return UploadedSystem.objects.none()
    return UploadedSystem.objects.filter(owner=user)


def new_slug(title: str) -> str:
    """Make a unique slug for an uploaded system, which also identifies it in files."""
    return f"{PREFIX}{slugify(title)[:40].strip('-') or 'system'}-{secrets.token_hex(3)}"


def _describe_registered(system: registry.System) -> Described:
    return Described(
        system.slug, system.title, system.note, "registry", system.nominal_kbps, system.family, system.takes
    )


def _describe_uploaded(row: UploadedSystem) -> Described:
    return Described(row.slug, row.title, row.note, "uploaded", row.kbps)
