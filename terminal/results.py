"""Results: means on the terminal, files, and the report."""

from __future__ import annotations

import argparse
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from terminal.problem import Problem
from terminal.progress import CHUNK, Progress, Work
from terminal.site import Site
from terminal.tables import count, interval, number, show_json, table
from terminal.waiting import pause, wait_while


def results(site: Site, arguments: argparse.Namespace) -> None:
    path = f"/studies/{arguments.id}/results"
    found = site.get(path, profile=arguments.profile, kind=arguments.kind)
    if arguments.json:
        show_json(found)
        return
    print(found["answer"])
    rows = found["systems"]
    table(
        ["system", "mean", "95 % interval", "median", "IQR", "n", "kbit/s", "PESQ-NB", "PESQ-WB", "STOI"],
        [
            [
                row["title"], number(row["mean"], 1), interval(row["low"], row["high"]),
                number(row["median"], 1), number(row["iqr"], 1), row["n"], number(row["kbps"]),
                *(number(row["objective"].get(metric), places)
                  for metric, places in (("pesq_nb", 2), ("pesq_wb", 2), ("stoi", 3))),
            ]
            for row in rows
        ],
    )  # fmt: skip
    for note in found["warnings"]:
        print("! " + note)
    print(f"Means and t intervals of listener means; {count(found['listeners'], 'listener')}, "
          f"{count(found['items'], 'item')}, "
          f"screening {found['profile']}, {len(found['excluded'])} left out.")  # fmt: skip


def export(site: Site, arguments: argparse.Namespace) -> None:
    folder = {".tex": "tables", ".svg": "figures", ".png": "figures"}.get(
        Path(arguments.name).suffix, "files"
    )
    path = f"/studies/{arguments.id}/{folder}/{urllib.parse.quote(arguments.name)}"
    personal = "yes" if arguments.personal else None
    fetch(site, path, arguments.output or Path(arguments.name), kind=arguments.kind, personal=personal)


def study_report(site: Site, arguments: argparse.Namespace) -> None:
    path = f"/studies/{arguments.id}/report.pdf"
    target = arguments.output or Path("report.pdf")
    work = Work("computing its tests")
    while True:
        try:
            fetch(site, path, target, profile=arguments.profile, kind=arguments.kind)
            return
        except Problem as problem:
            if problem.status != HTTPStatus.CONFLICT:  # the tests in it are still being computed
                raise
        work.show()
        pause()


@contextmanager
def open_made(site: Site, path: str, **query: Any) -> Iterator[IO[bytes]]:
    """The file at `path`; one that a worker makes, as soon as it has."""
    with site.open("GET", path, **query) as answer:
        if getattr(answer, "status", HTTPStatus.OK) != HTTPStatus.ACCEPTED:
            yield answer
            return
        made = json.load(answer)
    state = f"/files/{made['id']}"
    if error := wait_while(site, state, "making the file")["error"]:
        raise Problem(str(error))
    with site.open("GET", f"{state}/content") as answer:
        yield answer


def fetch(site: Site, path: str, target: Path, **query: Any) -> None:
    """Download `path` to a file, completely or not at all."""
    part = target.with_name(target.name + ".part")
    try:
        with open_made(site, path, **query) as answer, part.open("wb") as file:
            total = int(getattr(answer, "headers", {}).get("Content-Length") or 0)
            for chunk in Progress(target.name, total).follow(iter(lambda: answer.read(CHUNK), b"")):
                file.write(chunk)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Problem(f"{target}: {error.strerror or error}") from None
    print(target)
