"""One guess of how long a test takes, wherever it is said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from listening.models import Study, Trial
from listening.session.sessions import start_session
from listening.study.duration import minutes_left, minutes_of_study

pytestmark = pytest.mark.django_db


def test_what_is_promised_before_is_what_is_left_at_the_start(study: Study) -> None:
    trials = list(start_session(study).trials.select_related("item"))
    assert minutes_left(study, trials) == minutes_of_study(study)


def test_after_two_trials_the_listeners_own_pace_counts(study: Study) -> None:
    trials = list(start_session(study).trials.select_related("item"))
    graded = next(trial for trial in trials if not trial.item.training)
    now = timezone.now()
    made = [
        Trial(item=graded.item, started=now, finished=now + timedelta(seconds=seconds) if seconds else None)
        for seconds in (100, 200, 0, 0, 0)
    ]
    assert minutes_left(study, made) == 8  # three times the median, 150 s, are 7.5 min
