"""What each session hears and in which order: everything follows from the study's seed."""

from __future__ import annotations

import hashlib
import random

from listening.models import Session, Trial
from listening.services.presentations import present


def derive_seed(study_seed: int, number: int) -> int:
    """The seed of the `number`-th session of a study: 63 bits, the same on every machine."""
    digest = hashlib.sha256(f"{study_seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def draw_trials(session: Session) -> list[Trial]:
    """The trials of a new session, not yet stored: training first, then the items in random order (M16)."""
    draw = random.Random(session.seed)  # noqa: S311 -- an order, not a secret: it has to be reproducible
    items = list(session.study.items.order_by("position").prefetch_related("stimuli"))
    training = [item for item in items if item.training]
    graded = [item for item in items if not item.training]
    draw.shuffle(graded)
    trials: list[Trial] = []
    for item in [*training, *graded]:
        for order in present(session.study.method, list(item.stimuli.all()), draw):
            trials.append(Trial(session=session, item=item, position=len(trials) + 1, order=order))
    return trials
