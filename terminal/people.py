"""Who shares in a study, and what was done to it."""

from __future__ import annotations

import argparse
import urllib.parse
from collections.abc import Sequence
from typing import Any

from terminal.site import Site
from terminal.tables import show, table


def _print_people(rows: Sequence[Any]) -> None:
    table(["user", "role", "offered"], [
        [row["user"], row["role"], (row["offered"] or "")[:16]] for row in rows
    ])  # fmt: skip


def study_people(site: Site, arguments: argparse.Namespace) -> None:
    show(arguments, site.get(f"/studies/{arguments.id}/people"), _print_people)


def study_invite(site: Site, arguments: argparse.Namespace) -> None:
    body = {"role": arguments.role, "many": arguments.many, "days": arguments.days, "email": arguments.email}
    made = site.send("POST", f"/studies/{arguments.id}/invitations", body)
    show(arguments, made, lambda _: print(made["url"]))


def _path_of(arguments: argparse.Namespace) -> str:
    """The path of somebody who shares in a study; user names have letters of any language."""
    return f"/studies/{arguments.id}/people/{urllib.parse.quote(arguments.user, safe='')}"


def study_role(site: Site, arguments: argparse.Namespace) -> None:
    show(arguments, site.send("PATCH", _path_of(arguments), {"role": arguments.role}), _print_people)


def study_remove(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", _path_of(arguments))
    print(f"{arguments.user} no longer shares in the study.")


def study_history(site: Site, arguments: argparse.Namespace) -> None:
    def print_acts(rows: Sequence[Any]) -> None:
        table(["when", "what", "token"], [[row["done"][:16], row["words"], row["token"]] for row in rows])

    show(arguments, list(site.pages(f"/studies/{arguments.id}/history")), print_acts)
