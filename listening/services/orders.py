"""What each session hears and in which order: everything follows from the study's seed."""

from __future__ import annotations

import hashlib
import random

from listening.models import Session, Trial
from listening.services.presentations import arrange, present


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
    method, options, turn = session.study.method, session.study.method_options, turn_of(session)
    trials: list[Trial] = []
    for part in (training, graded):
        presented = [
            (item, order)
            for item in part
            for order in present(
                method, list(item.stimuli.all()), draw, options=options, turn=turn, training=item.training
            )
        ]
        for item, order in arrange(method, presented, draw):
            trials.append(Trial(session=session, item=item, position=len(trials) + 1, order=order))
    return trials


def turn_of(session: Session) -> int:
    """How many sessions of the same kind and block came before: what alternates over sessions goes by it."""
    before = session.study.sessions.filter(number__lt=session.number)
    return before.filter(kind=session.kind, block=session.block).count()
