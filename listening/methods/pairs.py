"""What methods share that let a listener choose one of two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ValidationInfo

from listening.methods.base import REFERENCE, Ear, Material, Method, Signal, Words
from listening.methods.options import MethodOptions, Shown

#: Which pairs of systems a study asks about; a list of ``[slug, slug]`` names them.
PAIRS = {
    "reference": "each system with the original",
    "systems": "every two systems under test",
    "all": "every two, the original among them",
}
MAX_PAIRS = 100

NamedPairs = Literal["reference", "systems", "all"]


def list_pairs(
    pairs: NamedPairs | Sequence[tuple[str, str]], systems: Sequence[str]
) -> list[tuple[str, str]]:
    """The unordered pairs that an option ``pairs`` means, the original first where it is one."""
    tested = [slug for slug in systems if slug != REFERENCE]
    if pairs == "reference":
        return [(REFERENCE, slug) for slug in tested]
    if pairs == "systems":
        return list(combinations(tested, 2))
    if pairs == "all":
        return list(combinations([REFERENCE, *tested], 2))
    return [(pair[0], pair[1]) for pair in pairs]


def _check_pairs(value: object, info: ValidationInfo) -> object:
    """Where the context has the systems under test, pairs are of these."""
    if isinstance(value, str) and value in PAIRS:
        return value
    if not isinstance(value, list) or not 0 < len(value) <= MAX_PAIRS:
        raise ValueError(
            f"The pairs must be one of {', '.join(PAIRS)}, or a list of up to {MAX_PAIRS} pairs."
        )
    systems = (info.context or {}).get("systems")
    seen = set()
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError("A pair must be two different systems.")
        for slug in pair:
            known = isinstance(slug, str) and (systems is None or slug == REFERENCE or slug in systems)
            if not known:
                raise ValueError(f"The pairs name {slug!r}, which is not in the study.")
        if frozenset(pair) in seen:
            raise ValueError(f"The pair {pair[0]}, {pair[1]} is there twice.")
        seen.add(frozenset(pair))
    return value


#: A key of `PAIRS`, or the pairs themselves.
Pairs = Annotated[
    NamedPairs | list[tuple[str, str]],
    BeforeValidator(_check_pairs),
    Shown("Pairs", choices=PAIRS),
]


class PairOptions(MethodOptions):
    """``pairs``: a key of `PAIRS`, or a list of up to `MAX_PAIRS` pairs of slugs."""

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
        if not list_pairs(cleaned.pairs, systems) and "pairs" not in cleaned.model_fields_set:
            cleaned = cleaned.model_copy(update={"pairs": "reference"})  # of one system alone
        if not list_pairs(cleaned.pairs, systems):
            raise ValueError("Paired with each other, the systems need to be two or more.")
        return cleaned

    def trials_per_item(self, options: PairOptionsT, systems: Sequence[str]) -> int:
        return len(list_pairs(options.pairs, systems))

    def seconds_per_trial(self, seconds: float) -> float:
        return 5 + 4 * seconds

    def pairs_heard(self, material: Material, options: PairOptionsT) -> list[tuple[str, str]]:
        """The pairs of the study whose systems are both in the session, in a stable order."""
        pairs = list_pairs(options.pairs, material.tested)
        return [pair for pair in pairs if pair[0] in material.systems and pair[1] in material.systems]

    def simulate_choice(self, ear: Ear, signals: Sequence[Signal], options: PairOptionsT) -> int | None:
        places = {signal.role: place for place, signal in enumerate(signals)}
        if ear.careless:
            return ear.draw.choice([places["A"], places["B"]])
        chosen = self.choose(ear, {signal.role: signal.system for signal in signals}, options)
        return places[chosen] if chosen else None

    def choose(self, ear: Ear, systems: Mapping[str, str], options: PairOptionsT) -> str:
        """The role that a careful simulated listener chooses, of systems by role; empty for none."""
        raise NotImplementedError
