"""Recordings, and what became of them."""

from __future__ import annotations

import argparse

from terminal.site import Site
from terminal.tables import number, show_json, table
from terminal.waiting import wait_while


def upload(site: Site, arguments: argparse.Namespace) -> None:
    made = []
    for file in arguments.files:
        clip = site.upload("/clips", file, **({"title": arguments.title} if arguments.title else {}))
        made.append(clip["id"])
        print(clip["id"], file, flush=True)
    if arguments.wait:
        for clip_id in made:
            wait_while(site, f"/clips/{clip_id}")
            show_clip(site, clip_id)


def clips(site: Site, arguments: argparse.Namespace) -> None:
    rows = list(site.pages("/clips", search=arguments.search))
    if arguments.json:
        show_json(rows)
        return
    table(["id", "title", "status", "seconds"], [
        [row["id"], row["title"], row["status"], number(row["seconds"], 1)] for row in rows
    ])  # fmt: skip


def clip(site: Site, arguments: argparse.Namespace) -> None:
    if arguments.json:
        show_json(site.get(f"/clips/{arguments.id}"))
        return
    show_clip(site, arguments.id)


def show_clip(site: Site, clip_id: str) -> None:
    found = site.get(f"/clips/{clip_id}")
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
