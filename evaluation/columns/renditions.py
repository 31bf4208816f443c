"""Models of the JSON columns of renditions and uploaded outputs."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from evaluation.columns.base import Column, Number
from evaluation.columns.notes import StoredNote


class Stretch(Column):
    """A stretch of an output with one delay, between the middles of its first and last window, seconds."""

    start: Number = 0.0
    end: Number = 0.0
    delay: Number = Field(default=0.0, description="> 0 is late")


class Checks(Column):
    """How an uploaded output compares with its clip (`evaluation.outputs.comparison.Comparison`).

    Empty until the comparison is done. Levels in dB or LU, times in seconds; None: unknown.
    """

    seconds: Number = 0.0
    reference_seconds: Number = 0.0
    rate: int = Field(default=0, description="Hz, of the file")
    channels: int = 1
    format: str = ""
    delay_seconds: Number | None = Field(default=None, description="> 0 is late")
    exact: bool = Field(default=False, description="whether the delay is that of the waveform")
    certainty: Number = 0.0
    inverted: bool | None = None
    level_db: Number | None = None
    loudness_db: Number | None = None
    clipped: Number = Field(default=0.0, description="share of samples at full scale")
    stretches: list[Stretch] = Field(
        default=[], description="of different delays, in order; empty if one delay fits throughout"
    )
    track: list[list[Number | None]] = Field(
        default=[],
        description="middles of windows of a second and the delay in each, for a delay that changes",
    )
    warnings: list[StoredNote] = []
    notes: list[StoredNote] = []
    shifts: bool = Field(
        default=False, description="whether there is a delay that can be taken out and is worth it"
    )


class Parameters(Column):
    """How a rendition was made: these keys for an uploaded output, otherwise the codec's parameters."""

    model_config = ConfigDict(extra="allow")

    sha256: str = Field(default="", description="of the uploaded bytes")
    uploaded: str = Field(default="", description="name of the file, as it was sent")
    matched: str = Field(default="", description="how clip and system were found")
    checks: Checks = Checks()
    delay_seconds: Number = Field(default=0.0, description="removed from the uploaded audio")
