"""Methods of listening tests: what is presented, on which scale it is graded, what a trial has to have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A way to ask listeners.

    Attributes:
        slug: as `Study.method` keeps it.
        title: for people.
        source: the Recommendation that defines it.
        always: systems that are in every trial, whatever is under test.
        max_signals: in one trial, without the open reference.
        lowest, highest, step: of the grading scale; None where listeners choose instead of grading.
    """

    slug: str
    title: str
    source: str
    always: tuple[str, ...]
    max_signals: int
    lowest: float | None
    highest: float | None
    step: float | None

    @property
    def graded(self) -> bool:
        return self.step is not None


#: Hidden reference and both mandatory anchors (M1, M3), 12 signals at most (M6), 0 to 100 (M10).
MUSHRA = Method(
    "mushra", "MUSHRA", "ITU-R BS.1534-3", ("original", "anchor35", "anchor70"), 12, 0.0, 100.0, 1.0
)

METHODS = {method.slug: method for method in (MUSHRA,)}
