"""Nothing that a listener does on the rating page is lost: a bad network, a failing server, a busy phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from listening.models import Event, Session, Trial
from listening.session.sessions import begin, start_session
from tests.browser.conftest import FLAGS, find_chromium, new_context
from tests.browser.rating import (
    grades,
    hear,
    make_clip,
    open_study,
    point,
    ready,
    skip_training,
    speech_like,
    stored,
    wait_for_event,
    wait_saved,
)
from tests.live import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Watch = Callable[["Page"], "Page"]


def test_late_sounds_a_failing_server_and_lost_answers(
    page: Page, live_server: Any, session: Session, errors: Errors
) -> None:
    """One after the other on one page."""
    a_sound_can_be_heard_before_the_others_have_arrived(page, live_server, session)
    a_server_that_fails_for_a_while_gets_the_grades_later(page, session, errors)
    an_answer_that_gets_lost_is_asked_for_again(page, session, errors)


def a_server_that_fails_for_a_while_gets_the_grades_later(
    page: Page, session: Session, errors: Errors
) -> None:
    errors.allow("503")
    page.route("**/ratings/", lambda route: route.fulfill(status=503, body="busy"))
    hear(page, 1)
    page.mouse.click(*point(page, 1, 90))
    page.get_by_text("the server is not ready – saved on this device, to send: 1").wait_for()
    page.unroute("**/ratings/")
    wait_saved(page)
    assert stored(session.trials.get(position=1))[0] == int(grades(page)[0])


def an_answer_that_gets_lost_is_asked_for_again(page: Page, session: Session, errors: Errors) -> None:
    """The server stored the grade, but the page never heard: the repeat changes nothing."""
    errors.allow("ERR_FAILED", "net::")
    lost = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        route.fetch()
        lost.append(route.request.post_data_json)
        route.abort()

    page.route("**/ratings/", lose)
    hear(page, 2)
    with page.expect_response("**/ratings/"):  # to the repeat
        page.mouse.click(*point(page, 2, 35))
    wait_saved(page)
    assert len(lost) == 1
    trial = session.trials.get(position=1)
    rating = trial.ratings.get(stimulus=trial.order[1]["stimulus"])
    assert (rating.score, rating.sequence) == (lost[0]["score"], lost[0]["sequence"])


def test_a_reload_while_offline_loses_nothing(
    rating_page: Page, context: BrowserContext, session: Session, errors: Errors
) -> None:
    errors.allow("ERR_INTERNET_DISCONNECTED")
    page = rating_page
    address = page.url
    context.set_offline(True)
    hear(page, 1)
    page.mouse.click(*point(page, 1, 77))
    page.get_by_label("Comment on this item").fill("written offline")
    page.get_by_text("offline – saved on this device, to send: 1").wait_for()
    shown = grades(page)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        page.reload()
    context.set_offline(False)
    page.goto(address)
    ready(page)
    assert grades(page) == shown
    assert page.get_by_label("Comment on this item").input_value() == "written offline"
    trial = session.trials.get(position=1)
    wait_for("the grade", lambda: stored(trial)[0] == int(shown[0]), 10)
    wait_for("the comment", lambda: Trial.objects.filter(pk=trial.pk, comment="written offline").exists(), 10)
    # What was done offline is in the log, with its times and in its order.
    wait_for_event(session, "grade")
    kinds = list(Event.objects.filter(trial=trial).order_by("sequence").values_list("kind", flat=True))
    assert kinds.count("open") == 2
    assert kinds.index("play") < kinds.index("grade") < len(kinds) - kinds[::-1].index("open")


@pytest.mark.rest
def test_a_session_goes_on_on_another_device(
    rating_page: Page, browser: Browser, session: Session, live_server: Any
) -> None:
    page = rating_page
    hear(page, 3)
    page.mouse.click(*point(page, 3, 64))
    page.get_by_label("Comment on this item").fill("begun at the desk")
    wait_saved(page)
    shown = grades(page)
    trial = session.trials.get(position=1)
    wait_for("the comment", lambda: Trial.objects.filter(pk=trial.pk).exclude(comment="").exists(), 10)
    phone = new_context(browser, {"width": 844, "height": 390})
    other = phone.new_page()
    other.goto(page.url)
    ready(other)
    assert grades(other) == shown
    assert other.get_by_label("Comment on this item").input_value() == "begun at the desk"
    phone.close()


def a_sound_can_be_heard_before_the_others_have_arrived(
    page: Page, live_server: Any, session: Session
) -> None:
    held: list[Any] = []
    trial = session.trials.get(position=1)
    last = trial.order[-1]["key"]
    page.route(f"**/{last}.wav", lambda route: held.append(route))
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.wait_for_selector("#play:not([disabled])")
    hear(page, 1)
    page.mouse.click(*point(page, 1, 50))
    assert page.get_by_role("button", name="Play version 4", exact=True).is_disabled()
    page.keyboard.press("4")
    assert page.locator("#sounding").inner_text() == "Version 4 is still being fetched"
    assert page.locator(".column.sounding .pick").inner_text() == "1"
    wait_for("the request", lambda: held, 10)
    held[0].continue_()
    ready(page)
    hear(page, 4)


def test_browsers_that_ask_for_a_touch_first_sound_at_the_first_press(
    browser: Browser, live_server: Any, session: Session
) -> None:
    """Chromium as listeners have it: no sound before a gesture, and the system may take the sound away."""
    flags = [flag for flag in FLAGS if "autoplay" not in flag]
    strict = browser.browser_type.launch(executable_path=find_chromium(), args=flags)
    page = strict.new_page()
    page.add_init_script(
        "const Real = AudioContext; window.contexts = [];"
        "window.AudioContext = class extends Real { constructor() { super(); contexts.push(this); } };"
    )
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    assert page.evaluate("contexts[0].state") == "suspended"
    hear(page, 1)
    assert page.evaluate("contexts[0].state") == "running"
    page.mouse.click(*point(page, 1, 70))
    assert grades(page)[0] != "–"
    # A call comes in: nothing sounds, so nothing can be graded until it is played again.
    page.evaluate("contexts[0].suspend()")
    page.wait_for_selector("#rating:not(.playing)")
    assert page.locator(".track input:enabled").count() == 0
    page.keyboard.press("Space")
    page.wait_for_selector("#rating.playing")
    assert page.evaluate("contexts[0].state") == "running"
    assert page.evaluate("contexts.length") == 1
    strict.close()


@pytest.mark.rest
def test_forty_trials_in_bounded_memory(
    browser: Browser, watch: Watch, errors: Errors, live_server: Any, alice: Any
) -> None:
    """Every trial leaves as it came: the page's heap, its audio nodes and the stored queue do not grow.

    In a profile of its own, whose process has had no other page.
    """
    trials = 40
    systems = ["original", "anchor35", "anchor70", "codec2-3.2k"]
    audio = speech_like(1.0)
    study = open_study(make_clip(alice, dict.fromkeys(systems, audio), 1.0), systems)
    session = start_session(study)
    begin(session)
    item = study.items.get(training=False)
    graded = session.trials.get(item=item)
    copies = [
        Trial(session=session, item=item, position=graded.position + n, order=graded.order)
        for n in range(1, trials)
    ]
    Trial.objects.bulk_create(copies)
    skip_training(session)
    context = new_context(browser)
    page = watch(context.new_page())
    protocol = context.new_cdp_session(page)
    protocol.send("Performance.enable")
    page.goto(f"{live_server.url}/s/{session.token}/")
    measured = []
    for number in range(1, trials + 1):
        page.get_by_text(re.compile(rf"item {number} of {trials}\b")).wait_for()
        ready(page)
        page.keyboard.press("r")
        for stimulus in "1234":
            page.keyboard.press(stimulus)
            page.keyboard.press("ArrowUp")
        page.wait_for_function("document.querySelectorAll('.graded').length === 4")
        if number <= 5 or number == trials:  # those that are compared below
            protocol.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in protocol.send("Performance.getMetrics")["metrics"]}
        kept = page.evaluate("JSON.stringify(localStorage).length")
        measured.append((metrics["JSHeapUsedSize"], metrics["AudioHandlers"], metrics["Documents"], kept))
        page.locator("#next").click()
    page.wait_for_selector("#completion-code")
    assert not session.trials.filter(finished=None).exists()
    early, late = measured[4], measured[-1]
    assert late[0] < early[0] * 1.25, measured
    assert late[1] <= max(audio_handlers for _, audio_handlers, *_ in measured[:5])
    assert late[2] <= max(documents for _, _, documents, _ in measured[:5])
    assert max(kept for *_, kept in measured) < 20_000
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.includes('trials')).length") == 0
    print("heap, audio handlers, documents, queue:", early, late)  # noqa: T201
    assert not errors
    context.close()
