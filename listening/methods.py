"""Methods of listening tests: what is presented, on which scale it is graded, what a trial has to have.

The words of a scale are those of its Recommendation; listeners read them in the study's language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Refusal

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
        defaults: of the options (see `clean_options`).
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
    defaults: Mapping[str, Any] = field(default_factory=dict)
    max_systems: int = 30

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
    defaults={"hidden_reference": True, "plays": "free"},
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
    defaults={"plays": "free"},
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
    defaults={"plays": "free"},
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
    defaults={"pairs": "reference", "trials": 10},
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
    defaults={"pairs": "systems", "no_preference": False},
)

METHODS = {method.slug: method for method in (MUSHRA, BS1116, ACR, DCR, CCR, ABX, AB)}


def clean_options(
    method: Method, options: Mapping[str, Any] | None, systems: Sequence[str]
) -> dict[str, Any]:
    """The options of a study, complete: what is not said is the method's default.

    ``pairs`` (ABX, AB): a key of `PAIRS`, or a list of pairs of slugs; ``trials`` (ABX): for each item and
    pair, 1 to 50; ``no_preference`` (AB): whether that is an answer; ``hidden_reference`` (ACR): whether the
    original is graded, too; ``plays`` (ACR, DCR, CCR): a key of `PLAYS`.

    Raises:
        OptionProblem: an option that the method does not have, or a value that it cannot have.
    """
    given = dict(options or {})
    unknown = sorted(set(given) - set(method.defaults))
    if unknown:
        raise OptionProblem(
            _("%(method)s has no option %(unknown)r."), method=method.title, unknown=unknown[0]
        )
    cleaned = {**method.defaults, **given}
    if "pairs" in cleaned and "pairs" not in given and not pairs_of(cleaned["pairs"], systems):
        cleaned["pairs"] = "reference"  # of one system alone
    for name, value in cleaned.items():
        _CHECKS[name](value, systems)
    if "pairs" in cleaned and not pairs_of(cleaned["pairs"], systems):
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


def trials_per_item(method: Method, options: Mapping[str, Any], systems: Sequence[str]) -> int:
    """How many trials an item makes in a session that hears all of `systems` (those under test)."""
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
    return len(pairs_of(options["pairs"], systems)) * options.get("trials", 1)


def seconds_per_item(
    method: Method, options: Mapping[str, Any], systems: Sequence[str], seconds: float
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


def _one_of(known: Mapping[str, str], what: str) -> Callable[[object, Sequence[str]], None]:
    def check(value: object, systems: Sequence[str]) -> None:
        if not isinstance(value, str) or value not in known:
            raise OptionProblem(_("%(what)s must be one of %(known)s."), what=what, known=", ".join(known))

    return check


def _flag(value: object, systems: Sequence[str]) -> None:
    if not isinstance(value, bool):
        raise OptionProblem(_("Say true or false."))


def _trials(value: object, systems: Sequence[str]) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_ABX_TRIALS:
        raise OptionProblem(
            _("The trials of a pair must be a whole number from 1 to %(max_abx_trials)s."),
            max_abx_trials=MAX_ABX_TRIALS,
        )


def _pairs(value: object, systems: Sequence[str]) -> None:
    if isinstance(value, str) and value in PAIRS:
        return
    if not isinstance(value, list) or not 0 < len(value) <= MAX_PAIRS:
        raise OptionProblem(
            _("The pairs must be one of %(pairs)s, or a list of up to %(max_pairs)s pairs."),
            pairs=", ".join(PAIRS),
            max_pairs=MAX_PAIRS,
        )
    seen = set()
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise OptionProblem(_("A pair must be two different systems."))
        for slug in pair:
            if slug != REFERENCE and slug not in systems:
                raise OptionProblem(_("The pairs name %(slug)r, which is not in the study."), slug=slug)
        if frozenset(pair) in seen:
            raise OptionProblem(
                _("The pair %(pair)s, %(pair_2)s is there twice."), pair=pair[0], pair_2=pair[1]
            )
        seen.add(frozenset(pair))


_CHECKS: dict[str, Callable[[object, Sequence[str]], None]] = {
    "pairs": _pairs,
    "trials": _trials,
    "no_preference": _flag,
    "hidden_reference": _flag,
    "plays": _one_of(PLAYS, "How often a recording plays"),
}
