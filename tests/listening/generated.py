"""Listeners by the hundred: sessions, trials and grades written at once, as the pages would write them.

Grades follow a simple model of people: a system's quality, a listener's and an item's leaning, and
noise. The hidden reference gets about 97, unless the listener is careless.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import numpy as np
from django.utils import timezone

from listening.models import Assessor, Rating, Session, Study, Trial


def generate(
    study: Study,
    listeners: int,
    quality: Mapping[str, float],
    *,
    seed: int = 0,
    careless: int = 0,
    kind: str = Session.Kind.REAL,
    spread: float = 8.0,
) -> None:
    """Have so many listeners take the whole test; the last `careless` do not find the reference."""
    generator = np.random.default_rng(seed)
    now = timezone.now()
    items = list(study.items.prefetch_related("stimuli").order_by("position"))
    first = study.sessions.count()
    assessors = Assessor.objects.bulk_create([Assessor() for _ in range(listeners)])
    sessions = Session.objects.bulk_create(
        Session(
            study=study,
            assessor=assessor,
            number=first + number + 1,
            seed=number,
            kind=kind,
            completion_code=secrets.token_hex(4),
            instructed=now,
            finished=now,
        )
        for number, assessor in enumerate(assessors)
    )
    trials = Trial.objects.bulk_create(
        Trial(
            session=session,
            item=item,
            position=position,
            order=[
                {"key": secrets.token_urlsafe(8), "stimulus": stimulus.pk} for stimulus in item.stimuli.all()
            ],
            started=now,
            finished=now,
        )
        for session in sessions
        for position, item in enumerate(items, start=1)
    )
    leaning = generator.normal(scale=spread, size=listeners)
    difficulty = {item.pk: float(generator.normal(scale=5)) for item in items}
    ratings = []
    for number, trial in enumerate(trials):
        listener = number // len(items)
        for stimulus in items[number % len(items)].stimuli.all():
            if stimulus.system == "original":
                score = (
                    generator.normal(60, 15)
                    if listener >= listeners - careless
                    else 100 - abs(generator.normal(scale=4))
                )
            else:
                mean = quality[stimulus.system] + leaning[listener] + difficulty[trial.item_id]
                score = generator.normal(mean, spread)
            grade = float(np.clip(round(float(score)), 0, 100))
            ratings.append(Rating(trial=trial, stimulus=stimulus, score=grade, sequence=1))
    Rating.objects.bulk_create(ratings, batch_size=2000)
