"""Schemas of the JSON columns of an import draft."""

from __future__ import annotations

from pydantic import Field

from evaluation.columns import Column, Number


class ReportLine(Column):
    """What happened to one entry of a configuration.

    Attributes:
        line: line of the file; 0 if there is none.
    """

    kind: str
    line: int
    text: str


class Level(Column):
    """How loud a recording is, mixed to or put into a number of channels; None: silent or too short."""

    loudness: Number | None = Field(default=None, description="BS.1770, LUFS")
    rms: Number | None = Field(default=None, description="dB re full scale")


class FoundRecording(Column):
    """What is known of a recording that a configuration names."""

    path: str = Field(description="as the configuration has it")
    file: str = Field(description="its name in the zip")
    sha256: str = Field(default="", description="of the file")
    sound: str = Field(default="", description="SHA-256 of rate and samples, as they are heard")
    rate: int = Field(default=0, description="Hz")
    channels: int = Field(default=0, description="1 or 2; more are mixed down")
    seconds: Number = 0.0
    silent: bool = False
    levels: list[Level] = Field(default=[], description="as one channel, and as two")
    clipped: Number = Field(default=0.0, description="share of samples at full scale")
    like: dict[str, str] = Field(
        default={}, description="which anchor it equals, by the reference's path; empty: none"
    )
    notes: list[str] = Field(default=[], description="what is not as its headers claim, and what was mended")
    error: str = Field(default="", description="why it cannot be used")


class Made(Column):
    """What an import is about to make; nothing of it was there before."""

    clips: list[str] = Field(default=[], description="SHA-256 of their uploads")
    systems: list[str] = Field(default=[], description="slugs")
    renditions: list[list[str]] = Field(
        default=[], description="of each the SHA-256 of its clip's upload, and its system's slug"
    )


class DraftChoices(Column):
    """The researcher's choices and, once a configuration has been read, the report on it."""

    extra_name: str = Field(default="", description="name of the second uploaded file")
    name: str = Field(default="", description="name of the study")
    group: str = Field(default="", description="the chosen group of the configuration's pages")
    answers: dict[str, str] = Field(
        default={},
        description="the researcher's answers to what the file leaves open, by key, and choices by name",
    )
    recordings: list[FoundRecording] | None = Field(
        default=None, description="a configuration's recordings; null until they have been read"
    )
    made: Made = Made()
    report: list[ReportLine] = []


class DraftProgress(Column):
    """How many recordings have been read."""

    done: int = 0
    total: int = 0
