"""Methods of listening tests: what is presented, on which scale it is graded, what a trial has to have.

The words of a scale are those of its Recommendation; listeners read them in the study's language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import Field
from pydantic_core import CoreSchema, core_schema

from evaluation.columns import BadColumn, Whole, parse, refuse
from evaluation.refusals import Refusal
from listening.columns.options import MethodOptions, NoOptions

REFERENCE = "original"

#: Which pairs of systems ABX and paired preference ask about; a list of ``[slug, slug]`` names them.
PAIRS = {
    "reference": "each system with the original",
    "systems": "every two systems under test",
    "all": "every two, the original among them",
}
PLAYS = {"free": "as often as the listener wants", "once": "once"}

MAX_ABX_TRIALS = 50
MAX_PAIRS = 100


class OptionProblem(Refusal):
    """An option that a method does not have, or a value that it cannot have."""


def _check_pairs(value: object) -> object:
    if isinstance(value, str) and value in PAIRS:
        return value
    if not isinstance(value, list) or not 0 < len(value) <= MAX_PAIRS:
        refuse(
            gettext("The pairs must be one of %(known)s, or a list of up to %(limit)s pairs.")
            % {"known": ", ".join(PAIRS), "limit": MAX_PAIRS}
        )
    seen = set()
    for pair in value:
        texts = isinstance(pair, list | tuple) and all(isinstance(slug, str) for slug in pair)
        if not texts or len(pair) != 2 or pair[0] == pair[1]:
            refuse(gettext("A pair must be two different systems."))
        if frozenset(pair) in seen:
            refuse(
                gettext("The pair %(first)s, %(second)s is there twice.")
                % {"first": pair[0], "second": pair[1]}
            )
        seen.add(frozenset(pair))
    return value


class _Pairs:
    """Annotates an option that is a key of `PAIRS` or a list of pairs of slugs."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_check_pairs)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        pair = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
        listed = {"type": "array", "items": pair, "minItems": 1, "maxItems": MAX_PAIRS}
        return {"anyOf": [{"enum": list(PAIRS)}, listed]}


class PairOptions(MethodOptions):
    """Of methods that ask about pairs of systems."""

    pairs: Annotated[str | list[list[str]], _Pairs()]


class AbxOptions(PairOptions, method="abx"):
    pairs: Annotated[str | list[list[str]], _Pairs()] = "reference"
    trials: Annotated[int, Whole(1, MAX_ABX_TRIALS)] = Field(default=10, description="of each item and pair")


class AbOptions(PairOptions, method="ab"):
    pairs: Annotated[str | list[list[str]], _Pairs()] = "systems"
    no_preference: bool = Field(default=False, description="whether that is an answer")


class PlayOptions(MethodOptions):
    """Of methods whose recordings are heard one after the other."""

    plays: Literal["free", "once"] = Field(default="free", description="how often a recording plays")


class AcrOptions(PlayOptions, method="acr"):
    hidden_reference: bool = Field(default=True, description="whether the original is graded, too")


class DcrOptions(PlayOptions, method="dcr"):
    pass


class CcrOptions(PlayOptions, method="ccr"):
    pass


