"""Base classes of methods in which a listener chooses one of two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, TypeVar

from django.utils.translation import gettext, gettext_lazy
from pydantic_core import CoreSchema, core_schema

from evaluation.columns import JsonObject, refuse
from listening.methods.base import REFERENCE, Ear, Material, Method, OptionProblem, Signal, Words
from listening.methods.options import Control, MethodOptions, stored_options

#: The pairs of systems that a study can compare; alternatively a list of ``[slug, slug]`` names them.
PAIRS = {
    "reference": "each system with the original",
    "systems": "all pairs of systems under test",
    "all": "all pairs, including the original",
}
MAX_PAIRS = 100


def list_pairs(pairs: str | Sequence[Sequence[str]], systems: Sequence[str]) -> list[tuple[str, str]]:
    """The unordered pairs that the option ``pairs`` selects; the original comes first in its pairs."""
    tested = [slug for slug in systems if slug != REFERENCE]
    if pairs == "reference":
        return [(REFERENCE, slug) for slug in tested]
    if pairs == "systems":
        return list(combinations(tested, 2))
    if pairs == "all":
        return list(combinations([REFERENCE, *tested], 2))
    return [(pair[0], pair[1]) for pair in pairs]


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
                gettext("The pair %(first)s, %(second)s is listed twice.")
                % {"first": pair[0], "second": pair[1]}
            )
        seen.add(frozenset(pair))
    return value


class _Pairs:
    """Annotation of an option that is a key of `PAIRS` or a list of pairs of slugs."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_check_pairs)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> JsonObject:
        pair: JsonObject = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
        listed: JsonObject = {"type": "array", "items": pair, "minItems": 1, "maxItems": MAX_PAIRS}
        return {"anyOf": [{"enum": list(PAIRS)}, listed]}


#: A key of `PAIRS`, or the pairs themselves.
Pairs = Annotated[str | list[list[str]], _Pairs(), Control("Pairs", choices=PAIRS)]


class PairOptions(MethodOptions):
    """Options of methods that compare pairs of systems."""

    pairs: Pairs


PairOptionsT = TypeVar("PairOptionsT", bound=PairOptions)


class PairMethod(Method[PairOptionsT]):
    """Listeners choose A or B."""

    max_signals = 2
    signals: tuple[tuple[str, Words], ...] = (("A", "A"), ("B", "B"))
    template = "listening/methods/choice.html"
    webmushra = ("paired_comparison",)

    def clean_options(
        self, options: Mapping[str, Any] | MethodOptions | None, systems: Sequence[str]
    ) -> PairOptionsT:
        cleaned = super().clean_options(options, systems)
        if not list_pairs(cleaned.pairs, systems) and "pairs" not in stored_options(options):
            cleaned = cleaned.model_copy(update={"pairs": "reference"})  # there is only one system
        named = [] if isinstance(cleaned.pairs, str) else [slug for pair in cleaned.pairs for slug in pair]
        if strange := [slug for slug in named if slug != REFERENCE and slug not in systems]:
            raise OptionProblem.of_field(
                "method_options.pairs",
                gettext_lazy("The pairs name %(slug)r, which is not in the study."),
                slug=strange[0],
            )
        if not list_pairs(cleaned.pairs, systems):
            raise OptionProblem.of_field(
                "method_options.pairs",
                gettext_lazy("To pair systems with each other, choose at least two."),
            )
        return cleaned

    def trials_per_item(self, options: PairOptionsT, systems: Sequence[str]) -> int:
        return len(list_pairs(options.pairs, systems))

    def seconds_per_trial(self, seconds: float) -> float:
        return 5 + 4 * seconds

    def list_heard_pairs(self, material: Material, options: PairOptionsT) -> list[tuple[str, str]]:
        """The pairs of which the session hears both systems, in a stable order."""
        pairs = list_pairs(options.pairs, material.tested_systems)
        return [pair for pair in pairs if pair[0] in material.systems and pair[1] in material.systems]

    def simulate_choice(self, ear: Ear, signals: Sequence[Signal], options: PairOptionsT) -> int | None:
        places = {signal.role: place for place, signal in enumerate(signals)}
        if ear.careless:
            return ear.draw.choice([places["A"], places["B"]])
        chosen = self.choose(ear, {signal.role: signal.system for signal in signals}, options)
        return places[chosen] if chosen else None

    def choose(self, ear: Ear, systems: Mapping[str, str], options: PairOptionsT) -> str:
        """The role that a careful simulated listener chooses, given systems by role; empty for none."""
        raise NotImplementedError
