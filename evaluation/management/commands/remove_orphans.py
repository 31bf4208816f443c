"""``manage.py remove_orphans``: delete stored files that no row names."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.clips.removal import delete_files, find_orphans


class Command(BaseCommand):
    # Run it by hand, never on a schedule: with a wrong DATABASE_URL, every file looks like an orphan.
    help = "Delete uploads and results that a killed process left without a row. Prints their names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=float, default=24.0, metavar="HOURS", help="default: %(default)s"
        )
        parser.add_argument("--dry-run", action="store_true", help="only print the names")

    def handle(self, *, older_than: float, dry_run: bool, **_: Any) -> None:
        if older_than < 1:
            raise CommandError("--older-than must be 1 hour or more: younger files may be in use.")
        for name in find_orphans(timedelta(hours=older_than)):
            self.stdout.write(name)
            if not dry_run:
                delete_files([name])
