"""People: studies, the rating page, sessions, ratings, results, exports, the API."""

from __future__ import annotations

from listening.celery import app as celery_app

__all__ = ["celery_app"]
