"""The Celery application: ``celery -A listening.site worker -Q codec,metrics,prepare,prompt -B``."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "listening.site.settings")
app = Celery("earshot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
