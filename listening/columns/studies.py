"""Schemas of a study's JSON columns, except for its questionnaire and its method's options."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evaluation.columns import Column, Number, Real, Whole, refuse, refuse_at

#: Maximum number of times that a listener may repeat the training.
MAX_REPEATS = 5

# -- Who hears what

_LONGEST = 24 * 365


def _check_hours(hours: float) -> float:
    if not 0 < hours <= _LONGEST:
        refuse(_("The hours until a drop-out must be more than 0 and at most a year."))
    return hours


class Design(Column):
    """How items and systems are divided among sessions (`listening.study.design`); empty: not at all."""

    items_per_session: Annotated[int, Whole(1)] | None = Field(
        default=None, description="number of graded items that each listener hears; default: all"
    )
    systems_per_trial: Annotated[int, Whole(1)] | None = Field(
        default=None,
        description="number of systems under test in a trial, without those that every trial has; "
        "default: all",
    )
    drop_out_hours: Annotated[Number, AfterValidator(_check_hours)] | None = Field(
        default=None,
        description="hours without activity after which an unfinished session loses its place; default: 24",
    )


# -- Headphones

ROUNDS = 6
#: Correct rounds needed to pass; both papers recommend 5 or all 6.
USUAL_PASS = 5
MAX_ATTEMPTS = 3
TestName = Literal["huggins", "antiphase"]
#: In the order in which listeners take them.
TEST_NAMES: tuple[TestName, ...] = get_args(TestName)


class HeadphoneTest(Column):
    """One of the screening tests of `listening.study.headphones`."""

    test: TestName
    to_pass: Annotated[int, Whole(1, ROUNDS)] = Field(
        default=USUAL_PASS, alias="pass", description=f"correct rounds (of {ROUNDS}) needed to pass"
    )
    attempts: Annotated[int, Whole(1, MAX_ATTEMPTS)] = 1


class Headphones(Column):
    """Whether listeners must wear headphones, and how that is checked; empty: not required."""

    required: bool = Field(default=False, description="exclude listeners who say they use loudspeakers")
    tests: list[HeadphoneTest] = Field(
        default=[], description="tests in order; the listener must pass all of them"
    )
    on_fail: Literal["end", "go_on"] = Field(
        default="end", description="whether failing the last attempt ends the session or is only recorded"
    )

    @model_validator(mode="after")
    def _check_tests(self) -> Headphones:
        names = [test.test for test in self.tests]
        if len(set(names)) < len(names):
            refuse(_("Each test may be listed only once; give it several attempts instead."))
        return self

    def complete(self) -> Headphones:
        """Return a copy with every key that applies and no other, as it is stored."""
        kept: dict[str, object] = {"required": True} if self.required else {}
        if self.tests:
            tests = [
                {"test": each.test, "pass": each.to_pass, "attempts": each.attempts}
                for each in sorted(self.tests, key=lambda each: TEST_NAMES.index(each.test))
            ]
            kept |= {"tests": tests, "on_fail": self.on_fail}
        return Headphones.model_validate(kept)


# -- Recruitment

_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _read_code(value: Any) -> Any:
    """Extract the code from a Prolific completion URL; return anything else unchanged."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.startswith("https://"):
        return parse_qs(urlsplit(text).query).get("cc", [""])[0]
    return text


def _check_code(code: str) -> str:
    if code and not _CODE.fullmatch(code):
        refuse(_("A code may contain only letters, digits, - and _."))
    return code


Code = Annotated[str, BeforeValidator(_read_code), AfterValidator(_check_code)]


class Recruitment(Column):
    """The recruitment platform and its completion codes; empty: anyone with the link may take part."""

    platform: Literal["", "prolific", "mturk"] = ""
    required: bool = Field(
        default=True, description="whether only listeners with an id of the platform may take part"
    )
    returning: Literal["resume", "new"] = Field(
        default="resume",
        description="what becomes of a person who comes again, known by the platform's id or by the browser: "
        "the session they have, or a new one, counted as another listener",
    )
    code: Code = Field(default="", description="Prolific's completion code of the study")
    screened_out_code: Code = Field(
        default="", description="Prolific's code for listeners who failed the headphone screening"
    )

    @model_validator(mode="after")
    def _check_codes(self) -> Recruitment:
        if self.platform != "prolific" and (self.code or self.screened_out_code):
            refuse_at("code", _("Only Prolific uses completion codes."))
        if self.platform == "prolific" and not self.code:
            refuse_at("code", _("Prolific needs a completion code: copy it from your study there."))
        return self

    def complete(self) -> Recruitment:
        """Return a copy with every key that applies to the platform and no other, as it is stored."""
        kept: dict[str, object] = (
            {"platform": self.platform, "required": self.required} if self.platform else {}
        )
        if self.platform == "prolific":
            kept |= {"code": self.code, "screened_out_code": self.screened_out_code}
        if self.returning != "resume":
            kept["returning"] = self.returning
        return Recruitment.model_validate(kept)


