"""The one clock by which workers, web processes and sweepers judge each other."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def database_time() -> datetime:
    """The time by the database's clock.

    Hosts' clocks differ: a worker whose own is behind would write leases that are over for the others. SQLite
    runs in this very process, and its clock is this host's.
    """
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")  # `now()` is when the transaction began
        moment: datetime = cursor.fetchone()[0]
        return moment
