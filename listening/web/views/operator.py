"""The operator's page: what the site is made of, what works, what waits and what failed."""

from __future__ import annotations

import platform
from importlib.metadata import version

import django
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

import codec
from evaluation.contexts import Context
from evaluation.models import Worker
from evaluation.refusals import translate_note
from evaluation.web.guards import administrator_page
from evaluation.work.presence import workers_alive
from listening.operations.checks import disk_of, is_local, look_at_parts
from listening.operations.queues import latest_failures, list_queues

#: Failed jobs that are shown.
MOST = 20


@administrator_page
def overview(request: HttpRequest) -> HttpResponse:
    alive = workers_alive()
    silent = Worker.objects.exclude(pk__in=[worker.pk for worker in alive])
    queues = list_queues()
    served = {name for worker in alive for name in worker.queues}
    context: Context = {
        "section": "operator",
        "parts": look_at_parts(),
        "queues": queues,
        "unserved": sorted({queue.queue for queue in queues if queue.queued} - served),
        # With whether each is alive: those that are come first.
        "workers": [*((worker, True) for worker in alive), *((worker, False) for worker in silent)],
        "failures": [
            {
                "row": row,
                "kind": str(row._meta.verbose_name),
                "why": translate_note(row.error),
                "address": row.get_absolute_url,
            }
            for row in latest_failures(MOST)
        ],
        "disk": disk_of(settings.MEDIA_ROOT) if is_local() else None,
        "media": settings.MEDIA_ROOT if is_local() else settings.MEDIA_S3_BUCKET,
        "database_bytes": _database_bytes(),
        "versions": _versions(),
    }
    return render(request, "listening/operator.html", context)


def _database_bytes() -> int | None:
    """Size of the database; None if its kind does not say."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _versions() -> dict[str, str]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW server_version")
        else:
            cursor.execute("SELECT sqlite_version()")
        database = cursor.fetchone()[0]
    return {
        "Earshot": codec.__version__,
        "Python": platform.python_version(),
        "Django": django.get_version(),
        "Celery": version("celery"),
        "PostgreSQL" if connection.vendor == "postgresql" else "SQLite": database,
    }
