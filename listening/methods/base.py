"""The base class of listening-test methods: everything that the rest of Earshot needs from one.

A method is one class in a file of its own in this folder, ``<slug>.py``; `listening.methods.METHODS` finds
it. The page of its trials is a template, which methods may share, and an ES module,
``static/js/methods/<slug>.js``. No other code names a method: it uses the properties and hooks below. The
words of a scale are those of its Recommendation; listeners read them in the study's language.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from evaluation.analysis.words import plain
from evaluation.columns import BadColumn, JsonObject, parse
from evaluation.refusals import Refusal
from listening.methods.options import MethodOptions, stored_options

#: The slug of the unprocessed recording.
REFERENCE = "original"
#: The name of the open reference in scripts and events; every other signal is named by its key.
OPEN_REFERENCE = "reference"
#: The answer "no preference".
NO_PREFERENCE = "none"

Words = str | Promise
#: One of a method's `points`, where the page can do more than is said beforehand.
HELP_POINT = gettext_lazy("The help button lists the keys and everything else that the page can do.")
OptionsT = TypeVar("OptionsT", bound=MethodOptions)


class OptionProblem(Refusal):
    """An option that the method does not have, or an invalid value of an option."""


class GradeProblem(Refusal):
    """An invalid grade or combination of grades; the message is shown to listeners."""


class Signal(NamedTuple):
    """A signal of a trial: its system, and its role if the method assigns one."""

    system: str
    role: str = ""


@dataclass(frozen=True)
class Material:
    """What a session can present of an item.

    Attributes:
        systems: slugs of the item's stimuli in the session, the original first, then sorted.
        draw: the only source of randomness, so that a session is reproducible.
        turn: number of earlier sessions of the same block.
        training: whether the item is a training item.
        position: position of the item in the study.
    """

    systems: Sequence[str]
    draw: random.Random
    turn: int = 0
    training: bool = False
    position: int = 0

    @property
    def tested_systems(self) -> list[str]:
        return [slug for slug in self.systems if slug != REFERENCE]

    def is_turned(self, index: int) -> bool:
        """Whether the `index`-th pair of this item is reversed in this session.

        Half of the pairs of a session are, and each pair is in every other session.
        """
        return bool((self.position + index + self.turn) % 2)


def clip_points(points: float) -> int:
    """Round `points` to a whole number and clip it to 0 to 100."""
    return round(min(100.0, max(0.0, points)))


class Ear(Protocol):
    """The interface of a simulated listener.

    Attributes:
        draw: the listener's source of randomness.
        use: how much of the scale the listener uses; 1 for an ideal listener.
        careless: whether the listener answers at random.
        spread: standard deviation of perceived around true quality, points.
    """

    draw: random.Random
    use: float
    careless: bool

    @property
    def spread(self) -> float: ...

    def grade_alone(self, system: str) -> int:
        """The grade, 0 to 100 points, of a signal presented alone."""

    def quality(self, system: str) -> float:
        """The system's true quality on the trial's item, points; the same for all listeners."""

    def hear(self, system: str) -> float:
        """The system's quality as perceived now in comparison with others, points."""


