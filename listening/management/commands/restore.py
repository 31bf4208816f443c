"""``manage.py restore TARGET``: a backup back into an empty site, on SQLite or PostgreSQL."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from listening.operations.backup.make import list_backups, read_manifest
from listening.operations.backup.restore import check_backup, choose_backup, restore_backup
from listening.operations.backup.targets import BackupProblem, Vault, open_target, read_key


class Command(BaseCommand):
    help = (
        "Bring a backup back into an empty database and an empty storage, those that the settings name. "
        "So a site moves from SQLite to PostgreSQL, or from files to S3, too."
    )
    #: There may be no tables yet.
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", help="a folder, or s3://BUCKET/PREFIX")
        parser.add_argument("--backup", default="", metavar="NAME", help="default: the newest")
        parser.add_argument("--key", metavar="FILE", help="the key of an encrypted backup")
        parser.add_argument("--list", action="store_true", help="only print which backups there are")
        parser.add_argument("--check", action="store_true", help="only read all of it and compare its hashes")

    def handle(self, *, target: str, backup: str, key: str | None, **options: Any) -> None:
        try:
            identities = [read_key(Path(key))] if key else []
            vault = Vault(open_target(target, settings.BACKUP_S3_ENDPOINT), identities=identities)
            if options["list"]:
                self.list_all(vault)
                return
            name = choose_backup(vault, backup)
            if options["check"]:
                rows, files = check_backup(vault, name)
                self.stdout.write(f"Backup {name} is whole: {rows} rows, {files} files.")
                return
            restore_backup(vault, name, self.stdout.write)
        except BackupProblem as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Backup {name} is restored.")

    def list_all(self, vault: Vault) -> None:
        for name in list_backups(vault):
            manifest = read_manifest(vault, name)
            how = "encrypted" if manifest["encrypted"] else "not encrypted"
            megabytes = manifest["bytes"] / 1e6
            self.stdout.write(
                f"{name}  version {manifest['version']}, {sum(manifest['rows'].values())} rows, "
                f"{manifest['files']} files, {megabytes:.1f} MB, {how}"
            )
