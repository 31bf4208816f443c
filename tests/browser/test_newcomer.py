"""A newcomer's walk from the front page to the first result of a study of their own, with clicks and seconds.

By hand, since every system has to process a sentence: ``pytest -m grid -s tests/browser/test_newcomer.py``.
It prints the table of docs/results.md. With ``SCREENSHOTS`` it leaves a picture of each step in that folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import new_context
from tests.browser.rating import after_training, hear, point, ready, wait_saved
from tests.browser.test_main_job import sentence
from tests.live import Site, in_site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["sentence"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.grid]

#: Made there, since tests have a quicker way to store passwords.
ACCOUNT = """
from django.contrib.auth.models import User
out = User.objects.create_user("ada", password="lovelace").pk
"""
#: For work in the background on a busy machine.
MILLISECONDS = 900_000
#: Clicks from the front page to the first result: more would be a step that was not there before.
MOST_CLICKS = 12


@pytest.fixture
def site(
    browser: Browser, tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    with django_db_blocker.unblock():
        for site in running_site(tmp_path / "home", new_database):
            site.redis.start()
            site.start_worker(children=1)
            site.start_web()
            in_site(site, ACCOUNT)
            yield site


class Walk:
    """Counts what the hands do, and times the steps; what the server works on meanwhile is timed apart."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows: list[str] = []
        self.clicks = self.texts = 0
        self.clicks_before = 0
        self.waited = 0.0
        self.began = self.since = time.monotonic()

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click(timeout=MILLISECONDS)

    def fill(self, label: str, text: str) -> None:
        self.texts += 1
        self.page.get_by_label(label, exact=True).fill(text)

    def wait(self, what: Locator) -> None:
        """For work in the background."""
        before = time.monotonic()
        what.wait_for(timeout=MILLISECONDS)
        self.waited += time.monotonic() - before

    def step(self, name: str) -> None:
        """The end of a step."""
        self.page.wait_for_load_state()
        now = time.monotonic()
        hands = now - self.since - self.waited
        clicks = self.clicks - self.clicks_before
        self.rows.append(f"| {name} | {clicks} | {hands:.1f} s | {self.waited:.0f} s |")
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=f"{folder}/{len(self.rows):02} {name}.png", full_page=True)
        self.clicks_before, self.waited, self.since = self.clicks, 0.0, time.monotonic()

    def table(self) -> str:
        total = f"| **in all** | **{self.clicks}** | | **{time.monotonic() - self.began:.0f} s** |"
        return "\n".join(
            ["| step | clicks | page and hands | the server's work |", "|---|---|---|---|", *self.rows, total]
        )


def test_from_the_front_page_to_the_first_result(
    site: Site, page: Page, browser: Browser, sentence: Path
) -> None:
    page.goto(f"{site.url}/")
    walk = Walk(page)

    def button(name: str) -> Locator:
        return page.get_by_role("button", name=name, exact=True)

    def link(name: str) -> Locator:
        return page.get_by_role("link", name=name, exact=True)

    walk.click(link("Sign in").first)
    walk.fill("User name", "ada")
    walk.fill("Password", "lovelace")
    walk.click(button("Sign in"))
    page.wait_for_url("**/home/")
    walk.step("sign in")

    walk.click(link("Upload recordings"))
    page.wait_for_url("**/clips/")
    walk.clicks += 1  # the button that asks the system for a file
    page.set_input_files("#files", sentence)
    walk.click(page.get_by_role("link", name=sentence.name).first)
    page.wait_for_url("**/clips/*-*/")
    walk.wait(page.locator("[data-system='bpgan-2k'][data-status='done']"))
    walk.wait(page.locator("body:not(:has(tr[data-status='running'], tr[data-status='queued']))"))
    walk.step("upload a sentence")

    walk.click(link("Create a study with this clip"))
    page.wait_for_url("**/studies/new/**")
    walk.fill("Name", "My first test")
    boxes = page.locator("[data-systems] input[type=checkbox]")
    assert boxes.count() > 1
    for slug in ("opus-9k", "bpgan-2k"):
        if not (box := page.locator(f"[data-systems] input[value='{slug}']")).is_checked():
            walk.click(box)
    walk.click(button("Create study"))
    page.wait_for_url("**/setup/who/")
    walk.click(button("Next: review"))
    page.wait_for_url("**/setup/check/")
    walk.step("make a study")

    walk.click(button("Publish"))
    address = page.locator("#listener-link")
    walk.wait(address)
    walk.wait(page.locator(".link-card:not(.not-open)"))
    walk.click(button("Copy link"))
    study = page.url
    walk.step("publish it and copy the link")

    context = new_context(browser)
    context.set_default_timeout(MILLISECONDS)
    seconds = time.monotonic()
    take_part(context.new_page(), address.input_value())
    listened = time.monotonic() - seconds
    context.close()
    walk.since = time.monotonic()

    page.goto(study)
    walk.click(link("Results"))
    walk.wait(page.locator("figure svg").first)
    assert "1 listener" in page.locator("main").inner_text()
    walk.step("see the result")
    print(f"\n{walk.table()}\n\nThe listener took {listened:.0f} s.")  # noqa: T201
    assert walk.clicks <= MOST_CLICKS


def take_part(page: Page, link: str) -> None:
    """A listener who grades whatever plays, 20 points apart."""
    page.goto(link)
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Take part").click()
    page.get_by_label("Headphones on or over the ears").check()
    page.get_by_label("Left was left, right was right").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start the training").click()
    while not page.locator("#completion-code").count():
        ready(page)
        page.get_by_role("button", name="Reference", exact=True).click()
        for number in range(1, page.locator(".pick").count() + 1):
            hear(page, number)
            page.mouse.click(*point(page, number, 100 - 20 * ((number - 1) % 5)))
        wait_saved(page)
        with page.expect_navigation():
            page.get_by_role("button", name="Next").click()
        after_training(page)
