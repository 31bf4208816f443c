"""WSGI entry point."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "listening.site.settings")
application = get_wsgi_application()
# All views, before the first visitor asks for one; so that nobody waits for them.
_ = get_resolver().url_patterns