# -- Post-screening

_Share = Annotated[Number, Real(0, 1)]
_Points = Annotated[Number, Real(0, 100)]


class PostScreening(Column):
    """Custom thresholds: the fields of `evaluation.analysis.statistics.screening.Thresholds`.

    Empty if there are none. A null threshold disables its rule.
    """

    reference_below: _Points | None = Field(
        default=None, description="hidden reference graded below this many points"
    )
    reference_share: _Share = Field(default=0.15, description="… on more than this share of items")
    mid_above: _Points | None = Field(default=None, description="7 kHz anchor graded above this many points")
    mid_share: _Share = Field(default=0.15, description="… on more than this share of items")
    mid_escape: _Share | None = Field(
        default=0.25, description="ignore items on which more than this share of listeners do so"
    )
    ordered: _Share | None = Field(
        default=None,
        description="reference, 7 and 3.5 kHz anchor out of order on more than this share of items",
    )
    least_spread: Annotated[float, Real(0)] | None = Field(
        default=None, description="standard deviation of all grades below this many points"
    )
    least_items: Annotated[float, Real(0)] | None = Field(
        default=None, description="fewer items graded than this"
    )


# -- Analysis


def _check_margin(value: float) -> float:
    if not 0 < value <= 100:
        refuse(_("The margin of equivalence must be more than 0, and 100 at most."))
    return value


class AnalysisSettings(Column):
    """What the primary analysis is to answer (`listening.results.scales`); empty: the defaults."""

    population: Literal["like", "these"] = Field(
        default="like",
        description="whom a difference is to hold for: like, all items of this kind, or these items only",
    )
    margin: Annotated[Number, AfterValidator(_check_margin)] | None = Field(
        default=None,
        description="two systems are equivalent if they differ by less, in points of the scale; "
        "default: 5 % of its range",
    )
    include_reference: bool = Field(
        default=False,
        description="whether hidden reference and anchors enter Friedman's test, the analysis of variance "
        "and the mixed model",
    )


# -- Simulated listeners

MOST_LISTENERS = 200
_Spread = Annotated[float, Real(0, 40)]


class SimulatedListeners(Column):
    """Number and model parameters of simulated listeners (`listening.simulation.runs`); empty: none.

    Points refer to a scale from 0 to 100; methods with another scale convert them. The defaults are rounded
    from published MUSHRA tests of speech codecs: listener means have a standard deviation of about 10
    points, grades around them of about 12.
    """

    listeners: Annotated[int, Whole(1, MOST_LISTENERS)] = 20
    seed: Annotated[int, Whole()] = Field(
        default=1, description="determines every grade, with the study's seed and the listener's number"
    )
    bias: _Spread = Field(default=8.0, description="standard deviation of listeners' offsets, points")
    spread: _Spread = Field(
        default=10.0, description="standard deviation of a grade around its listener's true opinion, points"
    )
    items: _Spread = Field(
        default=5.0, description="standard deviation of an item's effect on a system, points"
    )
    use: Annotated[float, Real(0, 0.9)] = Field(
        default=0.15, description="standard deviation of listeners' scale factors (an ideal listener's is 1)"
    )
    careless: Annotated[float, Real(0, 1)] = Field(
        default=0.05, description="share of listeners who grade at random and miss the hidden reference"
    )
    qualities: dict[str, Annotated[float, Real(0, 100)]] = Field(
        default={}, description="an ideal listener's grade of each system, points"
    )
    asked: str = Field(default="", description="time of the request, ISO 8601")


# -- Imports


class Imported(Column):
    """The origin of an imported study; empty: the study was run here."""

    what: str = ""
    format: str = Field(default="", description="short name of the file's format")
    title: str = Field(default="", description="title of the format, for display")
    reason: str = Field(default="", description="how the format was recognised")
    file: str = Field(default="", description="name of the file")
    when: str = Field(default="", description="ISO 8601")
    scale: list[Number] = Field(default=[], description="lowest and highest grade, if the file states them")
    systems: dict[str, str] = Field(default={}, description="slugs by name in the file")
    consequences: list[str] = Field(default=[], description="what follows from roles that no system has")
    notes: list[str] = Field(default=[], description="remarks for the researcher")


#: Scores by metric.
Objective = dict[str, Number | None]
