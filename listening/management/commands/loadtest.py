"""``manage.py loadtest``: many simulated browsers take a temporary study."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from listening.site.loadtest import trial
from listening.site.loadtest.browsers import MAXIMAL, REALISTIC, Tally, listen
from listening.site.processes import spawn, stop_groups
from listening.study.stimuli import render_item

PACES = {"realistic": REALISTIC, "maximal": MAXIMAL}
KINDS = ("join", "page", "audio", "save", "events", "finish")


class Command(BaseCommand):
    help = (
        "Let many simulated browsers take a listening test at once, on this database: how many grades are "
        "saved a second, how long each takes, and whether every grade that was confirmed is there. Makes a "
        "study of its own and removes it. Starts a web server of its own unless --url names a running one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--listeners", type=int, default=100, help="simultaneous browsers (100)")
        parser.add_argument("--seconds", type=float, default=30.0, help="how long, once all have joined (30)")
        parser.add_argument("--pace", choices=PACES, default="realistic", help="of the listeners (realistic)")
        parser.add_argument("--items", type=int, default=2, help="of the study, besides training (2)")
        parser.add_argument("--clip-seconds", type=float, default=10.0, help="length of each sound (10)")
        parser.add_argument("--workers", type=int, default=2, help="processes of the web server (2)")
        parser.add_argument("--threads", type=int, default=4, help="threads of each (4)")
        parser.add_argument("--url", default="", help="of a running site on the same database")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        study = trial.make_study(render_item, options["items"], options["clip_seconds"])
        try:
            busy = os.getloadavg()[0]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            with self.server(options) as url:
                tally = asyncio.run(
                    listen(url, study.token, options["listeners"], PACES[options["pace"]], options["seconds"])
                )
                ended = time.monotonic()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            missing = trial.find_lost(study, tally.confirmed)
        finally:
            trial.remove_study(study)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        figures = summary(tally, ended, missing) | {
            "load_of_the_machine_before": round(busy, 1),
            "server_cpu_seconds": round(cpu, 1),
            "database": connection.vendor,
            "listeners": options["listeners"],
            "pace": options["pace"],
            "workers": options["workers"],
            "threads": options["threads"],
        }
        self.stdout.write(json.dumps(figures, indent=2) if options["json"] else text_of(figures))
        if missing:
            raise CommandError(f"{len(missing)} confirmed grades are not stored: {missing[:3]}")

    @contextmanager
    def server(self, options: dict[str, Any]) -> Iterator[str]:
        """The URL of the site under load; starts a web server if needed."""
        if options["url"]:
            yield options["url"].rstrip("/")
            return
        connection.close()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        url = f"http://127.0.0.1:{port}"
        with tempfile.TemporaryDirectory(prefix="earshot-loadtest-") as folder:
            log = Path(folder) / "web.log"
            process = spawn(
                [
                    *(sys.executable, "-m", "gunicorn", "listening.site.wsgi", "--bind", f"127.0.0.1:{port}"),
                    *("--workers", str(options["workers"]), "--threads", str(options["threads"])),
                    *("--keep-alive", "30", "--no-control-socket", "--backlog", "512"),
                ],
                log,
                environment={**os.environ, "EARSHOT_HOME": str(settings.HOME), "THROTTLING": "0"},
                folder=settings.BASE_DIR,
            )
            try:
                _wait(url, process, log)
                yield url
            finally:
                stop_groups([process], seconds=5)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/signin/", timeout=5):  # noqa: S310
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CommandError(f"The web server does not come up:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.1)


def summary(tally: Tally, ended: float, missing: list[str]) -> dict[str, Any]:
    """Figures of a run: rates a second, latencies in milliseconds, errors, losses."""
    saves = len(tally.seconds["save"])
    opened = ended if tally.gate.opened is None else tally.gate.opened
    seconds = max(1e-3, ended - opened)
    return {
        "seconds_until_all_had_their_sounds": round(opened - tally.gate.made, 1),
        "seconds": round(seconds, 1),
        "saves": saves,
        "saves_per_second": round(saves / seconds, 1),
        "sessions": tally.sessions,
        "sessions_per_second": round(tally.sessions / seconds, 2),
        "audio_megabytes": round(tally.audio_bytes / 1e6, 1),
        "confirmed": len(tally.confirmed),
        "confirmed_but_lost": len(missing),
        "refused": dict(tally.refused),
        "broken": dict(tally.broken),
        "milliseconds": {
            kind: {
                "count": len(tally.seconds[kind]),
                "p50": round(1000 * tally.percentile(kind, 0.5), 1),
                "p95": round(1000 * tally.percentile(kind, 0.95), 1),
                "p99": round(1000 * tally.percentile(kind, 0.99), 1),
            }
            for kind in KINDS
            if tally.seconds[kind]
        },
    }


def text_of(figures: dict[str, Any]) -> str:
    lines = [
        f"{figures['listeners']} listeners at {figures['pace']} pace for {figures['seconds']} s on "
        f"{figures['database']}, {figures['workers']} processes with {figures['threads']} threads",
        f"all had joined and had their first sounds after {figures['seconds_until_all_had_their_sounds']} s; "
        f"load of the machine before: {figures['load_of_the_machine_before']}; "
        f"CPU of the server: {figures['server_cpu_seconds']} s",
        f"{figures['saves_per_second']} saves/s ({figures['saves']}), "
        f"{figures['sessions_per_second']} sessions/s ({figures['sessions']}), "
        f"{figures['audio_megabytes']} MB of audio",
        f"confirmed and lost: {figures['confirmed_but_lost']} of {figures['confirmed']} grades; "
        f"refused: {figures['refused'] or 'none'}; without an answer: {figures['broken'] or 'none'}",
        "",
        f"{'request':10}{'count':>8}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}",
    ]
    for kind, row in figures["milliseconds"].items():
        lines.append(f"{kind:10}{row['count']:>8}{row['p50']:>10}{row['p95']:>10}{row['p99']:>10}")
    return "\n".join(lines)
