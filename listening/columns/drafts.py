"""What the JSON columns of a draft of an import hold."""

from __future__ import annotations

from pydantic import Field

from evaluation.columns import Column


class ReportLine(Column):
    """What became of something in a configuration.

    Attributes:
        line: of the file; 0: none.
    """

    kind: str
    line: int
    text: str


class DraftChoices(Column):
    """What the researcher decided, and, once a configuration is read, what was found in it."""

    extra_name: str = Field(default="", description="of the second file, as it was sent")
    name: str = Field(default="", description="of the study")
    group: str = Field(default="", description="of the configuration's pages that were chosen")
    report: list[ReportLine] = []


class DraftProgress(Column):
    """How many recordings are read."""

    done: int = 0
    total: int = 0
