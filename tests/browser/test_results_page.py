"""The results page and the report in a real browser: points that play, figures that explain, calm news."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from listening.models import Study
from listening.results import analyses
from tests.browser.accessibility import find_in_both_schemes
from tests.listening.conftest import make_clip, make_study, processed
from tests.listening.generated import generate

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

__all__ = ["make_clip", "make_study", "processed"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}


@pytest.fixture
def heard(make_study: Callable[..., Study]) -> Study:
    """Two items with sounds, six listeners."""
    study = make_study(clips=2, sound=True)
    generate(study, 6, QUALITY)
    return study


@pytest.fixture
def signed_in(context: BrowserContext, live_server: Any, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies["sessionid"].value}
    context.add_cookies([{**cookie, "url": live_server.url}])


def finish(study: Study) -> None:
    for row in study.analyses.filter(status="queued"):
        analyses.run(row.pk)


@pytest.fixture
def results(page: Page, live_server: Any, heard: Study, signed_in: None) -> Page:
    page.goto(f"{live_server.url}/studies/{heard.pk}/results/")
    return page


def test_points_play_figures_explain_and_nothing_moves(
    results: Page, context: BrowserContext, live_server: Any, heard: Study
) -> None:
    points_play_what_they_stand_for(results)
    a_figure_says_how_it_was_made(results)
    tables_go_into_the_clipboard(results, context)
    another_profile_keeps_the_place(results)
    a_narrow_window_scrolls_in_one_direction(results)
    results.goto(f"{live_server.url}/studies/{heard.pk}/report/")
    a_narrow_window_scrolls_in_one_direction(results)


def points_play_what_they_stand_for(results: Page) -> None:
    point = results.locator("#metric-pesq_wb [data-play]").first
    bar = results.locator("#now-playing")
    assert not bar.is_visible()
    with results.expect_response(lambda answer: "/sounds/" in answer.url) as first:
        point.click()
    assert first.value.status in (200, 206)
    bar.wait_for()
    assert "item 1 of 2" in bar.inner_text()
    assert "playing" in (point.get_attribute("class") or "")
    point.focus()
    with results.expect_response(lambda answer: "/sounds/" in answer.url) as second:
        results.keyboard.press("Enter")
    assert second.value.url != first.value.url
    assert "item 2 of 2" in bar.inner_text()
    bar.get_by_role("button", name="Stop").click()
    bar.wait_for(state="hidden")


def a_figure_says_how_it_was_made(results: Page) -> None:
    """To mouse and keyboard."""
    cell = results.locator("tr", has_text="BPGAN 2k").locator("td[data-how]", has_text="±").first
    box = results.locator("#how")
    cell.hover()
    assert "listeners' own means" in box.inner_text()
    assert "n = 6 listeners" in box.inner_text()
    table = results.locator("table.hinted").first
    assert table.locator("td[tabindex='0']").count() == 1  # one stop of the Tab key
    table.locator("td[tabindex='0']").focus()
    assert "measured" in box.inner_text()
    assert results.evaluate("document.activeElement.getAttribute('aria-describedby')") == "how"
    results.keyboard.press("ArrowRight")
    assert "narrow-band" in box.inner_text()
    results.keyboard.press("ArrowDown")
    assert table.locator("td[tabindex='0']").count() == 1
    results.keyboard.press("Escape")
    assert not box.is_visible()


def another_profile_keeps_the_place(results: Page) -> None:
    results.locator("#item-table > summary").click()
    results.evaluate("document.querySelector('#items').scrollIntoView()")
    before = results.evaluate("scrollY")
    assert before > 400
    point = results.locator("#metric-pesq_wb [data-play]").first
    point.evaluate("point => point.focus({ preventScroll: true })")
    results.evaluate("document.querySelector('nav[aria-label=Screening] a[href*=mpeg]').click()")
    results.wait_for_url("**screening=mpeg")
    results.wait_for_function("document.querySelector('#screening + span').textContent.includes('MPEG')")
    assert abs(results.evaluate("scrollY") - before) < 40
    assert results.locator("#item-table").get_attribute("open") is not None
    assert point.evaluate("point => point === document.activeElement")


def test_news_comes_without_a_jump(results: Page, heard: Study) -> None:
    results.locator("#item-table > summary").click()
    results.evaluate("document.querySelector('#items').scrollIntoView()")
    before = results.evaluate("scrollY")
    generate(heard, 1, QUALITY, seed=5)
    results.wait_for_function("document.querySelector('#answer').textContent.includes('7 listeners')")
    assert abs(results.evaluate("scrollY") - before) < 40
    assert results.locator("#item-table").get_attribute("open") is not None
    finish(heard)
    results.wait_for_selector("text=The only pair of systems under test")
    assert abs(results.evaluate("scrollY") - before) < 600  # what is above got longer


def open_finished(page: Page, study: Study) -> None:
    """The page again with its analysis finished and all that it tells of opened."""
    finish(study)
    page.reload()
    for details in page.locator("#results details[id]").all():
        details.evaluate("element => { element.open = true; }")


@pytest.mark.rest
def test_axe_finds_nothing_in_the_report(page: Page, live_server: Any, heard: Study, signed_in: None) -> None:
    page.goto(f"{live_server.url}/studies/{heard.pk}/report/")
    open_finished(page, heard)
    assert find_in_both_schemes(page) == []


@pytest.mark.rest
def test_axe_finds_nothing_and_no_comparison_of_systems_is_cut_off_on_a_desk(
    results: Page, heard: Study
) -> None:
    open_finished(results, heard)
    assert find_in_both_schemes(results) == []
    hidden = results.evaluate(
        """() => [...document.querySelectorAll("#results details")].map((each) => { each.open = true; }) &&
        [...document.querySelectorAll("#results .table-scroll")]
            .filter((box) => box.querySelector("table.pairs") || box.closest("[aria-labelledby=screening]"))
            .map((box) => box.scrollWidth - box.clientWidth)"""
    )
    assert hidden
    assert max(hidden) <= 0
    # On a phone they scroll, say so, and a sentence in a row takes a few lines.
    results.set_viewport_size({"width": 390, "height": 844})
    heights = results.evaluate(
        "[...document.querySelectorAll('td.wrap')].filter((each) => each.checkVisibility())"
        ".map((each) => each.parentElement.getBoundingClientRect().height)"
    )
    assert heights
    assert max(heights) < 140
    said = (
        "getComputedStyle(document.querySelector('#screening ~ * caption, table.pairs caption'), '::before')"
    )
    assert "Swipe the table" in results.evaluate(f"{said}.content")


def tables_go_into_the_clipboard(results: Page, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    results.get_by_role("button", name="Copy").first.click()
    results.get_by_role("button", name="Copied").wait_for()
    assert r"\toprule" in results.evaluate("navigator.clipboard.readText()")


def a_narrow_window_scrolls_in_one_direction(page: Page) -> None:
    # A table may be wider than the text beside it, whatever it holds.
    page.evaluate(
        "for (const each of document.querySelectorAll('.table-scroll table')) each.style.width = '1000px'"
    )
    wide = """[...document.querySelectorAll("main *")]
        .filter((each) => !each.closest(".table-scroll") && each.getBoundingClientRect().right > innerWidth)
        .map((each) => each.tagName + "." + each.className)"""
    for width in (390, 844):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(wide)
