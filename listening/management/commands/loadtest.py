"""``manage.py loadtest``: many simulated browsers take a temporary study, on every kind of database."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from listening.site.loadtest import trial
from listening.site.loadtest.browsers import PACES
from listening.site.loadtest.generate import Order
from listening.site.loadtest.measure import BUSY, Figures, measure, table
from listening.site.loadtest.server import ServerFailed, WebServer, serve
from listening.study.stimuli import render_item

#: The page that costs the site least.
EMPTY = "/healthz"


class Row(TypedDict):
    """A number of browsers on a database.

    Attributes:
        database: its kind.
        browsers: how many at once.
        load_before: of the machine, before they came: average number of processes that wanted to run.
        empty: what they did with the empty page.
        saves: what they did with a study.
        ratio: grades saved a second for each empty page a second.
        lost: confirmed grades that are not stored.
    """

    database: str
    browsers: int
    load_before: float
    empty: Figures
    saves: Figures
    ratio: float
    lost: int


@dataclass(frozen=True)
class Load:
    """What is measured, by the names of the command's options."""

    browsers: str
    seconds: float
    pace: str
    items: int
    clip_seconds: float
    workers: int
    threads: int
    generators: int

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Load:
        return cls(**{field.name: options[field.name] for field in fields(cls)})

    def arguments(self) -> list[str]:
        """The command's arguments that say the same."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in asdict(self).items()]


class Command(BaseCommand):
    help = (
        "Let many simulated browsers take a listening test at once: how many grades are saved a second, how "
        "long each takes, and whether every grade that was confirmed is there. Makes databases of its own: "
        "SQLite and, with --postgresql, PostgreSQL; or, with --here, a study in the site's database. All is "
        "removed in the end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--browsers", default="20,50,100", help="at once, one run each (20,50,100)")
        parser.add_argument("--seconds", type=float, default=10.0, help="of a run, once all have joined (10)")
        parser.add_argument(
            "--pace",
            choices=PACES,
            default="saving",
            help="saving: grades without end, as fast as the server answers; maximal: whole sessions, as "
            "fast; realistic: as listeners do (saving)",
        )
        parser.add_argument("--items", type=int, default=2, help="of the study, besides training (2)")
        parser.add_argument("--clip-seconds", type=float, default=2.0, help="length of each sound (2)")
        parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
        parser.add_argument("--threads", type=int, default=16, help="threads of each (16)")
        parser.add_argument("--generators", type=int, default=1, help="processes that make the load (1)")
        parser.add_argument(
            "--postgresql",
            default=os.environ.get("TEST_DATABASE_URL", ""),
            help="URL of a server on which a database may be made and removed (TEST_DATABASE_URL)",
        )
        parser.add_argument("--here", action="store_true", help="use the site's own database")
        parser.add_argument("--json", type=Path, help="write the figures to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            load = Load.read(options)
            rows = (
                self.measure_here(load)
                if options["here"]
                else self.measure_databases(load, options["postgresql"])
            )
        except ServerFailed as problem:
            raise CommandError(str(problem)) from None
        if options["json"]:
            options["json"].write_text(json.dumps(rows, indent=2) + "\n")
        if lost := sum(row["lost"] for row in rows):
            raise CommandError(f"{lost} confirmed grades are not stored.")

    def measure_here(self, load: Load) -> list[Row]:
        """A row for each number of browsers, on the site's own database."""
        environment = {**os.environ, "EARSHOT_HOME": str(settings.HOME)}
        rows = []
        for browsers in map(int, load.browsers.split(",")):
            study = trial.make_study(render_item, load.items, load.clip_seconds)
            connection.close()
            try:
                with (
                    tempfile.TemporaryDirectory(prefix="earshot-loadtest-") as folder,
                    serve(
                        environment,
                        settings.BASE_DIR,
                        load.workers,
                        load.threads,
                        Path(folder) / "web.log",
                    ) as server,
                ):
                    rows.append(self.row(server, study.token, browsers, load))
                    rows[-1]["lost"] = len(trial.find_lost(study, self.confirmed))
            finally:
                trial.remove_study(study)
            self.say(rows[-1:])
        return rows

    def row(self, server: WebServer, token: str, browsers: int, load: Load) -> Row:
        load_before = round(os.getloadavg()[0], 1)
        order: Order = {
            "site": server.url,
            "study": "",
            "path": EMPTY,
            "browsers": browsers,
            "first": 0,
            "pace": load.pace,
            "seconds": load.seconds,
        }
        processes = min(load.generators, browsers)
        empty, _ = measure(server, order, "empty", processes, settings.BASE_DIR)
        saves, self.confirmed = measure(
            server, {**order, "study": token}, "save", processes, settings.BASE_DIR
        )
        rate = saves["per_second"].get("save", 0.0)
        return {
            "database": connection.vendor,
            "browsers": browsers,
            "load_before": load_before,
            "empty": empty,
            "saves": saves,
            "ratio": round(rate / max(1e-3, empty["per_second"].get("empty", 0.0)), 2),
            "lost": 0,
        }

    def measure_databases(self, load: Load, postgresql: str) -> list[Row]:
        """The rows of a run with --here on each kind of database, in a process of its own."""
        rows: list[Row] = []
        with tempfile.TemporaryDirectory(prefix="earshot-loadtest-") as home:
            for url in self.databases(home, postgresql):
                environment = {**os.environ, "EARSHOT_HOME": home, "DATABASE_URL": url}
                report = Path(home) / "rows.json"
                program = [sys.executable, str(settings.BASE_DIR / "manage.py")]
                for command in (
                    ["migrate", "--verbosity=0"],
                    ["loadtest", "--here", f"--json={report}", *load.arguments()],
                ):
                    self.stdout.flush()
                    done = subprocess.run([*program, *command], env=environment, check=False)  # noqa: S603
                    if done.returncode and not report.exists():
                        raise CommandError(f"{command[0]} failed on {url.partition(':')[0]}.")
                rows += json.loads(report.read_text())
                report.unlink()
        self.stdout.write("\nAll of them:\n")
        self.say(rows)
        return rows

    def databases(self, home: str, server: str) -> Iterator[str]:
        """URLs of empty databases, each removed when the next is asked for."""
        yield f"sqlite:///{home}/loadtest.sqlite3"
        if server:
            with _scratch_database(server) as url:
                yield url
        else:
            self.stdout.write("No PostgreSQL server is named (--postgresql): SQLite only.")

    def say(self, rows: list[Row]) -> None:
        self.stdout.write(table([_cells(row) for row in rows]))
        for row in rows:
            for of in (row["empty"], row["saves"]):
                if of["refused"] or of["broken"]:
                    self.stdout.write(f"refused: {of['refused']}; without an answer: {of['broken']}")
        if any(max(row["empty"]["generator"], row["saves"]["generator"]) > BUSY for row in rows):
            self.stdout.write(
                "A process that makes the load used a whole processor: the site may be faster than this. "
                "Try --generators 2 on a machine with more processors."
            )
        self.stdout.flush()


def _cells(row: Row) -> dict[str, object]:
    save = row["saves"]["latency"].get("save", {"p50": "-", "p95": "-", "p99": "-"})
    return {
        "database": row["database"],
        "browsers": row["browsers"],
        "load before": row["load_before"],
        "empty/s": row["empty"]["per_second"].get("empty", 0.0),
        "saves/s": row["saves"]["per_second"].get("save", 0.0),
        "ratio": row["ratio"],
        **{f"{name} ms": save[name] for name in ("p50", "p95", "p99")},
        "CPU ms": row["saves"]["processor_ms"],
        "lost": row["lost"],
    }


@contextmanager
def _scratch_database(server: str) -> Iterator[str]:
    """The URL of a new database on a PostgreSQL server, which is removed again."""
    import psycopg

    name = f"earshot_loadtest_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as made:
        made.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as made:
            made.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
