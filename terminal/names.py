"""Clips and studies by the names that people give them."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Iterator
from typing import Any

from terminal.problem import Problem
from terminal.site import Site


def resolve(site: Site, kind: str, reference: str) -> str:
    """The id of the clip or study that `reference` names: by id, by name, or by how only one of them begins.

    Args:
        site: the site.
        kind: "clip" or "study".
        reference: what the user wrote.

    Raises:
        Problem: nothing or several things are called so.
    """
    try:
        return str(uuid.UUID(reference))
    except ValueError:
        pass
    wanted = reference.casefold()
    rows = [(row["id"], row.get("title") or row["name"]) for row in _all_of(site, kind)]
    exact = [row for row in rows if row[1].casefold() == wanted]
    found = exact or [
        row for row in rows if row[0].startswith(wanted) or row[1].casefold().startswith(wanted)
    ]
    if not found:
        raise Problem(f"There is no {kind} whose id or name begins with {reference!r}.")
    if len(found) > 1:
        lines = [f"  {row[0]}  {row[1]}" for row in found]
        raise Problem("\n".join([f"{reference!r} may be one of these; use more of the id:", *lines]))
    return str(found[0][0])


def _all_of(site: Site, kind: str) -> Iterator[Any]:
    if kind == "clip":
        yield from site.pages("/clips")
    else:
        yield from site.pages("/studies")
        yield from site.pages("/studies", archived="yes")


def resolve_all(site: Site, arguments: argparse.Namespace) -> None:
    """Replace what the user wrote for clips and studies by ids."""
    for name, kind in getattr(arguments, "refers", {}).items():
        value = getattr(arguments, name)
        many = isinstance(value, list)
        ids = [resolve(site, kind, each) for each in (value if many else [value])]
        setattr(arguments, name, ids if many else ids[0])
