"""Who shares in a study, and what was done to it."""

from __future__ import annotations

import argparse

from terminal.site import Site
from terminal.tables import show_json, table


def study_people(site: Site, arguments: argparse.Namespace) -> None:
    rows = site.get(f"/studies/{arguments.id}/people")
    if arguments.json:
        show_json(rows)
        return
    table(["user", "role", "offered"], [
        [row["user"], row["role"], (row["offered"] or "")[:16]] for row in rows
    ])  # fmt: skip


def study_invite(site: Site, arguments: argparse.Namespace) -> None:
    body = {"role": arguments.role, "many": arguments.many, "days": arguments.days, "email": arguments.email}
    print(site.send("POST", f"/studies/{arguments.id}/invitations", body)["url"])


def study_role(site: Site, arguments: argparse.Namespace) -> None:
    site.send("PATCH", f"/studies/{arguments.id}/people/{arguments.user}", {"role": arguments.role})
    study_people(site, arguments)


def study_remove(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", f"/studies/{arguments.id}/people/{arguments.user}")
    print(f"{arguments.user} no longer shares in the study.")


def study_history(site: Site, arguments: argparse.Namespace) -> None:
    rows = list(site.pages(f"/studies/{arguments.id}/history"))
    if arguments.json:
        show_json(rows)
        return
    table(["when", "what", "token"], [[row["done"][:16], row["words"], row["token"]] for row in rows])
