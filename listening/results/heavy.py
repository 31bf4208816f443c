"""What takes seconds: tests between systems, models, intervals of agreements. Runs in a worker only."""

from __future__ import annotations

from typing import Any

from listening.models import Study


def compute(study: Study, kind: str, profile: str) -> dict[str, Any]:
    """Everything slow of a study's results as JSON."""
    return {}
