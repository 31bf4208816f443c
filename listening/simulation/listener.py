"""What a simulated listener answers in a trial, by the method of the study.

A listener thinks of each signal as a point from 0 to 100. Graded methods put that on their scale; where
signals are compared, the comparison is between what is thought of them at that moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from listening.methods import METHODS, REFERENCE
from listening.models import Study, Trial
from listening.session.choices import NO_PREFERENCE, save_choice
from listening.session.grading import IMPERCEPTIBLE, asked
from listening.session.ratings import save_rating

#: Points of a difference that is "much better" in CCR.
MUCH = 50.0


class Listener:
    """Somebody with an offset, a use of the scale, and a share of carelessness.

    Args:
        study: with what its listeners are made of in ``simulation``.
        number: of the listener, from 0.
    """

    def __init__(self, study: Study, number: int) -> None:
        made_of = study.simulation
        self.made_of, self.study = made_of, study
        self.draw = random.Random(f"{study.seed}/{made_of.seed}/{number}")  # noqa: S311 -- to be the same again
        self.bias = self.draw.gauss(0, made_of.bias)
        self.use = max(0.1, self.draw.gauss(1, made_of.use))
        self.careless = self.draw.random() < made_of.careless

    def answer(self, trial: Trial, systems: Mapping[int, str]) -> None:
        """Grade or choose in `trial`, through the services that a browser uses.

        Args:
            trial: whose turn it is.
            systems: slugs by stimulus id.
        """
        heard = {entry["key"]: systems[entry["stimulus"]] for entry in trial.order}
        method = self.study.method
        if not METHODS[method].graded:
            save_choice(trial, self._choice(trial, heard), 1)
            return
        grades = _TOGETHER[method](self, trial, heard) if method in _TOGETHER else {}
        for entry in asked(trial):
            key = entry["key"]
            score = grades[key] if key in grades else self._grade(trial, heard[key])
            save_rating(trial, key, score, 1)

    def _grade(self, trial: Trial, system: str) -> int:
        """Of one signal by itself: MUSHRA on its own scale, ACR and DCR on theirs."""
        points = self._points(trial, system)
        if self.study.method == "mushra":
            return points
        return round(1 + 4 * points / 100)

    def _points(self, trial: Trial, system: str) -> int:
        if self.careless:
            return _on_scale(self.draw.gauss(55, 22))
        if system == REFERENCE:
            # Found by most, most of the time: what is left is a slip by a few points.
            return 100 if self.draw.random() < 0.85 else _on_scale(self.draw.gauss(94, 4))
        thought = 50 + self.use * (self._quality(trial, system) - 50) + self.bias
        return _on_scale(self.draw.gauss(thought, self.made_of.spread))

    def _quality(self, trial: Trial, system: str) -> float:
        """What the system is worth on the trial's item, the same for all listeners."""
        if system == REFERENCE:
            return 100.0
        key = f"{self.study.seed}/{self.made_of.seed}/{trial.item.position}/{system}"
        effect = random.Random(key).gauss(0, self.made_of.items)  # noqa: S311
        return self.made_of.qualities.get(system, 50.0) + effect

    def _heard(self, trial: Trial, system: str) -> float:
        """What the system seems to be worth at this moment, beside others: no offset, they share it."""
        return self.draw.gauss(self._quality(trial, system), self.made_of.spread)

    def _impairment(self, trial: Trial, heard: Mapping[str, str]) -> dict[str, float]:
        """BS.1116: what seems better is taken for the reference."""
        seems = {key: self._heard(trial, system) for key, system in heard.items()}
        if self.careless:
            seems = {key: self.draw.uniform(0, 100) for key in heard}
        best = max(seems, key=lambda key: seems[key])
        return {
            key: IMPERCEPTIBLE if key == best else min(4.9, round(1 + 4 * _on_scale(points) / 100, 1))
            for key, points in seems.items()
        }

    def _comparison(self, trial: Trial, heard: Mapping[str, str]) -> dict[str, int]:
        """CCR: how the second compares with the first."""
        first, second = (
            next(entry["key"] for entry in trial.order if entry["role"] == role)
            for role in ("first", "second")
        )
        points = self._quality(trial, heard[second]) - self._quality(trial, heard[first])
        points = self.draw.gauss(self.use * points, self.made_of.spread)
        if self.careless:
            points = self.draw.uniform(-MUCH, MUCH)
        return {second: max(-3, min(3, round(3 * points / MUCH)))}

    def _choice(self, trial: Trial, heard: Mapping[str, str]) -> str:
        """ABX: which of A and B the X of this moment is nearer to. Preference: which seems better."""
        keys = {entry["role"]: entry["key"] for entry in trial.order}
        a, b = keys["A"], keys["B"]
        if self.careless:
            return str(self.draw.choice([a, b]))
        if "X" in keys:
            x = self._heard(trial, heard[keys["X"]])
            far_a, far_b = (abs(x - self._quality(trial, heard[key])) for key in (a, b))
            return str(self.draw.choice([a, b]) if far_a == far_b else a if far_a < far_b else b)
        lead = self._heard(trial, heard[a]) - self._heard(trial, heard[b])
        if self.study.method_options.stored().get("no_preference") and abs(lead) < self.made_of.spread / 2:
            return NO_PREFERENCE
        return str(a if lead > 0 else b)


#: Methods in which the signals of a trial are graded against each other.
_TOGETHER: dict[str, Callable[[Listener, Trial, Mapping[str, str]], Mapping[str, Any]]] = {
    "bs1116": Listener._impairment,
    "ccr": Listener._comparison,
}


def _on_scale(value: float) -> int:
    return round(min(100.0, max(0.0, value)))
