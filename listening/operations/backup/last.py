"""When the last good backup was made: written by the backup command, read by ``/metrics`` of this machine."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from listening.operations.backup.make import NAME_FORMAT


def note_backup(name: str) -> None:
    """Store the name of a complete backup, its moment in UTC, in place of the one before."""
    path = settings.LAST_BACKUP_FILE
    new = path.with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(name)
    new.replace(path)  # whoever reads finds the old name or the new one


def last_backup() -> float:
    """Seconds since 1970 of the last complete backup; 0 if this machine has made none, or none is known."""
    try:
        moment = datetime.strptime(settings.LAST_BACKUP_FILE.read_text(), NAME_FORMAT)
    except (FileNotFoundError, ValueError):
        return 0.0
    return moment.replace(tzinfo=UTC).timestamp()
