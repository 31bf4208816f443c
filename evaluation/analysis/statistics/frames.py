"""Tidy frames ``assessor, item, system, score`` and the arrays that the figures are made of.

Every public function takes a frame as it comes: what cannot be used (no finite score, no name) is
left out and told in `Tidy.notes`, what makes an answer impossible is told in `Tidy.problem`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.analysis.words import count

COLUMNS = ("assessor", "item", "system", "score")

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: More cells than this are not laid out in one array (assessors x items x systems).
MAX_CELLS = 20_000_000


@dataclass(frozen=True)
class Tidy:
    """A frame as arrays of shape (ratings,), names in order of appearance.

    Attributes:
        assessors, items, systems: names; `assessor`, `item`, `system` are indices into them.
        notes: what was left out or merged, in sentences.
        problem: why nothing can be computed, "" if something can.
    """

    assessors: list[object]
    items: list[object]
    systems: list[object]
    assessor: Ints
    item: Ints
    system: Ints
    score: Floats
    notes: tuple[str, ...] = ()
    problem: str = ""

    @property
    def n(self) -> int:
        return int(self.score.size)

    @property
    def duplicated(self) -> int:
        """Ratings beyond the first of an assessor's item and system."""
        cells = (self.assessor * len(self.items) + self.item) * len(self.systems) + self.system
        size = len(self.assessors) * len(self.items) * len(self.systems)
        if size > MAX_CELLS:
            return self.n - int(np.unique(cells).size)
        graded = np.zeros(size, dtype=bool)
        graded[cells] = True
        return self.n - int(graded.sum())

    def find(self, system: object) -> int | None:
        return self.systems.index(system) if system in self.systems else None

    def only(self, systems: Collection[object]) -> Tidy:
        """The ratings of these systems alone: what `tidy` makes of a frame's rows of them, without notes."""
        if self.problem or all(name in systems for name in self.systems):
            return replace(self, notes=())
        keep = np.array([name in systems for name in self.systems])[self.system]
        if not keep.any():
            return _empty(_NOTHING)

        def pick(code: Ints, names: list[object]) -> tuple[list[object], Ints]:
            indices, found = pd.factorize(code[keep])
            return [names[place] for place in found], indices.astype(np.intp)

        assessors, assessor = pick(self.assessor, self.assessors)
        items, item = pick(self.item, self.items)
        kept, system = pick(self.system, self.systems)
        return Tidy(assessors, items, kept, assessor, item, system, self.score[keep])

    def means(self) -> Floats:
        """Each assessor's mean of each system over its ratings, (assessors, systems), NaN without any."""
        cells = self.assessor * len(self.systems) + self.system
        return _mean(cells, self.score, (len(self.assessors), len(self.systems)))

    def cube(self) -> Floats:
        """Mean of each cell, (assessors, items, systems), NaN in those without a rating.

        Raises:
            ValueError: more than `MAX_CELLS` cells.
        """
        shape = (len(self.assessors), len(self.items), len(self.systems))
        if np.prod(shape, dtype=float) > MAX_CELLS:
            raise ValueError(f"{' x '.join(map(str, shape))} cells are too many to lay out at once.")
        cells = (self.assessor * shape[1] + self.item) * shape[2] + self.system
        return _mean(cells, self.score, shape)


def _mean(cells: Ints, score: Floats, shape: tuple[int, ...]) -> Floats:
    size = int(np.prod(shape))
    counts = np.bincount(cells, minlength=size)
    sums = np.bincount(cells, weights=score, minlength=size)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counts > 0, sums / counts, np.nan).reshape(shape), dtype=np.float64)


def _empty(problem: str, notes: tuple[str, ...] = ()) -> Tidy:
    nothing = np.zeros(0, dtype=np.intp)
    return Tidy([], [], [], nothing, nothing, nothing, np.zeros(0), notes, problem)


#: What functions on ratings take: a frame, or what `tidy` made of it for several of them.
Ratings: TypeAlias = pd.DataFrame | Tidy

_NOTHING = "There are no ratings."


def tidy(frame: Ratings) -> Tidy:
    """`frame` as arrays, without rows that lack a name or a finite score; the frame is left as it is."""
    if isinstance(frame, Tidy):
        return frame
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        return _empty(f"The ratings have no column {', '.join(missing)}.")
    score = pd.to_numeric(frame["score"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(score)
    named = frame[["assessor", "item", "system"]].notna().all(axis=1).to_numpy(dtype=bool)
    notes = []
    if (lost := int((~finite).sum())) > 0:
        notes.append(f"{count(lost, 'rating')} without a finite score left out.")
    if (lost := int((finite & ~named).sum())) > 0:
        notes.append(f"{count(lost, 'rating')} without assessor, item or system left out.")
    keep = finite & named
    if not keep.any():
        return _empty(_NOTHING, tuple(notes))
    codes, names = {}, {}
    for column in COLUMNS[:3]:
        indices, found = pd.factorize(frame[column].to_numpy(dtype=object)[keep])
        codes[column], names[column] = indices.astype(np.intp), list(found)
    made = Tidy(
        names["assessor"], names["item"], names["system"],
        codes["assessor"], codes["item"], codes["system"], score[keep], tuple(notes),
    )  # fmt: skip
    if repeated := made.duplicated:
        notes.append(
            f"{count(repeated, 'rating')} of an item and system that the same assessor had graded before: "
            "they count, and are averaged in means."
        )
        made = replace(made, notes=tuple(notes))
    return made
