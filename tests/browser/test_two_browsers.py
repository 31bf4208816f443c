"""One session in two browsers, by every method: no page shows as saved what the database does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.methods import METHODS
from listening.models import Session, Trial
from tests.browser.conftest import new_context
from tests.browser.method_studies import instructed, open_method_study
from tests.browser.rating import point
from tests.live import wait_for
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SYSTEMS = {"mushra": ("anchor35", "anchor70", "codec2-3.2k")}


@dataclass
class Listener:
    """One browser on the session's page. Answers are numbered from 1; each is given by one change."""

    page: Page
    method: str

    def open(self, url: str) -> Listener:
        self.page.goto(url)
        self.page.wait_for_selector("#play:not([disabled])")
        return self

    def hear_all(self) -> None:
        """Hear what the method wants to be heard, and end where the first grade can be given."""
        page = self.page
        if self.method == "mushra":
            page.wait_for_selector("#rating[data-ready]")
            page.keyboard.press("r")
            page.wait_for_selector(".reference.sounding")
            page.keyboard.press("1")
            page.wait_for_selector(".column.sounding")
        elif self.method in ("acr", "dcr", "ccr"):
            page.keyboard.press("Space")
            page.wait_for_selector("#answers:not(.waiting)")
        else:
            for letter in {"bs1116": "ACB", "abx": "AXB", "ab": "AB"}[self.method]:
                page.wait_for_selector(f".pick:enabled:has(b:text-is('{letter}'))")  # its file is there
                page.keyboard.press(letter.lower())
                page.wait_for_selector(f".pick.sounding.heard:has(b:text-is('{letter}'))")

    def answer(self, number: int) -> None:
        if self.method == "mushra":
            self.page.mouse.click(*point(self.page, 1, 10 + 20 * number))
        else:
            self.page.keyboard.press(str(number))

    def complete(self) -> None:
        """Grade what is left to be graded, so that the trial can be handed in."""
        if self.method == "mushra":
            for number in "234":
                self.page.keyboard.press(number)
                self.page.wait_for_selector(f".column.sounding:has(button:text-is('{number}'))")
                self.page.keyboard.press("ArrowUp")
            self.saved()
        elif self.method == "bs1116":
            self.page.keyboard.press("c")
            self.page.wait_for_selector(".pick.sounding:has(b:text-is('C'))")
            self.page.keyboard.press("5")
            self.saved()

    def saved(self) -> None:
        self.page.wait_for_selector('#saved[data-state="saved"]')

    def told(self, text: str) -> None:
        """Wait until the page says this in its live region, then let it be put away."""
        notice = self.page.locator("#lost[aria-live]")
        notice.get_by_text(text).wait_for()
        notice.get_by_role("button").click()
        notice.wait_for(state="hidden")

    @property
    def shown(self) -> str:
        """The first answer as the page shows it."""
        if self.method in ("mushra", "bs1116"):
            return self.page.locator(".grade").first.inner_text()
        checked = self.page.locator("#answers input:checked")
        return checked.get_attribute("value") or "" if checked.count() else ""

    @property
    def comment(self) -> str:
        return self.page.locator("#comment").input_value()

    def write(self, text: str) -> None:
        self.page.locator("#comment").fill(text)


def stored(trial: Trial, method: str) -> str:
    """The first answer as the database holds it, written as the page writes it."""
    trial = Trial.objects.get(pk=trial.pk)
    if method in ("abx", "ab"):
        chosen = trial.choice.chosen_id
        return next(e["key"] for e in trial.order if e["stimulus"] == chosen and e["role"] in ("A", "B"))
    scores = dict(trial.ratings.values_list("stimulus_id", "score"))
    if method == "mushra":
        return f"{scores[trial.order[0]['stimulus']]:g}"
    if method == "bs1116":
        first = next(entry["stimulus"] for entry in trial.order if entry["role"] == "B")
        return f"{scores[first]:.1f}"
    return f"{next(iter(scores.values())):g}"


@pytest.fixture
def two(page: Page, browser: Browser) -> Iterator[list[Page]]:
    other = new_context(browser)
    yield [page, other.new_page()]
    other.close()


@pytest.mark.parametrize("method", some(METHODS, "acr".__eq__))
def test_two_browsers_show_what_is_stored_or_say_that_they_lost(
    two: list[Page], live_server: Any, alice: User, errors: Errors, method: str
) -> None:
    errors.allow("409")  # the browser logs what is refused
    study = open_method_study(alice, method, systems=SYSTEMS.get(method, ("anchor35",)))
    session: Session = instructed(study)
    trial = session.trials.get(position=1)
    url = f"{live_server.url}/s/{session.token}/"
    desk, phone = (Listener(page, method).open(url) for page in two)
    for listener in (desk, phone):
        listener.hear_all()

    # A grade that was given first stays; the page that comes later says so and shows it.
    phone.page.route("**/stored/", lambda route: route.abort())  # it does not learn by itself
    desk.answer(1)
    desk.saved()
    held = stored(trial, method)
    assert desk.shown == held
    phone.answer(2)
    phone.told("in another browser")
    assert (phone.shown, stored(trial, method)) == (held, held)

    # Changed with the stored grade in view, it is stored; the other page finds out by itself.
    phone.answer(2)
    phone.saved()
    changed = stored(trial, method)
    assert changed != held
    assert phone.shown == changed
    desk.told("in another browser")
    assert (desk.shown, stored(trial, method)) == (changed, changed)

    # However often a page without a network changed its grade, it replaces none that it never showed.
    phone.page.context.set_offline(True)
    for number in (1, 2, 1, 2, 1, 2):
        phone.answer(number)
    phone.page.wait_for_selector('#saved[data-state="offline"]')
    desk.answer(1)
    desk.saved()
    changed = stored(trial, method)
    phone.page.context.set_offline(False)
    phone.told("in another browser")
    assert (phone.shown, stored(trial, method)) == (changed, changed)

    # Comments: the second says so, with the words that were not stored.
    comments = Trial.objects.filter(pk=trial.pk)
    desk.write("at the desk")
    wait_for("the comment", comments.filter(comment="at the desk").exists, 10)
    phone.write("on the phone")
    phone.told("on the phone")
    assert phone.comment == "at the desk"
    assert comments.get().comment == "at the desk"

    # Handing in what the page shows and the database does not hold is refused.
    phone.complete()
    phone.page.reload()
    phone.page.wait_for_selector("#play:not([disabled])")
    phone.hear_all()
    assert (phone.shown, phone.comment) == (changed, "at the desk")
    desk.page.reload()
    desk.page.wait_for_selector("#play:not([disabled])")
    desk.hear_all()
    desk.answer(2)
    desk.saved()
    held = stored(trial, method)
    assert (held != changed, desk.shown) == (True, held)
    phone.page.get_by_role("button", name="Next").click()
    phone.told("in another browser")
    assert (phone.shown, comments.get().finished) == (held, None)
    with phone.page.expect_navigation():
        phone.page.get_by_role("button", name="Next").click()
    assert comments.get().finished
    assert stored(trial, method) == held

    # The page that stayed behind says that nothing of it is taken any more, and leads on.
    desk.write("too late")
    desk.told("handed in")
    # It may have looked before the comment was written: then the comment's own refusal brings it back.
    desk.page.wait_for_function("document.querySelector('#comment').value === 'at the desk'")
    desk.page.wait_for_selector('#saved[data-state="refused"]')
    with desk.page.expect_navigation():
        desk.page.get_by_role("button", name="Next").click()
    assert comments.get().comment == "at the desk"
