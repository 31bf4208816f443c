"""What a method of listening test is: everything that the rest of Earshot asks of one.

A method is one class in a file of its own in this folder, ``<slug>.py``; `listening.methods.METHODS` finds
it. The page of its trials is a template, which may be that of another method, and an ES module,
``static/js/methods/<slug>.js``. Nothing else names a method: the other rooms ask for the properties and hooks
below. The words of a scale are those of its Recommendation; listeners read them in the study's language.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from evaluation.columns import BadColumn, parse
from evaluation.refusals import Refusal
from listening.methods.options import MethodOptions, stored_options

#: The system that is the unprocessed recording.
REFERENCE = "original"
#: What scripts and events call the open reference; every other signal goes by its key.
OPEN_REFERENCE = "reference"
#: The answer that chooses neither of two.
NO_PREFERENCE = "none"

Words = str | Promise
OptionsT = TypeVar("OptionsT", bound=MethodOptions)


class OptionProblem(Refusal):
    """An option that a method does not have, or a value that it cannot have."""


class GradeProblem(Refusal):
    """A grade that is none, or grades that cannot be together; listeners meet it."""


class Signal(NamedTuple):
    """A signal of a trial: the system, and the part that it plays where the method gives it one."""

    system: str
    role: str = ""


@dataclass(frozen=True)
class Material:
    """What there is to present of an item in a session.

    Attributes:
        systems: of the item's stimuli that the session hears, the original first, then by slug.
        draw: where all chance comes from, so that a session can be drawn again.
        turn: how many sessions of the same block were drawn before.
        training: whether the item is the training's.
        position: of the item in the study.
    """

    systems: Sequence[str]
    draw: random.Random
    turn: int = 0
    training: bool = False
    position: int = 0

    @property
    def tested(self) -> list[str]:
        return [slug for slug in self.systems if slug != REFERENCE]

    def is_turned(self, index: int) -> bool:
        """Whether the `index`-th pair of this item stands the other way round in this session.

        Half of a session's pairs do, and each pair does in every other session.
        """
        return bool((self.position + index + self.turn) % 2)


def clip_points(points: float) -> int:
    """The whole number of points from 0 to 100 that is nearest."""
    return round(min(100.0, max(0.0, points)))


class Ear(Protocol):
    """A simulated listener, as methods know one.

    Attributes:
        draw: where the listener's chance comes from.
        use: of the scale; 1 is what an ideal listener makes of it.
        careless: whether the listener answers at random.
        spread: standard deviation of what is heard around what is there, points.
    """

    draw: random.Random
    use: float
    careless: bool

    @property
    def spread(self) -> float: ...

    def grade_alone(self, system: str) -> int:
        """The points, 0 to 100, of a signal graded by itself."""

    def quality(self, system: str) -> float:
        """What the system is worth on the trial's item, points, the same for all listeners."""

    def hear(self, system: str) -> float:
        """What the system seems to be worth at this moment beside others, points."""


