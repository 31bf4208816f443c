"""Recordings, and what became of them."""

from __future__ import annotations

import argparse
from typing import Any

from terminal.site import Site
from terminal.tables import number, show, show_json, table
from terminal.waiting import UNFINISHED, wait_while


def upload(site: Site, arguments: argparse.Namespace) -> None:
    made = []
    for file in arguments.files:
        clip = site.upload("/clips", file, **({"title": arguments.title} if arguments.title else {}))
        made.append(clip)
        if not arguments.json:
            print(clip["id"], file, flush=True)
    if arguments.wait:
        made = [
            wait_while(site, f"/clips/{clip['id']}", file.name, unit="systems", count=count_made)
            for clip, file in zip(made, arguments.files, strict=True)
        ]
    if arguments.json:
        show_json(made)
    elif arguments.wait:
        for clip in made:
            print_clip(clip)


def count_made(found: Any) -> tuple[int, int]:
    """How many systems are through with a clip, of how many."""
    rows = found["renditions"]
    return sum(row["status"] not in UNFINISHED for row in rows), len(rows)


def clips(site: Site, arguments: argparse.Namespace) -> None:
    rows = list(site.pages("/clips", search=arguments.search))
    if arguments.json:
        show_json(rows)
        return
    table(["id", "title", "status", "seconds"], [
        [row["id"], row["title"], row["status"], number(row["seconds"], 1)] for row in rows
    ])  # fmt: skip


def clip(site: Site, arguments: argparse.Namespace) -> None:
    show(arguments, site.get(f"/clips/{arguments.id}"), print_clip)


def print_clip(found: Any) -> None:
    print(f"{found['title']}: {found['status']}, {found['seconds']:.1f} s")
    table(
        ["system", "status", "kbit/s", "PESQ-NB", "PESQ-WB", "STOI", "error"],
        [
            [
                row["system"], row["status"], number(row["kbps"]), number(row["pesq_nb"]),
                number(row["pesq_wb"]), number(row["stoi"], 3), row["error"],
            ]
            for row in found["renditions"]
        ],
    )  # fmt: skip
