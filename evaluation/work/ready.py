"""Makes Django ready where this is imported first: in a server from which processes are forked."""

from __future__ import annotations

import django

django.setup()
