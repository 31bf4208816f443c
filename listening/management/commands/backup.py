"""``manage.py backup TARGET``: a copy of the database and of all media, while the site runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from listening.operations.backup.last import note_backup
from listening.operations.backup.make import make_backup, remove_old
from listening.operations.backup.targets import BackupProblem, Vault, make_key, open_target


class Command(BaseCommand):
    help = (
        "Copy the database, as of one moment, and all media into a folder or an S3 bucket, while listeners "
        "grade. Files that an earlier backup of the target has are not copied again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", nargs="?", help="a folder, or s3://BUCKET/PREFIX")
        parser.add_argument(
            "--recipient",
            action="append",
            default=[],
            metavar="AGE1...",
            help="encrypt for this public key of age; can be repeated (default: BACKUP_RECIPIENTS)",
        )
        parser.add_argument(
            "--keep", type=int, metavar="N", help="afterwards remove all but the newest N backups"
        )
        parser.add_argument(
            "--make-key", metavar="FILE", help="make a key in a new file and print its recipient, no backup"
        )

    def handle(
        self,
        *,
        target: str | None,
        recipient: list[str],
        keep: int | None,
        make_key: str | None,
        **_: Any,
    ) -> None:
        try:
            if make_key:
                self.stdout.write(_make_key(make_key))
                return
            if not target:
                raise CommandError("Name the target: a folder, or s3://BUCKET/PREFIX.")
            if keep is not None and keep < 1:
                raise CommandError("--keep must be 1 or more.")
            storage = open_target(target, settings.BACKUP_S3_ENDPOINT)
            vault = Vault(storage, recipient or settings.BACKUP_RECIPIENTS)
            with vault.lock():
                name = make_backup(vault, self.stdout.write)
                note_backup(name)
                if keep is not None:
                    remove_old(vault, keep, self.stdout.write)
        except BackupProblem as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Backup {name} is complete.")


def _make_key(path: str) -> str:
    return make_key(Path(path))