class Method(Generic[OptionsT]):
    """A way to ask listeners. As it stands here, a trial presents one recording, which is graded by itself.

    Attributes:
        slug: as `Study.method` keeps it.
        title: for people.
        source: the publication that defines it.
        place: in lists of methods, lowest first.
        presents: what a trial is, in a sentence for the researcher.
        task: what a listener does in a trial, for the page's help.
        question: to the listener, in every trial.
        Options: the model of what a study may decide about it.

        always: systems whose stimuli every item has, whatever is under test.
        max_signals: in one trial, without the open reference.
        max_systems: under test in one study; where they stand side by side, in one trial.
        side_by_side: whether one trial has all systems of an item, which a design then shares out in blocks
            and in balanced orders.
        stays_with_item: whether all trials of an item follow each other; else all trials are mixed.
        open_reference: whether listeners hear the original and know that it is the original.
        signals: of a trial's page in the order in which they stand or play: the role (`OPEN_REFERENCE` for
            the open reference) and what the listener calls it. Empty where they are numbered.
        answers: what is said by choosing the signal of a role; empty where listeners grade.

        lowest, highest, step: of the grading scale; None where listeners choose instead of grading.
        words: of the scale, from the best down: the grade each stands at (or, of a band, begins at).
        compares: whether one grade says how the ``second`` signal compares with the ``first``, of which one
            is the original; it is kept with the stimulus of the system.
        hides_reference: whether each trial has two graded signals, of which one is the original.

        analysis: which part of `listening.results` shows the grades; empty for none.
        mean_name: what the mean of the grades is called.
        axis_words: of figures, and at which grade each stands; empty takes the words of both ends.
        has_checklist: whether `listening.study.compliance` knows the Recommendation's requirements.

        template: of a trial's page.
        webmushra: the types of webMUSHRA's pages that are this method.
        also_holds: types of webMUSHRA's pages of other methods whose results may be kept as this one, too.
        webmushra_options: options of a study that is made of such pages.
    """

    slug: str
    title: str
    source: str
    place: int = 100
    presents: str = ""
    task: Words = ""
    question: Words = ""
    Options: type[OptionsT] = MethodOptions  # type: ignore[assignment]  # of those that do not say

    always: tuple[str, ...] = (REFERENCE,)
    max_signals: int = 1
    max_systems: int = 30
    side_by_side: bool = False
    stays_with_item: bool = False
    open_reference: bool = False
    signals: tuple[tuple[str, Words], ...] = (("", gettext_lazy("Recording")),)
    answers: Mapping[str, Words] = {}

    lowest: float | None = None
    highest: float | None = None
    step: float | None = None
    words: tuple[tuple[float, Words], ...] = ()
    compares: bool = False
    hides_reference: bool = False

    analysis: str = ""
    mean_name: str = "Mean"
    axis_words: tuple[tuple[float, str], ...] = ()
    has_checklist: bool = False

    template: str = "listening/methods/opinion.html"
    webmushra: tuple[str, ...] = ()
    also_holds: tuple[str, ...] = ()
    webmushra_options: Mapping[str, Any] | None = None

    @property
    def graded(self) -> bool:
        """Whether listeners grade; else they choose."""
        return self.step is not None

    @property
    def roles(self) -> tuple[str, ...]:
        """The parts that signals of a trial play, in alphabetical order."""
        return tuple(sorted(role for role, _ in self.signals if role and role != OPEN_REFERENCE))

    @property
    def script(self) -> str:
        """Static path of the ES module of a trial's page."""
        return f"js/methods/{self.slug}.js"

    @property
    def holds_tables(self) -> bool:
        """Whether a table with a grade for each listener, item and system can be kept as this method."""
        return self.graded and not self.hides_reference

    # -- Options

    @property
    def defaults(self) -> dict[str, Any]:
        return self.Options.defaults()

    def read_options(self, options: Mapping[str, Any] | MethodOptions | None) -> OptionsT:
        """Of a study as it stored them; what is not said is the default. Raises `BadColumn` for others."""
        if isinstance(options, self.Options):
            return options
        return parse(self.Options, stored_options(options), "method_options")

    def clean_options(
        self, options: Mapping[str, Any] | MethodOptions | None, systems: Sequence[str]
    ) -> OptionsT:
        """Options that somebody sent, complete and checked against the systems under test.

        Raises:
            OptionProblem: an option that the method does not have, or a value that it cannot have.
        """
        given, usual = stored_options(options), self.Options.defaults()
        if unknown := sorted(set(given) - set(usual)):
            raise OptionProblem(
                _("%(method)s has no option %(unknown)r."), method=self.title, unknown=unknown[0]
            )
        try:
            return parse(self.Options, {**usual, **given}, "method_options")
        except BadColumn as error:
            raise OptionProblem(str(error), fields=error.fields) from None

    def train_options(self, options: OptionsT) -> OptionsT:
        """As a training asks."""
        return options

    # -- What is presented

    def present(self, material: Material, options: OptionsT) -> list[list[Signal]]:
        """The trials of an item, each with its signals: here one for each stimulus."""
        return [[Signal(slug)] for slug in material.systems]

    def trials_per_item(self, options: OptionsT, systems: Sequence[str]) -> int:
        """How many trials an item makes in a session that hears all of `systems` (those under test)."""
        return self._count_tested(systems) + 1

    def seconds_per_trial(self, seconds: float) -> float:
        """How long a listener takes for a trial of an item that lasts so many seconds: a guess.

        Signals that play to their end are heard once, a third of them again.
        """
        return 4 + 1.3 * seconds

    def seconds_per_item(self, options: OptionsT, systems: Sequence[str], seconds: float) -> float:
        """How long a listener takes for all trials of an item that lasts so many seconds: a guess."""
        return self.trials_per_item(options, systems) * self.seconds_per_trial(seconds)

    def _count_tested(self, systems: Sequence[str]) -> int:
        return len([slug for slug in systems if slug not in self.always])

    # -- What listeners answer

    def takes_grade(self, role: str) -> bool:
        """Whether the signal of this role is graded."""
        return self.graded

    def clean_grade(self, grade: object) -> float:
        """`grade`, if it is one of the scale's steps; JSON's true and "1" are none.

        Raises:
            GradeProblem: it is none.
        """
        if self.step is None or self.lowest is None or self.highest is None:
            raise GradeProblem(_("Nothing is graded in this test."))
        whole = self.step.is_integer()
        fit = isinstance(grade, int if whole else int | float) and not isinstance(grade, bool)
        if fit and self.lowest <= grade <= self.highest:  # type: ignore[operator]
            steps = float(grade) / self.step  # type: ignore[arg-type]
            if math.isclose(steps, round(steps), abs_tol=1e-6):
                return round(steps * self.step, 1)
        if whole:
            raise GradeProblem(
                _("The grade must be a whole number from %(low)s to %(high)s."),
                low=f"{self.lowest:g}",
                high=f"{self.highest:g}",
            )
        raise GradeProblem(
            _("The grade must be a number from %(low)s to %(high)s with one decimal."),
            low=f"{self.lowest:.1f}",
            high=f"{self.highest:.1f}",
        )

    def check_grades(self, grades: Collection[float]) -> None:
        """Check the grades of a trial, none of which is missing.

        Raises:
            GradeProblem: they cannot be.
        """

    def offers_no_preference(self, options: OptionsT) -> bool:
        """Whether `NO_PREFERENCE` is an answer."""
        return False

    # -- What simulated listeners answer

    def simulate_grades(self, ear: Ear, signals: Sequence[Signal]) -> dict[int, float]:
        """Grades by the place of their signal in the trial: here each is graded by itself."""
        return {
            place: self._grade_of(ear.grade_alone(signal.system))
            for place, signal in enumerate(signals)
            if self.takes_grade(signal.role)
        }

    def _grade_of(self, points: float) -> float:
        """Of 0 to 100 points: the step of the scale that is nearest."""
        if self.lowest is None or self.highest is None or self.step is None:
            raise TypeError(f"Nothing is graded in {self.title}.")
        steps = round((self.lowest + (self.highest - self.lowest) * points / 100) / self.step)
        return steps * int(self.step) if self.step.is_integer() else round(steps * self.step, 1)

    def simulate_choice(self, ear: Ear, signals: Sequence[Signal], options: OptionsT) -> int | None:
        """The place of the signal that is chosen; None for no preference."""
        raise NotImplementedError
