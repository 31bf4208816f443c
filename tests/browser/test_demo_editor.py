"""The editor of a demo page on a slow line: what was written last is what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.demos.drafts import new_demo
from listening.models import Demo
from tests.browser.test_policy import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TITLE = "[data-editor] [name=title]"


class SlowLine:
    """Holds what the editor saves until it is let through."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.held: list[Route] = []
        page.route("**/save/", lambda route: self.held.append(route))

    def titles(self) -> list[str]:
        """The titles in the saves that were sent, whether let through or not."""
        bodies = [route.request.post_data or "" for route in self.held]
        return [body.split('name="title"')[1].split("\r\n")[2] for body in bodies]

    def wait(self, count: int) -> None:
        while len(self.held) < count:
            self.page.wait_for_timeout(20)


def stored(demo: Demo) -> str:
    demo.refresh_from_db()
    return str(demo.draft.title)


@pytest.fixture
def editor(page: Page, context: BrowserContext, live_server: Any, alice: User) -> tuple[Page, Demo]:
    sign_in(context, alice, live_server.url)
    demo = new_demo(alice)
    page.goto(f"{live_server.url}/demos/{demo.pk}/")
    page.wait_for_selector("[data-editor][data-ready]")
    return page, demo


def test_saves_go_one_after_the_other(editor: tuple[Page, Demo]) -> None:
    page, demo = editor
    line = SlowLine(page)
    for title in ("First", "Second", "Third"):
        page.fill(TITLE, title)
        page.press(TITLE, "Enter")  # saves at once
    line.wait(1)
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert line.titles() == ["First"]  # the others wait for its answer
    with page.expect_response("**/save/"):
        line.held[0].continue_()
    line.wait(2)
    assert line.titles() == ["First", "Third"]  # of those that waited, only the last
    assert stored(demo) == "First"
    with page.expect_response("**/save/"):
        line.held[1].continue_()
    page.wait_for_selector("[data-saved]:has-text('Saved.')")
    assert stored(demo) == "Third"


def test_a_button_does_at_once_what_it_says(editor: tuple[Page, Demo]) -> None:
    page, demo = editor
    page.fill(TITLE, "New")
    with page.expect_navigation():
        page.get_by_role("button", name="Save and add another section").click()
    assert stored(demo) == "New"


def test_what_is_submitted_comes_after_the_save_under_way(editor: tuple[Page, Demo]) -> None:
    page, demo = editor
    line = SlowLine(page)
    submitted: list[str] = []
    page.on(
        "request",
        lambda request: (
            submitted.append(request.url)
            if request.method == "POST" and not request.url.endswith("/save/")
            else None
        ),
    )
    page.fill(TITLE, "Old")
    page.press(TITLE, "Enter")
    line.wait(1)
    page.fill(TITLE, "New")
    page.get_by_role("button", name="Save and add another section").click()
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert submitted == []  # the form waits
    assert stored(demo) == ""
    with page.expect_navigation():
        line.held[0].continue_()
    assert line.titles() == ["Old"]
    assert len(submitted) == 1
    assert stored(demo) == "New"
    assert page.input_value(TITLE) == "New"
