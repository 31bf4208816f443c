"""Systems: those of the site, and a researcher's own with their outputs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from terminal.problem import Problem
from terminal.site import Site
from terminal.tables import number, show, show_json, table
from terminal.waiting import wait_while


def systems(site: Site, arguments: argparse.Namespace) -> None:
    rows = site.get("/systems")
    if arguments.json:
        show_json(rows)
        return
    table(["system", "title", "kbit/s", "note"], [
        [row["slug"], row["title"], number(row["kbps"]), row["note"]] for row in rows
    ])  # fmt: skip


def system_new(site: Site, arguments: argparse.Namespace) -> None:
    body = {"title": arguments.title, "note": arguments.note, "kbps": arguments.kbps}
    show(arguments, site.send("POST", "/systems", body), lambda made: print(made["slug"]))


def system_delete(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", f"/systems/{arguments.slug}")
    print("Deleted, with all its outputs.")


def system_send(site: Site, arguments: argparse.Namespace) -> None:
    """Send outputs, show the results of the checks, and store them with --store."""
    files: list[tuple[str, Path]] = [("file", file) for file in arguments.files]
    files += [("mapping", arguments.mapping)] if arguments.mapping else []
    folders = "yes" if arguments.folders else ""
    path = "/outputs/" + site.upload(f"/systems/{arguments.slug}/outputs", files, make_systems=folders)["id"]
    batch = wait_while(site, path, "checking")
    if batch["error"]:
        raise Problem(batch["error"])
    if not arguments.json:
        _print_checks(batch)
    usable = [row for row in batch["files"] if not row["problem"]]
    if not arguments.store:
        site.send("DELETE", path)
        if arguments.json:
            show_json(batch)
        else:
            print("Nothing is stored. Use --store to store the usable files, and --align to remove delays.")
        return
    if not usable:
        site.send("DELETE", path)
        raise Problem("None of the files can be stored.")
    shift = [row["id"] for row in usable if arguments.align and row["checks"].get("shifts")]
    site.send("POST", path + "/confirm", {"take": [row["id"] for row in usable], "shift": shift})
    show(arguments, wait_while(site, path, "storing"), _print_stored)


def _print_checks(batch: Any) -> None:
    for note in batch["notes"]:
        print("! " + note)
    table(
        ["file", "clip", "system", "delay, ms", "level, dB", "said"],
        [
            [
                row["name"], row["clip"] or "–", row["system"] or "–",
                number(_milliseconds(row["checks"].get("delay_seconds"))),
                number(row["checks"].get("level_db"), 1),
                row["problem"] or " ".join(row["checks"].get("warnings", [])) or "fits",
            ]
            for row in batch["files"]
        ],
    )  # fmt: skip


def _print_stored(batch: Any) -> None:
    stored = [row for row in batch["files"] if row["taken"] and not row["problem"]]
    print(f"{len(stored)} of {len(batch['files'])} stored, {sum(row['shifted'] for row in stored)} aligned.")
    for row in batch["files"]:
        if row["taken"] and row["problem"]:
            print(f"! {row['name']}: {row['problem']}")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds
