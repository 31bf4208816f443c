"""The database of a benchmark: its own, so that nobody's rows are read or written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_database(folder: Path | None, fill: Callable[[], None]) -> Iterator[None]:
    """Set Django up with an SQLite database in `folder`, which `fill` fills if it is not there yet.

    Args:
        folder: keeps the database for the next run; None: it is gone after this one.
        fill: makes the rows; imports models, which nothing may do before.
    """
    with tempfile.TemporaryDirectory(prefix="earshot-benchmark-") as temporary:
        os.environ["EARSHOT_HOME"] = str(folder or temporary)
        os.environ["DJANGO_SETTINGS_MODULE"] = "listening.site.settings"
        os.environ["LOG_LEVEL"] = "ERROR"
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        made = Path(settings.DATABASES["default"]["NAME"]).exists()
        call_command("migrate", verbosity=0)
        if not made:
            fill()
        yield