class Method(Generic[OptionsT]):
    """A method of listening test. By default a trial presents one recording, which is graded alone.

    Attributes:
        slug: its name in `Study.method`: the name of its file, unless the class sets another.
        title: its name for display.
        source: the publication that defines it.
        place: sort key in lists of methods, lowest first.
        presents: a sentence that describes a trial to the researcher.
        places: a sentence on which signal has which place in a trial, where `presents` does not say it.
        invitation: the first sentence that a listener reads: what the test asks for.
        has_right_answers: whether a trial has an answer that is right whatever one prefers.
        task: the listener's task, for the page's help.
        points: what the listener should know before the first trial, one sentence each.
        question: the question that every trial asks the listener.
        Options: the model of its options.

        always: systems whose stimuli every item has in addition to those under test.
        max_signals: maximum number of signals in a trial, without the open reference.
        max_systems: maximum number of systems under test in a study; for side-by-side methods, in a trial.
        side_by_side: whether a trial has all systems of an item, which a design divides into blocks and
            presents in balanced orders.
        stays_with_item: whether all trials of an item follow each other; otherwise all trials are mixed.
        open_reference: whether listeners hear the original and know that it is the original.
        signals: signals of a trial's page in order of display or playback: the role (`OPEN_REFERENCE` for
            the open reference) and its label for listeners. Empty if signals are numbered.
        answers: by role, the answer that choosing its signal means; empty if listeners grade.

        lowest, highest, step: the grading scale; None if listeners choose instead of grading.
        words: labels of the scale, best first, with the grade of each (for a band, its lower end).
        compares: whether a grade compares the ``second`` signal with the ``first``, one of which is the
            original; it is stored with the stimulus of the system.
        hides_reference: whether each trial has two graded signals, one of which is the original.

        analysis: the part of `listening.results` that shows the grades; empty for none.
        mean_name: name of the mean of the grades.
        axis_words: labels of figure axes, with the grade of each; empty: the labels of both ends.
        has_checklist: whether `listening.study.compliance` knows the Recommendation's requirements.

        template: template of a trial's page.
        webmushra: the webMUSHRA page types that correspond to this method.
        also_holds: webMUSHRA page types of other methods whose results can be imported as this one.
        webmushra_options: options of a study created from these pages.
    """

    slug: str
    title: str
    source: str
    place: int = 100
    presents: str = ""
    places: str = ""
    invitation: Words = gettext_lazy(
        "You are invited to a listening test: you will hear short recordings and say how good each of them "
        "sounds."
    )
    has_right_answers: bool = False
    task: Words = ""
    points: tuple[Words, ...] = ()
    question: Words = ""
    Options: type[OptionsT] = MethodOptions  # type: ignore[assignment]  # the default for methods without options

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

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "title" in vars(cls) and "slug" not in vars(cls):
            cls.slug = cls.__module__.rpartition(".")[2]

    @property
    def takes_grades(self) -> bool:
        """Whether listeners grade; otherwise they choose."""
        return self.step is not None

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of a trial's signals, sorted."""
        return tuple(sorted(role for role, _ in self.signals if role and role != OPEN_REFERENCE))

    @property
    def script(self) -> str:
        """Static path of the ES module of a trial's page."""
        return f"js/methods/{self.slug}.js"

    @property
    def holds_tables(self) -> bool:
        """Whether a table with a grade for each listener, item and system can be imported as this method."""
        return self.takes_grades and not self.hides_reference

    # -- Options

    @property
    def defaults(self) -> JsonObject:
        return self.Options.defaults()

    def read_options(self, options: Mapping[str, Any] | MethodOptions | None) -> OptionsT:
        """Parse a study's stored options and fill in defaults. Raises `BadColumn` if they are invalid."""
        if isinstance(options, self.Options):
            return options
        return parse(self.Options, stored_options(options), "method_options")

    def clean_options(
        self, options: Mapping[str, Any] | MethodOptions | None, systems: Sequence[str]
    ) -> OptionsT:
        """Check submitted options against the systems under test and fill in defaults.

        Raises:
            OptionProblem: an unknown option or an invalid value.
        """
        given, usual = stored_options(options), self.Options.defaults()
        if unknown := sorted(set(given) - set(usual)):
            raise OptionProblem.of_field(
                f"method_options.{unknown[0]}",
                _("%(method)s has no option %(unknown)r."),
                method=self.title,
                unknown=unknown[0],
            )
        try:
            return parse(self.Options, {**usual, **given}, "method_options")
        except BadColumn as error:
            raise OptionProblem(str(error), fields=error.fields) from None

    def train_options(self, options: OptionsT) -> OptionsT:
        """The options of training trials."""
        return options

    # -- What is presented

    def present(self, material: Material, options: OptionsT) -> list[list[Signal]]:
        """The trials of an item, each with its signals; by default one trial for each stimulus."""
        return [[Signal(slug)] for slug in material.systems]

    def trials_per_item(self, options: OptionsT, systems: Sequence[str]) -> int:
        """The number of trials of an item in a session that hears all of `systems`, those under test."""
        return self._count_tested(systems) + 1

    def seconds_per_trial(self, seconds: float) -> float:
        """The estimated duration, in seconds, of a trial of an item that lasts `seconds`.

        Assumes that signals that play to their end are heard once, and a third of them twice.
        """
        return 4 + 1.3 * seconds

    def seconds_per_item(self, options: OptionsT, systems: Sequence[str], seconds: float) -> float:
        """The estimated duration, in seconds, of all trials of an item that lasts `seconds`."""
        return self.trials_per_item(options, systems) * self.seconds_per_trial(seconds)

    def _count_tested(self, systems: Sequence[str]) -> int:
        return len([slug for slug in systems if slug not in self.always])

    # -- What listeners answer

    def takes_grade(self, role: str) -> bool:
        """Whether the signal of this role is graded."""
        return self.takes_grades

    def clean_grade(self, grade: object) -> float:
        """Return `grade` if it is a step of the scale; JSON's true and "1" are not.

        Raises:
            GradeProblem: it is not a step of the scale.
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
                low=plain(self.lowest),
                high=plain(self.highest),
            )
        raise GradeProblem(
            _("The grade must be a number from %(low)s to %(high)s with one decimal."),
            low=number_format(self.lowest, 1),
            high=number_format(self.highest, 1),
        )

    def check_grades(self, grades: Collection[float]) -> None:
        """Check the complete grades of a trial.

        Raises:
            GradeProblem: the method does not allow this combination.
        """

    def offers_no_preference(self, options: OptionsT) -> bool:
        """Whether `NO_PREFERENCE` is an answer."""
        return False

    # -- What simulated listeners answer

    def simulate_grades(self, ear: Ear, signals: Sequence[Signal]) -> dict[int, float]:
        """Simulated grades by index of the signal in the trial; by default each is graded alone."""
        return {
            place: self._nearest_grade(ear.grade_alone(signal.system))
            for place, signal in enumerate(signals)
            if self.takes_grade(signal.role)
        }

    def _nearest_grade(self, points: float) -> float:
        """The step of the scale that is nearest to `points`, 0 to 100."""
        if self.lowest is None or self.highest is None or self.step is None:
            raise TypeError(f"Nothing is graded in {self.title}.")
        steps = round((self.lowest + (self.highest - self.lowest) * points / 100) / self.step)
        return steps * int(self.step) if self.step.is_integer() else round(steps * self.step, 1)

    def simulate_choice(self, ear: Ear, signals: Sequence[Signal], options: OptionsT) -> int | None:
        """The index of the signal that is chosen; None for no preference."""
        raise NotImplementedError
