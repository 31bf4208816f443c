"""A simulated listener's answers in a trial, by the study's method.

A listener perceives each signal's quality as a number from 0 to 100. Grading methods map it to their scale;
comparison methods compare the signals' perceived qualities.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from listening.methods import METHODS, NO_PREFERENCE, REFERENCE, Signal
from listening.methods.base import clip_points
from listening.models import Study, Trial
from listening.session.choices import save_choice
from listening.session.ratings import save_ratings


class Listener:
    """A simulated listener with an offset, a use of the scale, and a share of careless answers.

    Args:
        study: has the listeners' parameters in ``simulation``.
        number: number of the listener, from 0.
    """

    def __init__(self, study: Study, number: int) -> None:
        made_of = study.simulation
        self.made_of, self.study = made_of, study
        self.draw = random.Random(f"{study.seed}/{made_of.seed}/{number}")  # noqa: S311 -- to be the same again
        self.bias = self.draw.gauss(0, made_of.bias)
        self.use = max(0.1, self.draw.gauss(1, made_of.use))
        self.careless = self.draw.random() < made_of.careless

    def answer(self, trial: Trial, systems: Mapping[int, str]) -> None:
        """Grade or choose in `trial`, by the services that a browser uses.

        Args:
            trial: the current trial.
            systems: slugs by stimulus id.
        """
        method = METHODS[self.study.method]
        signals = [Signal(systems[entry["stimulus"]], entry.get("role", "")) for entry in trial.order]
        keys = [entry["key"] for entry in trial.order]
        ear = TrialEar(self, trial)
        if not method.takes_grades:
            options = self.study.method_options
            chosen = method.simulate_choice(ear, signals, options)
            save_choice(trial, NO_PREFERENCE if chosen is None else keys[chosen], 1)
            return
        grades = method.simulate_grades(ear, signals)
        save_ratings(trial, {keys[place]: grade for place, grade in grades.items()})


class TrialEar:
    """A listener's `listening.methods.Ear` in one trial."""

    def __init__(self, listener: Listener, trial: Trial) -> None:
        self._listener, self._position = listener, trial.item.position
        self.draw, self.use, self.careless = listener.draw, listener.use, listener.careless

    @property
    def spread(self) -> float:
        return self._listener.made_of.spread

    def grade_alone(self, system: str) -> int:
        if self.careless:
            return clip_points(self.draw.gauss(55, 22))
        if system == REFERENCE:
            # Most listeners recognise it most of the time; otherwise they err by a few points.
            return 100 if self.draw.random() < 0.85 else clip_points(self.draw.gauss(94, 4))
        thought = 50 + self.use * (self.quality(system) - 50) + self._listener.bias
        return clip_points(self.draw.gauss(thought, self.spread))

    def quality(self, system: str) -> float:
        if system == REFERENCE:
            return 100.0
        made_of = self._listener.made_of
        key = f"{self._listener.study.seed}/{made_of.seed}/{self._position}/{system}"
        effect = random.Random(key).gauss(0, made_of.items)  # noqa: S311 -- to be the same again
        return float(made_of.qualities.get(system, 50.0)) + effect

    def hear(self, system: str) -> float:
        """Without the offset, because systems that are compared share it."""
        return self.draw.gauss(self.quality(system), self.spread)
