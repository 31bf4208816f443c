"""The states of a requirement."""

from __future__ import annotations

from typing import Final, Literal

MET: Final = "met"
NOT_MET: Final = "not met"
DUTY: Final = "researcher's responsibility"
State = Literal["met", "not met", "researcher's responsibility"]
Verdict = tuple[State, str]
