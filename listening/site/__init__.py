"""The Django project: settings, processes, entry points.

Loading the settings also loads the Celery application, through which `shared_task` sends messages.
"""

from __future__ import annotations

from listening.site.celery import app as celery_app

__all__ = ["celery_app"]
