"""Screening profiles: named views over untouched grades."""

from __future__ import annotations

from typing import Any

import pandas as pd

from evaluation import statistics
from listening.models import Study

NONE, BS1534, MPEG, OWN = "none", "bs1534", "mpeg", "own"
PROFILES = {
    NONE: "Nobody screened out",
    BS1534: "BS.1534-3",
}


def profiles_of(study: Study) -> dict[str, str]:
    """Names for people of the profiles that the study can be seen through."""
    return dict(PROFILES)


def settings_of(study: Study, profile: str) -> dict[str, Any]:
    """What the profile depends on besides the grades, for the fingerprint."""
    return {"profile": profile, "own": study.post_screening if profile == OWN else None}


def screen(study: Study, frame: pd.DataFrame, profile: str) -> list[statistics.Screened]:
    """What the profile says of each listener, in the frame's order."""
    return statistics.screen_hidden_reference(frame)
