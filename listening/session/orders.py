"""What each session hears and in which order: everything follows from the study's seed.

Without a design every listener hears all items, each with all systems. Either way the items of a session,
and the signals of each trial, come in the orders of Williams' Latin squares: over consecutive places of a
block each item comes at each place in the test equally often and next after each other one equally often,
and so do the signals of an item from left to right. Training comes first.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from listening.models import Item, Session, Stimulus, Study, Trial
from listening.session.presentations import Order, arrange, present
from listening.study.balance import order_of
from listening.study.design import Plan, covering_blocks, place_of, plan_of


def derive_seed(study_seed: int, number: int) -> int:
    """The seed of the `number`-th session of a study: 63 bits, the same on every machine."""
    digest = hashlib.sha256(f"{study_seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def draw_trials(session: Session) -> list[Trial]:
    """The trials of a new session, not yet stored: training first, then its items in balanced order (M16).

    They follow from the study's seed, items, systems and design, and from the session's place, alone; only
    methods that draw more than an order (what X is) take the session's own seed for that.
    """
    study = session.study
    items = _list_items(study)
    graded = [item for item in items if not item.training]
    plan = plan_of(study, len(graded))
    row, block = divmod(place_of(session), plan.blocks)
    heard = [graded[index] for index in plan.items_of(block)]
    draw = random.Random(session.seed)  # noqa: S311 -- an order, not a secret: it has to be reproducible
    key = f"{study.seed}/{block}"
    trials = [
        *_draw_trials(session, _training_parts(items, plan, block), draw, row, key),
        *_draw_trials(
            session,
            [
                (heard[at], plan.systems_of(block, plan.items_of(block)[at]))
                for at in order_of(len(heard), row, f"{key}/items")
            ],
            draw,
            row,
            key,
        ),
    ]
    for position, trial in enumerate(trials, start=1):
        trial.position = position
    return trials


def draw_training(session: Session, repeat: int) -> list[Trial]:
    """The training's trials once more in other orders, without positions; `repeat` counts from 1."""
    items = _list_items(session.study)
    plan = plan_of(session.study, sum(not item.training for item in items))
    row, block = divmod(place_of(session), plan.blocks)
    draw = random.Random(f"{session.seed}/training/{repeat}")  # noqa: S311 -- as above
    key = f"{session.study.seed}/{block}/again-{repeat}"
    return _draw_trials(session, _training_parts(items, plan, block), draw, row, key)


def _list_items(study: Study) -> list[Item]:
    return list(study.items.order_by("position").prefetch_related("stimuli"))


def _training_parts(items: Sequence[Item], plan: Plan, block: int) -> list[tuple[Item, tuple[int, ...]]]:
    """The items of the training, each with the systems of one of its trials."""
    training = [item for item in items if item.training]
    return [(item, systems) for item in training for systems in covering_blocks(plan, block)]


def _draw_trials(
    session: Session,
    part: Sequence[tuple[Item, tuple[int, ...]]],
    draw: random.Random,
    row: int,
    key: str,
) -> list[Trial]:
    """The trials, without positions, of items with their systems: all of the training, or none."""
    study = session.study
    presented = []
    for number, (item, systems) in enumerate(part):
        stimuli = _select_stimuli(item, study.systems, systems)
        orders = present(
            study.method,
            stimuli,
            draw,
            options=study.method_options,
            turn=row,
            training=item.training,
        )
        where = f"{key}/{item.position}/{number if item.training else ''}"
        presented += [(item, _balance(order, stimuli, row, where)) for order in orders]
    arranged = arrange(study.method, presented, draw)
    return [Trial(session=session, item=item, order=order) for item, order in arranged]


def _select_stimuli(item: Item, slugs: Sequence[str], systems: Sequence[int]) -> list[Stimulus]:
    """The item's stimuli of these systems and of those that are in every trial, by system."""
    wanted = {slugs[index] for index in systems}
    return sorted(
        (each for each in item.stimuli.all() if each.system in wanted or each.system not in slugs),
        key=lambda each: each.system,
    )


def _balance(order: Order, stimuli: Sequence[Stimulus], row: int, key: str) -> Order:
    """`order`, if it shows all signals side by side, in the `row`-th balanced order; else as it was drawn."""
    entries = {entry["stimulus"]: entry for entry in order}
    if len(order) != len(stimuli) or any("role" in entry for entry in order) or len(entries) != len(order):
        return order
    return [entries[stimuli[at].pk] for at in order_of(len(stimuli), row, key)]
