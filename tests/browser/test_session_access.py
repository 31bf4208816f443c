"""The pages around the trials for everybody: axe-core, small screens, right to left, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from listening.models import Session, Study
from listening.session.sessions import begin, start_session, take_step
from listening.study import headphones
from listening.study.studies import close_study
from tests.browser.accessibility import find_problems
from tests.browser.test_session import QUESTIONS
from tests.listening.conftest import grade
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def states(study: Study) -> Iterator[str]:
    """The address of every page around the trials, one after the other."""
    link = f"/t/{study.token}/"
    for recruitment in ({}, {"platform": "prolific", "required": True, "code": "C0DE"}):
        Study.objects.update(recruitment=recruitment)
        yield link
    yield link + "?PROLIFIC_PID=5f"
    Study.objects.update(
        questionnaire=QUESTIONS,
        training_repeats=1,
        headphones={"tests": [{"test": "huggins", "pass": 1, "attempts": 1}, {"test": "antiphase"}]},
    )
    study.refresh_from_db()
    session = start_session(study)
    address = f"/s/{session.token}/"
    yield address  # questions
    take_step(session, "before", {})
    yield address  # sound
    take_step(session, "volume", {})
    for _ in range(headphones.ROUNDS + 1):
        current = headphones.current_round(session)
        assert current
        if current.number == 1:
            yield address  # either headphone check
        headphones.answer_round(
            session, current.stage, current.number, headphones.plan_of(session, current)[0] + 1
        )
    Study.objects.update(headphones={}, break_after=1)
    yield address  # instructions
    begin(session)
    grade(session.trials.get(position=1))
    yield address  # trained
    take_step(Session.objects.get(pk=session.pk), "trained", {})
    grade(session.trials.get(position=2))
    yield address  # questions after
    take_step(Session.objects.get(pk=session.pk), "after", {})
    yield address  # thanks
    yield address + "withdraw/"
    Session.objects.update(screened_out=timezone.now(), finished=None)
    yield address  # screened out
    Study.objects.update(opens=timezone.now() + timedelta(days=1), recruitment={})
    yield link
    Study.objects.update(opens=None, max_sessions=0)
    yield link
    Study.objects.update(closes=timezone.now())
    yield link
    close_study(study)
    yield link


@pytest.mark.parametrize(
    ("code", "scheme", "every"),
    some([("ar", "dark", 4), ("ar", "dark", 1), ("en", "light", 1)], lambda row: row[2] > 1),
)
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(
    page: Page, live_server: Any, study: Study, code: str, scheme: Any, every: int
) -> None:
    """`make test` asks axe about every fourth page."""
    Study.objects.update(language=code)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 340, "height": 640})
    seen = set()
    for number, address in enumerate(states(study)):
        page.goto(live_server.url + address)
        seen.add(page.locator("h1").inner_text() + page.locator("main").inner_text()[:200])
        if number % every == 0:
            assert find_problems(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= 340, address
        assert page.locator("html").get_attribute("dir") == ("rtl" if code == "ar" else "ltr")
    assert len(seen) == 16


def test_what_is_wrong_is_told_to_screen_readers(
    page: Page, live_server: Any, study: Study, errors: Errors
) -> None:
    errors.allow("status of 422")
    Study.objects.update(questionnaire=QUESTIONS)
    study.refresh_from_db()
    session = start_session(study)
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").wait_for()
    age = page.get_by_label("How old are you?")
    assert age.get_attribute("aria-invalid") == "true"
    described = [
        page.locator(f"#{name}").inner_text() for name in age.get_attribute("aria-describedby").split()
    ]
    assert described == ["In years.", "Please answer this question."]
    assert find_problems(page) == []
    take_step(session, "before", {})
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("alert").wait_for()
    assert find_problems(page) == []
