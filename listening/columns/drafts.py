"""Schemas of the JSON columns of an import draft."""

from __future__ import annotations

from pydantic import Field

from evaluation.columns import Column


class ReportLine(Column):
    """What happened to one entry of a configuration.

    Attributes:
        line: line of the file; 0 if there is none.
    """

    kind: str
    line: int
    text: str


class DraftChoices(Column):
    """The researcher's choices and, once a configuration has been read, the report on it."""

    extra_name: str = Field(default="", description="name of the second uploaded file")
    name: str = Field(default="", description="name of the study")
    group: str = Field(default="", description="the chosen group of the configuration's pages")
    report: list[ReportLine] = []


class DraftProgress(Column):
    """How many recordings have been read."""

    done: int = 0
    total: int = 0
