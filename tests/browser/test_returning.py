"""Who opens the link again in one browser goes on; whose session is deleted is told so, in their language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from listening.models import Session, Study
from listening.session.sessions import begin
from listening.study.removal import delete_session
from tests.browser.conftest import new_context
from tests.browser.rating import point, ready

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_one_browser_counts_as_one_without_a_cookie(
    page: Page, browser: Browser, live_server: Any, study: Study, errors: Errors
) -> None:
    link = f"{live_server.url}/t/{study.token}/"
    page.goto(link)
    assert page.get_by_role("button", name="Continue where you stopped").is_hidden()
    page.get_by_label("I have read this and agree to take part.").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Take part").click()
    address = page.url
    assert page.context.cookies() == []
    page.goto(link)
    assert page.get_by_role("button", name="Take part").is_hidden()
    page.set_viewport_size({"width": 390, "height": 844})
    place = page.get_by_role("button", name="Continue where you stopped").bounding_box()
    assert place is not None
    assert place["y"] + place["height"] < 844 / 2  # in sight, before all that has been read already
    with page.expect_navigation():
        page.get_by_role("button", name="Continue where you stopped").click()
    assert (page.url, Session.objects.count()) == (address, 1)
    # Another browser is another person.
    with new_context(browser) as other:
        stranger = other.new_page()
        stranger.goto(link)
        assert stranger.get_by_role("button", name="Take part").is_visible()
    # A session that was deleted is forgotten, and the listener is free to begin again.
    errors.allow("410")
    delete_session(Session.objects.get())
    page.goto(address)
    page.get_by_role("heading", name="This session has been deleted").wait_for()
    page.goto(link)
    assert page.get_by_role("button", name="Take part").is_visible()


def test_a_session_deleted_while_its_page_is_open_says_so(
    page: Page, live_server: Any, study: Study, session: Session, errors: Errors
) -> None:
    errors.allow("410")
    Study.objects.update(language="ar")
    begin(session)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    page.keyboard.press("1")
    page.wait_for_selector(".column.sounding")
    delete_session(session)
    page.mouse.click(*point(page, 1, 60))
    page.locator("#lost[aria-live]").get_by_text("حُذفت هذه الجلسة").wait_for()
    assert page.locator("#saved").get_attribute("data-state") == "refused"
    page.locator("#lost button").click()
    with page.expect_navigation():
        page.locator("#next").click()
    page.get_by_role("heading", name="حُذفت هذه الجلسة").wait_for()
    assert page.locator("html").get_attribute("dir") == "rtl"
