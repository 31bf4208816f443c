"""``/metrics`` in Prometheus' text format: counts of the web processes, and what the database says now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

import codec
from evaluation.work.presence import workers_alive
from listening.operations.backup.last import last_backup
from listening.operations.checks import disk_of, is_local, look_at_parts
from listening.operations.counters import FOLDER
from listening.operations.queues import list_queues


class SiteCollector:
    """What is the same whichever process is asked; read from the database when it is asked."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("earshot", "The version that answers", {"version": codec.__version__})
        ready = GaugeMetricFamily("earshot_ready", "1 if a part of the site works", labels=["part"])
        parts = look_at_parts()
        for part in parts:
            ready.add_metric([part.name], float(part.is_ok))
        yield ready
        if is_local():
            disk = disk_of(settings.MEDIA_ROOT)
            yield GaugeMetricFamily("earshot_storage_size_bytes", "Size of the disk of media", disk.total)
            yield GaugeMetricFamily("earshot_storage_free_bytes", "What is free of it", disk.free)
        yield GaugeMetricFamily(
            "earshot_backup_last_timestamp_seconds",
            "When the last good backup was made on this machine; 0 if none is known",
            last_backup(),
        )
        if not all(part.is_ok for part in parts if part.name in ("database", "migrations")):
            return  # `earshot_ready` says it; the counts of this machine are still worth reading
        jobs = GaugeMetricFamily("earshot_jobs", "Jobs that are not done", labels=["kind", "queue", "status"])
        oldest = GaugeMetricFamily(
            "earshot_job_oldest_seconds",
            "How long the oldest queued job has waited",
            labels=["kind", "queue"],
        )
        for queue in list_queues():
            labels = [queue.kind, queue.queue]
            jobs.add_metric([*labels, "queued"], queue.queued)
            jobs.add_metric([*labels, "running"], queue.running)
            jobs.add_metric([*labels, "failed"], queue.failed)
            oldest.add_metric(labels, queue.oldest)
        yield jobs
        yield oldest
        serving = Counter(name for worker in workers_alive() for name in worker.queues)
        workers = GaugeMetricFamily(
            "earshot_workers_alive", "Workers that gave a sign of life, by queue", labels=["queue"]
        )
        for name in settings.WORKER_QUEUES:
            workers.add_metric([name], serving[name])
        yield workers


def render_metrics() -> bytes:
    """All figures of the site, as Prometheus reads them."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(FOLDER))
    registry.register(SiteCollector())
    return generate_latest(registry)
