"""The Django project: settings, processes, entry points.

Whoever loads the settings has the Celery application, too: `shared_task` sends its messages through it.
"""

from __future__ import annotations

from listening.site.celery import app as celery_app

__all__ = ["celery_app"]