@dataclass(frozen=True)
class Method:
    """A way to ask listeners.

    Attributes:
        slug: as `Study.method` keeps it.
        title: for people.
        source: the Recommendation that defines it.
        always: systems whose stimuli every item has, whatever is under test.
        max_signals: in one trial, without the open reference.
        lowest, highest, step: of the grading scale; None where listeners choose instead of grading.
        words: of the scale, from the best down: the grade each stands at (MUSHRA: where its band begins).
        presents: what a trial is, in a sentence for the researcher.
        Options: the model of a study's options.
        question: to the listener, in every trial.
        max_systems: under test in one study.
    """

    slug: str
    title: str
    source: str
    always: tuple[str, ...]
    max_signals: int
    lowest: float | None
    highest: float | None
    step: float | None
    words: tuple[tuple[float, str | Promise], ...] = ()
    presents: str = ""
    question: str | Promise = ""
    Options: type[MethodOptions] = NoOptions
    max_systems: int = 30

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the options, by name."""
        return {name: field.default for name, field in self.Options.model_fields.items()}

    @property
    def graded(self) -> bool:
        return self.step is not None


#: Hidden reference and both mandatory anchors (M1, M3), 12 signals at most (M6), 0 to 100 (M10).
MUSHRA = Method(
    "mushra",
    "MUSHRA",
    "ITU-R BS.1534-3",
    (REFERENCE, "anchor35", "anchor70"),
    12,
    0.0,
    100.0,
    1.0,
    words=((80, _("Excellent")), (60, _("Good")), (40, _("Fair")), (20, _("Poor")), (0, _("Bad"))),
    presents="All systems of an item side by side with the hidden reference and both anchors, "
    "graded against the open reference.",
    question=_("How good is the basic audio quality of each version, compared with the reference?"),
    max_systems=9,
)

BS1116 = Method(
    "bs1116",
    "Triple stimulus with hidden reference",
    "ITU-R BS.1116-3",
    (REFERENCE,),
    2,
    1.0,
    5.0,
    0.1,
    words=(
        (5, _("Imperceptible")),
        (4, _("Perceptible, but not annoying")),
        (3, _("Slightly annoying")),
        (2, _("Annoying")),
        (1, _("Very annoying")),
    ),
    presents="One system of an item in each trial: A is the known reference, B and C are the system and "
    "the hidden reference in random order.",
    question=_("One of B and C is the reference itself. How impaired is the other one, compared with A?"),
)

ACR = Method(
    "acr",
    "Absolute category rating (ACR)",
    "ITU-T P.800 and P.808",
    (REFERENCE,),
    1,
    1.0,
    5.0,
    1.0,
    words=((5, _("Excellent")), (4, _("Good")), (3, _("Fair")), (2, _("Poor")), (1, _("Bad"))),
    presents="One recording in each trial, without a reference; the original is one of them, hidden.",
    question=_("How good is the quality of this speech?"),
    Options=AcrOptions,
)

DCR = Method(
    "dcr",
    "Degradation category rating (DCR)",
    "ITU-T P.800 Annex D and P.808",
    (REFERENCE,),
    1,
    1.0,
    5.0,
    1.0,
    words=(
        (5, _("Degradation is inaudible")),
        (4, _("Degradation is audible but not annoying")),
        (3, _("Degradation is slightly annoying")),
        (2, _("Degradation is annoying")),
        (1, _("Degradation is very annoying")),
    ),
    presents="The reference and then one system in each trial; once an item, that is the reference again.",
    question=_("How degraded is the second recording, compared with the first?"),
    Options=DcrOptions,
)

CCR = Method(
    "ccr",
    "Comparison category rating (CCR)",
    "ITU-T P.800 Annex E and P.808",
    (REFERENCE,),
    2,
    -3.0,
    3.0,
    1.0,
    words=(
        (3, _("Much better")),
        (2, _("Better")),
        (1, _("Slightly better")),
        (0, _("About the same")),
        (-1, _("Slightly worse")),
        (-2, _("Worse")),
        (-3, _("Much worse")),
    ),
    presents="The reference and one system in each trial, in an order that alternates from session to "
    "session; once an item both are the reference.",
    question=_("How is the quality of the second recording, compared with the first?"),
    Options=CcrOptions,
)

ABX = Method(
    "abx",
    "ABX",
    "Clark (1982), Munson and Gardner (1950)",
    (REFERENCE,),
    3,
    None,
    None,
    None,
    presents="Two systems as A and B, and X, which is one of them; a pair's trials follow each other.",
    question=_("Is X the same as A or the same as B?"),
    Options=AbxOptions,
)

AB = Method(
    "ab",
    "Paired preference (AB)",
    "Bradley and Terry (1952)",
    (REFERENCE,),
    2,
    None,
    None,
    None,
    presents="Two systems of an item as A and B in each trial, each pair once.",
    question=_("Which do you prefer?"),
    Options=AbOptions,
)

METHODS = {method.slug: method for method in (MUSHRA, BS1116, ACR, DCR, CCR, ABX, AB)}


def clean_options(
    method: Method, options: Mapping[str, Any] | MethodOptions | None, systems: Sequence[str]
) -> MethodOptions:
    """The options of a study, complete: what is not said is the method's default.

    Raises:
        OptionProblem: an option that the method does not have, or a value that it cannot have.
    """
    given = options.stored() if isinstance(options, MethodOptions) else dict(options or {})
    unknown = sorted(set(given) - set(method.defaults))
    if unknown:
        raise OptionProblem(
            _("%(method)s has no option %(unknown)r."), method=method.title, unknown=unknown[0]
        )
    wanted = {**method.defaults, **given}
    if "pairs" in wanted and "pairs" not in given and not pairs_of(wanted["pairs"], systems):
        wanted["pairs"] = "reference"  # of one system alone
    try:
        cleaned = parse(method.Options, wanted, "method_options")
    except BadColumn as error:
        raise OptionProblem(str(error), fields=error.fields) from None
    if isinstance(cleaned, PairOptions):
        named = [] if isinstance(cleaned.pairs, str) else [slug for pair in cleaned.pairs for slug in pair]
        if strange := [slug for slug in named if slug != REFERENCE and slug not in systems]:
            raise OptionProblem(_("The pairs name %(slug)r, which is not in the study."), slug=strange[0])
        if not pairs_of(cleaned.pairs, systems):
            raise OptionProblem(_("Paired with each other, the systems need to be two or more."))
    return cleaned


def pairs_of(pairs: object, systems: Sequence[str]) -> list[tuple[str, str]]:
    """The unordered pairs that an option ``pairs`` means, the original first where it is one."""
    tested = [slug for slug in systems if slug != REFERENCE]
    if pairs == "reference":
        return [(REFERENCE, slug) for slug in tested]
    if pairs == "systems":
        return list(combinations(tested, 2))
    if pairs == "all":
        return list(combinations([REFERENCE, *tested], 2))
    return [(first, second) for first, second in pairs]  # type: ignore[attr-defined]


def trials_per_item(
    method: Method, options: Mapping[str, Any] | MethodOptions, systems: Sequence[str]
) -> int:
    """How many trials an item makes in a session that hears all of `systems` (those under test)."""
    options = options.stored() if isinstance(options, MethodOptions) else options
    tested = len([slug for slug in systems if slug not in method.always])
    counts = {
        "mushra": 1,
        "bs1116": tested,
        "acr": tested + bool(options.get("hidden_reference")),
        "dcr": tested + 1,
        "ccr": tested + 1,
    }
    if method.slug in counts:
        return counts[method.slug]
    return len(pairs_of(options["pairs"], systems)) * int(options.get("trials", 1))


def seconds_per_item(
    method: Method, options: Mapping[str, Any] | MethodOptions, systems: Sequence[str], seconds: float
) -> float:
    """How long a listener takes for all trials of an item that lasts so many seconds: a guess.

    Switched signals are heard about three times each, and getting into the trial takes as long as said
    here; pairs and single recordings are heard once, a third of them again.
    """
    trials = trials_per_item(method, options, systems)
    if method.slug == "mushra":
        signals = len({*method.always, *systems})
        return 30 + 3 * signals * seconds
    each = {
        "bs1116": 20 + 9 * seconds,
        "abx": 5 + 4 * seconds,
        "ab": 5 + 4 * seconds,
        "acr": 4 + 1.3 * seconds,
    }.get(method.slug, 5 + 1.3 * (2 * seconds + 0.5))
    return trials * each
