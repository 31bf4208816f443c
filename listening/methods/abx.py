"""ABX: which of two systems is X?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import Field

from evaluation.columns import Whole
from listening.methods.base import HELP_POINT, Ear, Material, Signal
from listening.methods.options import Control
from listening.methods.pairs import PairMethod, PairOptions, Pairs

MAX_TRIALS = 50


class AbxOptions(PairOptions):
    pairs: Pairs = "reference"
    trials: Annotated[
        int,
        Whole(1, MAX_TRIALS),
        Control(
            "Trials per pair and item",
            "Fewer than 5 trials cannot show anything: even a perfect score is likely by chance. "
            "23 trials detect a listener who is right three times out of four with 80 % power.",
            limits=(1, MAX_TRIALS),
        ),
    ] = Field(default=10, description="number of trials per item and pair")


class Abx(PairMethod[AbxOptions]):
    title = "ABX"
    source = "Clark (1982), Munson and Gardner (1950)"
    place = 60
    presents = "Two systems as A and B, and X, which is one of them; a pair's trials follow each other."
    places = (
        "Over the trials of a pair X is each of the two equally often, or once more where their number is "
        "odd; which of the two is A is drawn in each trial."
    )
    invitation = _(
        "You are invited to a listening test: you will hear short recordings and say which of two versions a "
        "third one is."
    )
    has_right_answers = True
    task = _(
        "A and B are two versions of a recording, and X is one of them again. Listen to all three, as often "
        "as you like, and say which one X is. If you hear no difference, guess."
    )
    points = (
        _("The same pair comes several times, and each time X is chosen anew by chance."),
        HELP_POINT,
    )
    question = _("Is X the same as A or the same as B?")
    Options = AbxOptions

    max_signals = 3
    stays_with_item = True
    signals = (("A", "A"), ("X", "X"), ("B", "B"))
    answers = {"A": _("X is the same as A"), "B": _("X is the same as B")}

    analysis = "discrimination"
    webmushra_options = {"pairs": "reference", "trials": 1}

    def train_options(self, options: AbxOptions) -> AbxOptions:
        """The training has one trial for each pair."""
        return options.model_copy(update={"trials": 1})

    def present(self, material: Material, options: AbxOptions) -> list[list[Signal]]:
        """The given number of trials for each pair, one pair after the other.

        Over a pair's trials X is each of the two systems equally often. Which of them is A is drawn
        independently in each trial: only then does a guess succeed with probability 1/2 whatever was
        guessed before, as the exact binomial test assumes.
        """
        draw, trials = material.draw, []
        pairs = self.list_heard_pairs(material, options)
        draw.shuffle(pairs)
        count = (self.train_options(options) if material.training else options).trials
        for pair in pairs:
            unknown = [*pair] * (count // 2) + ([draw.choice(pair)] if count % 2 else [])
            draw.shuffle(unknown)
            for x in unknown:
                first, second = pair if draw.random() < 0.5 else pair[::-1]
                trials.append([Signal(first, "A"), Signal(second, "B"), Signal(x, "X")])
        return trials

    def trials_per_item(self, options: AbxOptions, systems: Sequence[str]) -> int:
        return super().trials_per_item(options, systems) * options.trials

    def choose(self, ear: Ear, systems: Mapping[str, str], options: AbxOptions) -> str:
        """Choose whichever of A and B is nearer to X as perceived now."""
        x = ear.hear(systems["X"])
        far_a, far_b = (abs(x - ear.quality(systems[role])) for role in ("A", "B"))
        if far_a == far_b:
            return ear.draw.choice(["A", "B"])
        return "A" if far_a < far_b else "B"
