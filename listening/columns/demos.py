"""What a demo page says (its draft and its versions), and what a version shows of its recordings."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import UUID

from django.utils.translation import gettext as _
from pydantic import AfterValidator, Field

from evaluation.columns import Column, Number, Real, Whole, refuse
from evaluation.texts import clean_line, clean_text

#: Most recordings, systems, authors and sections of a page.
MAX_RECORDINGS, MAX_SYSTEMS, MAX_AUTHORS, MAX_SECTIONS = 30, 16, 50, 12
#: Maximum length of a text in Markdown, characters.
MAX_MARKDOWN = 20_000


def _check_address(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s<>\"]{3,1000}", text):
        refuse(_("must be a web address that begins with https:// or http://."))
    return text


def _check_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        refuse(_("must be an id."))


Line = Annotated[str, AfterValidator(clean_line), Field(max_length=300)]
Markdown = Annotated[str, AfterValidator(clean_text), Field(max_length=MAX_MARKDOWN)]
Address = Annotated[str, AfterValidator(clean_line), AfterValidator(_check_address)]
RowId = Annotated[str, AfterValidator(_check_id)]


class Author(Column):
    """An author as the page names them."""

    name: Line
    affiliation: Line = ""


class Section(Column):
    """A section of text."""

    heading: Line = ""
    text: Markdown = Field(default="", description="Markdown; HTML in it is shown as text")
    above: bool = Field(default=False, description="above the recordings, not below them")


class Recording(Column):
    """A recording, a row of the page: a clip, or the part of it from `start` to `end`, seconds."""

    clip: RowId = Field(description="id of a clip that you may hear")
    title: Line = Field(default="", description="default: the clip's title")
    caption: Annotated[str, AfterValidator(clean_text), Field(max_length=1000)] = ""
    licence: Annotated[str, AfterValidator(clean_text), Field(max_length=1000)] = Field(
        default="", description="source and licence; needed before the page can be published"
    )
    start: Annotated[float, Real(0, 36_000)] = 0.0
    end: Annotated[float, Real(0, 36_000)] | None = Field(default=None, description="default: the clip's end")


def _once(slugs: list[str]) -> list[str]:
    """The same without repetitions: a column stands on the page once."""
    return list(dict.fromkeys(slugs))


class DemoContent(Column):
    """Everything that the author of a demo page writes and chooses."""

    title: Line = ""
    authors: Annotated[list[Author], Field(max_length=MAX_AUTHORS)] = []
    abstract: Markdown = ""
    paper: Address = ""
    code: Address = ""
    bitstreams: Address = ""
    sections: Annotated[list[Section], Field(max_length=MAX_SECTIONS)] = []
    recordings: Annotated[list[Recording], Field(max_length=MAX_RECORDINGS)] = []
    systems: Annotated[list[Line], Field(max_length=MAX_SYSTEMS), AfterValidator(_once)] = Field(
        default=[], description="slugs in the order of the columns"
    )
    measures: Annotated[list[Line], Field(max_length=12), AfterValidator(_once)] = Field(
        default=[], description="slugs of metrics to show; kbps for the measured bit rate"
    )
    study: RowId | None = Field(
        default=None, description="id of a finished study of yours whose grades the page shows"
    )
    blind: bool = Field(default=True, description="whether visitors can test themselves")
    voice: bool = Field(default=False, description="whether visitors can hear their own voice")


class ShownSystem(Column):
    """A column of the page."""

    slug: str
    title: str
    colour: str
    marker: str
    nominal: Number | None = Field(
        default=None, description="rate in its name, or as its researcher states it"
    )
    kind: str = Field(description="registry, uploaded or other")


class ShownSound(Column):
    """What a system made of a recording."""

    system: str
    kbps: Number | None = Field(default=None, description="measured, kbit/s")
    scores: dict[str, Number] = {}
    gain_db: Number = 0.0


class ShownRecording(Column):
    """A row of the page."""

    title: str
    caption: str = ""
    licence: str = ""
    seconds: Number
    rate: Annotated[int, Whole(1)]
    channels: Annotated[int, Whole(1, 2)]
    sounds: list[ShownSound] = []


class ShownMeasure(Column):
    """A metric that the page shows."""

    slug: str
    title: str
    unit: str = ""
    note: str = ""
    decimals: Annotated[int, Whole(0, 6)] = 2


class ShownGrade(Column):
    """A system's mean grade; `half_width` of its 95 % interval over listeners."""

    system: str
    title: str
    colour: str
    marker: str
    mean: Number
    half_width: Number | None = None
    n: Annotated[int, Whole(0)]
    listeners: Annotated[int, Whole(0)]


class ShownShare(Column):
    """The answers to a pair: a share from 0 to 1, and the ends of its 95 % interval."""

    left: str
    right: str = Field(default="", description="empty where the pair is told apart, not compared")
    share: Number | None = None
    low: Number | None = None
    high: Number | None = None
    counts: str = Field(default="", description="the answers behind it, as “7 of 10” or “4 : 6”")


class ShownWord(Column):
    """A word of the scale, and where it stands."""

    at: Number
    word: str


class ShownGrades(Column):
    """A study's grades or answers as they were when the page was published."""

    study: str
    method: str
    measure: str = Field(default="Mean", description="what `rows` are means of")
    kind: Literal["grades", "answers", "votes"] = "grades"
    low: Number
    high: Number
    ticks: list[Number] = Field(default=[], description="lines of the scale")
    words: list[ShownWord] = []
    decimals: Annotated[int, Whole(0, 6)] = 1
    listeners: Annotated[int, Whole(0)]
    excluded: Annotated[int, Whole(0)] = 0
    items: Annotated[int, Whole(0)]
    first: str = Field(default="", description="ISO date of the first finished session")
    last: str = Field(default="", description="ISO date of the last finished session")
    imported: bool = False
    rows: list[ShownGrade] = []
    shares: list[ShownShare] = Field(default=[], description="of pairs, where listeners choose")


class DemoFacts(Column):
    """What a page shows beside its texts, frozen when it is published."""

    systems: list[ShownSystem] = []
    recordings: list[ShownRecording] = []
    measures: list[ShownMeasure] = []
    grades: ShownGrades | None = None


Visibility = Literal["private", "unlisted", "public"]
