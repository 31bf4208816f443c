"""What a study's JSON columns hold, but for its questionnaire and its method's options."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evaluation.columns import Column, Number, Real, Whole, refuse, refuse_at

#: How often a listener may take the training again, at most: not for ever.
MAX_REPEATS = 5

# -- Who hears what

_LONGEST = 24 * 365


def _check_hours(hours: float) -> float:
    if not 0 < hours <= _LONGEST:
        refuse(_("A place is given away after more than 0 hours, and after a year at most."))
    return hours


class Design(Column):
    """How items and systems are shared out (`listening.study.design`); empty: all to everybody."""

    items_per_session: Annotated[int, Whole(1)] | None = Field(
        default=None, description="how many of the graded items each listener hears; default: all"
    )
    systems_per_trial: Annotated[int, Whole(1)] | None = Field(
        default=None,
        description="how many systems under test share a trial, besides what the method has in every trial; "
        "default: all",
    )
    drop_out_hours: Annotated[Number, AfterValidator(_check_hours)] | None = Field(
        default=None,
        description="an unfinished session gives its place away after so long without a sign of its "
        "listener; default: 24",
    )


# -- Headphones

ROUNDS = 6
#: Rounds to get right, in both papers' recommendation 5 or all 6.
USUAL_PASS = 5
MAX_ATTEMPTS = 3
TestName = Literal["huggins", "antiphase"]
#: In the order in which they are taken.
TEST_NAMES: tuple[TestName, ...] = get_args(TestName)


class HeadphoneTest(Column):
    """One screening test, of those in `listening.study.headphones`."""

    test: TestName
    to_pass: Annotated[int, Whole(1, ROUNDS)] = Field(
        default=USUAL_PASS, alias="pass", description=f"rounds of {ROUNDS} to get right"
    )
    attempts: Annotated[int, Whole(1, MAX_ATTEMPTS)] = 1


class Headphones(Column):
    """Whether listeners have to wear headphones, and how that is checked; empty: no."""

    required: bool = Field(default=False, description="who says that they use loudspeakers is turned away")
    tests: list[HeadphoneTest] = Field(default=[], description="one after the other, all to be passed")
    on_fail: Literal["end", "go_on"] = Field(
        default="end", description="whether failing the last attempt ends the session or is only noted"
    )

    @model_validator(mode="after")
    def _check_tests(self) -> Headphones:
        names = [test.test for test in self.tests]
        if len(set(names)) < len(names):
            refuse(_("A test can be taken once, with several attempts."))
        return self

    def complete(self) -> Headphones:
        """The same with every key that it needs, and no other: as it is stored."""
        kept: dict[str, Any] = {"required": True} if self.required else {}
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
    """The code in the address that Prolific shows with it; anything else as it is."""
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.startswith("https://"):
        return parse_qs(urlsplit(text).query).get("cc", [""])[0]
    return text


def _check_code(code: str) -> str:
    if code and not _CODE.fullmatch(code):
        refuse(_("A code has letters, digits, - and _ only."))
    return code


Code = Annotated[str, BeforeValidator(_read_code), AfterValidator(_check_code)]


class Recruitment(Column):
    """Where listeners come from, and the codes that they go back with; empty: whoever has the link."""

    platform: Literal["", "prolific", "mturk"] = ""
    required: bool = Field(
        default=True, description="whether only people with the platform's id may take part"
    )
    returning: Literal["resume", "new"] = Field(
        default="resume",
        description="what becomes of a person who comes again, known by the platform's id or by the browser: "
        "the session they have, or a new one, counted as another listener",
    )
    code: Code = Field(default="", description="Prolific's completion code of the study")
    screened_out_code: Code = Field(
        default="", description="Prolific's code for listeners whom the headphone screening ended"
    )

    @model_validator(mode="after")
    def _check_codes(self) -> Recruitment:
        if self.platform != "prolific" and (self.code or self.screened_out_code):
            refuse_at("code", _("Only Prolific takes one."))
        if self.platform == "prolific" and not self.code:
            refuse_at("code", _("Prolific pays for a completion code: copy it from the study there."))
        return self

    def complete(self) -> Recruitment:
        """The same with every key that its platform needs, and no other: as it is stored."""
        kept: dict[str, Any] = {"platform": self.platform, "required": self.required} if self.platform else {}
        if self.platform == "prolific":
            kept |= {"code": self.code, "screened_out_code": self.screened_out_code}
        if self.returning != "resume":
            kept["returning"] = self.returning
        return Recruitment.model_validate(kept)


# -- Post-screening

_Share = Annotated[Number, Real(0, 1)]
_Points = Annotated[Number, Real(0, 100)]


class PostScreening(Column):
    """The researcher's own thresholds, the fields of `evaluation.analysis.statistics.screening.Thresholds`.

    Empty: there are none. A rule whose threshold is null is off.
    """

    reference_below: _Points | None = Field(default=None, description="hidden reference below so many points")
    reference_share: _Share = Field(default=0.15, description="… on more than this share of items")
    mid_above: _Points | None = Field(default=None, description="7 kHz anchor above so many points")
    mid_share: _Share = Field(default=0.15, description="… on more than this share of items")
    mid_escape: _Share | None = Field(
        default=0.25, description="items do not count where more than this share of listeners do so"
    )
    ordered: _Share | None = Field(
        default=None,
        description="reference, 7 and 3.5 kHz anchor out of order on more than this share of items",
    )
    least_spread: Annotated[float, Real(0)] | None = Field(
        default=None, description="standard deviation of all grades below so many points"
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
    """What simulated listeners are made of, and how many (`listening.simulation.runs`); empty: none.

    Points are those of a scale from 0 to 100; methods with another scale put them on theirs. The usual
    values are what a careful researcher may expect, from published MUSHRA tests of speech codecs, in round
    figures: the spread of listener means is some 10 points, that of grades around them some 12.
    """

    listeners: Annotated[int, Whole(1, MOST_LISTENERS)] = 20
    seed: Annotated[int, Whole()] = Field(
        default=1, description="every grade follows from it, the study's seed and the listener's number"
    )
    bias: _Spread = Field(default=8.0, description="standard deviation of listeners' offsets, points")
    spread: _Spread = Field(
        default=10.0, description="standard deviation of a grade around what its listener thinks, points"
    )
    items: _Spread = Field(
        default=5.0, description="standard deviation of an item's effect on a system, points"
    )
    use: Annotated[float, Real(0, 0.9)] = Field(
        default=0.15, description="standard deviation of listeners' use of the scale (an ideal one's is 1)"
    )
    careless: Annotated[float, Real(0, 1)] = Field(
        default=0.05, description="share of listeners who grade at random and miss the hidden reference"
    )
    qualities: dict[str, Annotated[float, Real(0, 100)]] = Field(
        default={}, description="by system, what an ideal listener would grade, points"
    )
    asked: str = Field(default="", description="when, ISO 8601")


# -- Imports


class Imported(Column):
    """Where a study that was held elsewhere came from; empty: it was held here."""

    what: str = ""
    format: str = Field(default="", description="of the file, a short name")
    title: str = Field(default="", description="of the format, for people")
    reason: str = Field(default="", description="how the format was recognised")
    file: str = Field(default="", description="its name")
    when: str = Field(default="", description="ISO 8601")
    scale: list[Number] = Field(default=[], description="lowest and highest grade, where the file says")
    systems: dict[str, str] = Field(default={}, description="slugs by the file's names")
    notes: list[str] = Field(default=[], description="what the researcher should know")


#: Scores by metric.
Objective = dict[str, Number | None]
