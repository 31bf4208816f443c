"""Short studies of each method through real systems, with sound, for the browser's tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.models import User

from listening import tasks
from listening.models import Session, Study
from listening.session.sessions import begin, start_session
from listening.study.studies import create_study
from tests.browser.rating import make_clip, speech_through
from tests.listening.snapshots import make_once
from tests.rows import some

#: Methods whose page is made like another's: `make test-rest` has them, `make test` the other.
ALIKE = {"acr": "ccr", "dcr": "ccr", "ab": "abx"}


def rows_of(methods: Iterable[str]) -> list[Any]:
    """One row a method, for `pytest.mark.parametrize`."""
    return some(sorted(methods), lambda method: method not in ALIKE)


def open_method_study(
    owner: User,
    method: str,
    *,
    systems: Sequence[str] = ("anchor35",),
    options: dict[str, Any] | None = None,
    seconds: float = 0.6,
    number: int = 0,
) -> Study:
    """Training and one item of `seconds`, through `systems`, open; `number` tells its clip from others."""

    def make() -> Study:
        outputs = {slug: speech_through(slug, seconds) for slug in ("original", *systems)}
        clip = make_clip(owner, outputs, seconds, number)
        study = create_study(
            owner, "Vowels at low rates", [clip], systems, seed=1, method=method, options=options
        )
        tasks.prepare_study(str(study.pk))
        study.refresh_from_db()
        assert study.status == Study.Status.OPEN, study.error
        return study

    return make_once(repr((method, systems, options, seconds, number)), owner, make)


def instructed(study: Study) -> Session:
    """A listener who has read the instructions."""
    session = start_session(study)
    begin(session)
    return session
