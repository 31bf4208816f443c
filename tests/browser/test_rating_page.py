"""The rating page as listeners use it: by mouse, by keyboard, with a bad network, in two tabs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.models import Event, Rating, Session, Study, Trial
from listening.session.ratings import save_events, save_rating
from listening.session.sessions import begin, start_session
from listening.study.studies import close_study
from tests.browser.rating import (
    SYSTEMS,
    after_training,
    grades,
    hear,
    point,
    ready,
    skip_training,
    stored,
    study_of_twelve,
    wait_for_event,
    wait_saved,
)
from tests.live import wait_for
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[[], "Page"]


def test_from_the_link_through_consent_and_a_trial_by_mouse(
    page: Page, live_server: Any, study: Study
) -> None:
    page.goto(f"{live_server.url}/t/{study.token}/")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Take part").click()
    page.get_by_role("slider", name="Volume").fill("-12")
    page.get_by_role("button", name="Play the speech").click()
    page.get_by_label("Headphones on or over the ears").check()
    page.get_by_label("Left was left, right was right").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start the training").click()
    ready(page)
    assert page.get_by_text("Training: these grades are not used").is_visible()
    assert page.get_by_role("slider", name="Volume").input_value() == "-12"
    page.get_by_role("button", name="Reference", exact=True).click()
    for number, score in enumerate((100, 75, 50, 5), start=1):
        hear(page, number)
        page.mouse.click(*point(page, number, score))
    # Where a click lands depends on whole pixels; half way up is a value a slider has before it has a grade.
    assert [int(text) for text in grades(page)] == pytest.approx([100, 75, 50, 5], abs=1)
    # A drag goes through many values; the last is the grade.
    page.mouse.move(*point(page, 4, int(grades(page)[3])))
    page.mouse.down()
    page.mouse.move(*point(page, 4, 30), steps=20)
    page.mouse.up()
    shown = [int(text) for text in grades(page)]
    assert shown[3] == pytest.approx(30, abs=1)
    page.get_by_label("Comment on this item").fill("The second one lisps.")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start the test").click()
    page.get_by_text("item 1 of 1").wait_for()
    trial = Trial.objects.get(position=1)
    assert stored(trial) == shown
    assert trial.comment == "The second one lisps."
    assert trial.finished is not None
    kinds = set(Event.objects.filter(trial=trial).values_list("kind", flat=True))
    assert {"open", "ready", "play", "switch", "grade", "finish"} <= kinds
    # A drag is one event, with where it began.
    drag = Event.objects.filter(trial=trial, kind="grade").order_by("sequence").last()
    assert drag is not None
    assert drag.detail["score"] == shown[3]
    assert drag.detail["from"] == pytest.approx(5, abs=1)
    assert drag.detail["since"] <= drag.milliseconds


def test_the_volume_moves_4_db_between_items_and_not_within_one(
    page: Page, live_server: Any, session: Session
) -> None:
    skip_training(session)
    address = f"{live_server.url}/s/{session.token}/"
    page.goto(address)
    page.evaluate("localStorage.setItem('earshot:volume', '-12')")
    page.reload()
    ready(page)
    volume = page.get_by_role("slider", name="Volume")
    assert [volume.get_attribute(name) for name in ("min", "max")] == ["-16", "-8"]
    assert volume.input_value() == "-12"
    volume.focus()
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    assert page.locator("#volume-value").inner_text() == "−8\xa0dB"
    hear(page, 1)
    assert page.locator("#volume").is_disabled()
    assert page.get_by_text("locked in this item").is_visible()
    page.keyboard.press("Space")
    assert page.locator("#volume").is_disabled()
    wait_for_event(session, "play")
    play = Event.objects.get(trial__session=session, kind="play")
    assert play.detail["decibels"] == -8
    # The 4 dB are about the level that was chosen, not about the last one.
    page.reload()
    ready(page)
    assert [volume.get_attribute(name) for name in ("min", "max")] == ["-16", "-8"]
    assert volume.input_value() == "-8"


def test_a_device_without_a_level_takes_the_first_items_as_chosen(
    page: Page, live_server: Any, session: Session
) -> None:
    skip_training(session)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    volume = page.locator("#volume")
    assert [volume.get_attribute(name) for name in ("min", "max")] == ["-30", "0"]
    volume.fill("-20")
    hear(page, 1)
    page.reload()
    ready(page)
    assert [volume.get_attribute(name) for name in ("min", "max")] == ["-24", "-16"]


def test_a_trial_by_keyboard_only_to_the_completion_code(rating_page: Page, session: Session) -> None:
    page = rating_page
    keyboard = page.keyboard
    sounding = page.locator("#sounding")
    for _ in range(2):  # the training and the one item
        keyboard.press("r")
        page.wait_for_selector(".reference.sounding")
        keyboard.press("1")
        keyboard.press("ArrowUp")  # 50, the first place
        keyboard.press("Shift+ArrowUp")
        keyboard.press("k")
        keyboard.press("ArrowRight")
        keyboard.press("j")
        keyboard.press("Shift+J")
        keyboard.press("l")
        for _ in range(7):
            keyboard.press("Shift+ArrowUp")
        keyboard.press("4")
        for _ in range(7):
            keyboard.press("Shift+ArrowDown")
        assert grades(page) == ["61", "40", "100", "0"]
        keyboard.press("h")
        assert "Version 3" in sounding.inner_text()
        keyboard.press("Space")
        assert sounding.inner_text() == "Version 3 is paused"
        with page.expect_navigation():
            keyboard.press("Enter")  # wherever the focus is: everything is answered
        after_training(page)
        page.wait_for_selector("#rating[data-ready], #completion-code")
    assert page.locator("#completion-code").inner_text() == session.completion_code
    assert [stored(trial) for trial in session.trials.all()] == [[61, 40, 100, 0]] * 2


def test_what_the_page_allows_and_tells_while_one_grades(
    page: Page, live_server: Any, session: Session
) -> None:
    """Loading, playing, grading and refusing change no element's place."""
    page.goto(f"{live_server.url}/s/{session.token}/")
    parts = [".wave", "#play", "#next", ".column:last-child", "#missing", "#comment", "#saved"]

    def places() -> list[Any]:
        return [page.locator(part).bounding_box() for part in parts]

    before = places()
    ready(page)

    # Only what sounds can be graded.
    sliders = page.locator(".track input")
    assert [slider.is_disabled() for slider in sliders.all()] == [True] * 4
    hear(page, 2)
    assert [slider.is_disabled() for slider in sliders.all()] == [True, False, True, True]
    for number in (1, 3, 4):
        page.mouse.click(*point(page, number, 80))
    assert grades(page) == ["–"] * 4
    page.get_by_role("button", name="Reference").click()
    page.wait_for_selector(".reference.sounding")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowUp")
    assert [slider.is_disabled() for slider in sliders.all()] == [True] * 4
    assert grades(page) == ["–"] * 4
    assert not Rating.objects.exists()

    # Names for screen readers.
    hear(page, 3)
    slider = page.get_by_role("slider", name="Version 3, no grade yet")
    assert slider.get_attribute("aria-valuetext") == "no grade yet"
    page.mouse.click(*point(page, 3, 72))
    named = page.get_by_role("slider", name="Version 3", exact=True)
    assert re.fullmatch(r"7[123], Good", named.get_attribute("aria-valuetext") or "")
    assert page.locator("#sounding").get_attribute("role") == "status"
    assert page.locator("#sounding").inner_text() == "Playing Version 3"

    # Next refuses until all are graded.
    hint = page.locator("#missing")
    assert hint.inner_text() == "3 of 4 left to hear and grade"
    page.get_by_role("button", name="Next").click()
    assert hint.inner_text() == "Still to hear and grade: 1, 2, 4"
    assert page.evaluate("document.activeElement.textContent") == "1"
    wait_saved(page)
    assert places() == before
    assert not session.trials.exclude(finished=None).exists()

    # A reload keeps grades and comment.
    hear(page, 1)
    page.mouse.click(*point(page, 1, 90))
    page.get_by_label("Comment on this item").fill("half way")
    given = grades(page)
    page.reload()
    ready(page)
    assert grades(page) == given
    assert given[1] == given[3] == "–"
    assert page.get_by_label("Comment on this item").input_value() == "half way"
    assert hint.inner_text() == "2 of 4 left to hear and grade"


def test_next_wants_the_reference_heard(rating_page: Page, session: Session) -> None:
    page = rating_page
    for number in range(1, 5):
        hear(page, number)
        page.mouse.click(*point(page, number, 50))
    hint = page.locator("#missing")
    assert hint.inner_text() == "please also listen to the reference"
    page.get_by_role("button", name="Next").click()
    assert hint.inner_text() == "Please listen to the reference, too: you grade against it."
    assert page.evaluate("document.activeElement.id") == "reference"
    page.keyboard.press("r")
    page.wait_for_selector(".reference.sounding")
    assert hint.inner_text() == "all 4 heard and graded"
    # Not forgotten by a reload, nor on another device.
    wait_for_event(session, "switch")
    page.evaluate("localStorage.clear()")
    page.reload()
    ready(page)
    assert hint.inner_text() == "all 4 heard and graded"
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Start the test").click()
    page.get_by_text("item 1 of 1").wait_for()


def test_offline_grades_are_kept_and_sent_when_the_network_is_back_or_the_page_opened_again(
    rating_page: Page, new_page: Open, context: BrowserContext, session: Session, errors: Errors
) -> None:
    errors.allow("ERR_INTERNET_DISCONNECTED")
    page = rating_page
    address = page.url
    context.set_offline(True)
    hear(page, 1)
    page.mouse.click(*point(page, 1, 90))
    hear(page, 2)
    page.mouse.click(*point(page, 2, 40))
    page.get_by_text("offline – saved on this device, to send: 2").wait_for()
    assert not Rating.objects.exists()
    shown = grades(page)
    context.set_offline(False)
    wait_saved(page)
    assert stored(session.trials.get(position=1)) == [int(shown[0]), int(shown[1]), None, None]

    context.set_offline(True)
    hear(page, 4)
    page.mouse.click(*point(page, 4, 33))
    shown = grades(page)
    page.get_by_text("offline – saved on this device, to send: 1").wait_for()
    page.close()
    context.set_offline(False)
    again = new_page()
    again.goto(address)
    ready(again)
    assert grades(again) == shown
    # The closed page may still have sent it: then there is nothing to send, and the page says nothing.
    trial = session.trials.get(position=1)
    wait_for("the grade", lambda: stored(trial)[3] == int(shown[3]), 45)
    again.get_by_text("saved ✓").wait_for()


def test_two_tabs_take_turns(rating_page: Page, new_page: Open, session: Session) -> None:
    first = rating_page
    hear(first, 1)
    first.mouse.click(*point(first, 1, 30))
    wait_saved(first)
    kept = grades(first)[0]
    second = new_page()
    second.goto(first.url)
    second.get_by_role("dialog", name="This test is open in another tab").wait_for()
    assert second.locator("#rating[data-ready]").count() == 0
    # What the first notes while the page of the second is on its way takes no number of the second's events.
    events = Event.objects.filter(trial__position=1)

    def last_event_of_the_first(route: Route) -> None:
        before = events.count()
        first.keyboard.press("Space")
        wait_for("the event", lambda: events.count() > before, 10)
        route.continue_()

    second.route("**/trial/store*.js", last_event_of_the_first, times=1)
    second.get_by_role("button", name="Continue here").click()
    ready(second)
    assert grades(second)[0] == kept
    # The first stops sounding and grading, and says why.
    first.get_by_role("dialog", name="This test is open in another tab").wait_for()
    assert not first.locator(".playing").count()
    hear(second, 1)
    second.mouse.click(*point(second, 1, 80))
    wait_saved(second)
    newest = grades(second)[0]
    assert stored(session.trials.get(position=1))[0] == int(newest)
    # Events of both are there, each once.
    assert events.filter(kind="open").count() == 2
    # When the second is closed, the first goes on by itself or by its button.
    second.close()
    first.get_by_role("button", name="Continue here").click()
    ready(first)
    assert grades(first)[0] == newest
    # A tab that waits goes on when the one before it is closed.
    third = new_page()
    third.goto(first.url)
    third.get_by_role("dialog", name="This test is open in another tab").wait_for()
    first.close()
    ready(third)
    assert not third.locator("dialog[open]").count()


def test_what_another_device_graded_is_shown_first_and_what_it_finished_leads_on(
    rating_page: Page, session: Session, errors: Errors
) -> None:
    """The other device shares no storage, so its sequence numbers are news to this page."""
    errors.allow("409")
    page = rating_page
    trial = session.trials.get(position=1)
    hear(page, 1)
    save_rating(trial, trial.order[0]["key"], 11, 7)
    save_events(trial, [{"sequence": 90, "kind": "grade", "milliseconds": 900, "detail": {}}])
    page.mouse.click(*point(page, 1, 64))
    page.wait_for_selector('#saved[data-state="lost"]')
    assert (stored(trial)[0], grades(page)[0]) == (11, "11")
    page.locator("#lost button").click()
    page.mouse.click(*point(page, 1, 64))
    wait_saved(page)
    assert stored(trial)[0] == int(grades(page)[0])
    assert int(grades(page)[0]) == pytest.approx(64, abs=1)
    # The other device's event takes the place of none of this page's.
    wait_for("three grades' events", lambda: trial.events.filter(kind="grade").count() == 3, 10)
    session.trials.update(finished="2026-01-01T00:00:00Z")
    Session.objects.update(finished="2026-01-01T00:00:00Z")
    page.mouse.click(*point(page, 1, 30))
    page.wait_for_selector('#saved[data-state="refused"]')
    assert page.locator("#saved").inner_text().startswith("not saved: This trial has been finished")
    page.get_by_role("button", name="Next").click()
    assert page.locator("#completion-code").inner_text() == session.completion_code


def test_a_trial_closed_before_it_is_handed_in_leads_on(
    rating_page: Page, session: Session, study: Study, errors: Errors
) -> None:
    errors.allow("410")
    page = rating_page
    page.keyboard.press("r")
    page.wait_for_selector(".reference.sounding")
    for number in range(1, len(SYSTEMS) + 1):
        hear(page, number)
        page.mouse.click(*point(page, number, 64))
    wait_saved(page)
    close_study(study)
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector('#saved[data-state="refused"]')
    assert "closed" in page.locator("#missing").inner_text()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("What you have graded so far is saved.").wait_for()


def test_signing_in_beside_the_test_does_not_stop_it(
    rating_page: Page, new_page: Callable[[], Page], live_server: Any, alice: User, session: Session
) -> None:
    alice.set_password("a password of hers")
    alice.save()
    other = new_page()
    other.goto(f"{live_server.url}/signin/")
    other.get_by_label("User name").fill(alice.username)
    other.get_by_label("Password", exact=True).fill("a password of hers")
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/home/")
    page = rating_page
    page.bring_to_front()
    hear(page, 1)
    page.mouse.click(*point(page, 1, 64))
    wait_saved(page)
    assert stored(session.trials.get(position=1))[0] == int(grades(page)[0])


def test_a_sound_that_cannot_be_fetched_can_be_tried_again(
    page: Page, live_server: Any, session: Session, errors: Errors
) -> None:
    errors.allow("ERR_FAILED")
    page.route("**/*.wav", lambda route: route.abort())
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.get_by_text("A sound could not be fetched").wait_for()
    page.unroute("**/*.wav")
    page.get_by_role("button", name="Try again").click()
    ready(page)


def test_loops_by_keyboard_and_by_mouse_and_refuses_short_ones(rating_page: Page) -> None:
    page = rating_page
    a = page.get_by_role("slider", name="Loop start A")
    b = page.get_by_role("slider", name="Loop end B")
    a.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    assert a.get_attribute("aria-valuenow") == "0.55"
    b.focus()
    page.keyboard.press("Home")  # as far as it goes: 500 ms after A
    assert b.get_attribute("aria-valuenow") == "1.05"
    page.keyboard.press("Escape")
    assert [handle.get_attribute("aria-valuenow") for handle in (a, b)] == ["0.00", "3.00"]

    box = page.locator("#wave").bounding_box()
    assert box is not None

    def drag(start: float, end: float) -> None:
        page.mouse.move(box["x"] + start / 3 * box["width"], box["y"] + 10)
        page.mouse.down()
        page.mouse.move(box["x"] + end / 3 * box["width"], box["y"] + 10, steps=5)
        page.mouse.up()

    def loop() -> list[float]:
        return [float(handle.get_attribute("aria-valuenow") or "") for handle in (a, b)]

    drag(1.0, 2.0)
    assert loop() == pytest.approx([1.0, 2.0], abs=0.02)
    drag(0.5, 0.8)
    assert page.locator("#sounding").inner_text() == "A loop needs 500 ms or more"
    assert loop() == pytest.approx([1.0, 2.0], abs=0.02)
    page.get_by_role("button", name="Clear loop").click()
    assert loop() == [0.0, 3.0]


def test_nothing_tells_which_is_which(page: Page, live_server: Any, session: Session) -> None:
    answers = []
    page.on("response", lambda response: answers.append(response) if ".wav" in response.url else None)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    source = page.content().lower()
    for word in ("anchor", "original", "codec2", "3.2k", "hidden_reference"):
        # The help may say that a reference is hidden; no name of a system may be there.
        assert word not in source
    state = page.evaluate("JSON.parse(document.querySelector('#page').textContent)")
    assert set(state["reference"]) == {"url"}
    assert [set(stimulus) for stimulus in state["stimuli"]] == [
        {"key", "url", "label", "score", "sequence"}
    ] * 4
    assert len(answers) == 5
    assert len({len(answer.url) for answer in answers}) == 1
    bodies = [answer.body() for answer in answers]
    assert len({len(body) for body in bodies}) == 1
    assert len({body[:44] for body in bodies}) == 1
    assert len(set(bodies)) == 5
    chance = ("date", "x-request-id")
    headers = [
        {key: value for key, value in answer.headers.items() if key not in chance} for answer in answers
    ]
    assert all(header == headers[0] for header in headers)
    # Another session shares no file with this one, and asking again gives the same bytes.
    assert page.request.get(answers[0].url).body() == bodies[0]
    other = start_session(session.study)
    trial = other.trials.get(position=1)
    for key in (trial.reference_key, *(entry["key"] for entry in trial.order)):
        body = page.request.get(f"{live_server.url}/s/{other.token}/trials/1/{key}.wav").body()
        assert body not in bodies


@pytest.mark.parametrize(
    ("width", "height", "least_track"),
    some([(1024, 640, 378), (1280, 720, 378), (844, 390, 200)], lambda row: row[0] == 844),
)
def test_twelve_stimuli_need_no_scrolling(
    page: Page, live_server: Any, alice: User, width: int, height: int, least_track: int
) -> None:
    """At 96 px an inch 378 px are the standard's 10 cm; a phone held sideways has what it has."""
    session = start_session(study_of_twelve(alice))
    begin(session)
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    assert page.locator(".column").count() == 12
    root = "document.documentElement"
    assert page.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]") == [width, height]
    # Nor may anything inside be cut off or scroll by itself.
    assert page.evaluate(
        "document.querySelector('.scale').scrollWidth <= document.querySelector('.scale').clientWidth"
    )
    box = page.locator(".track").first.bounding_box()
    assert box is not None
    assert box["height"] >= least_track
    # What sounds is told in full, in training, too, where the volume can be set.
    hear(page, 12)
    status = page.locator("#sounding")
    assert status.inner_text() == "Playing Version 12: move its slider"
    assert status.evaluate("s => s.scrollWidth <= s.clientWidth && s.scrollHeight <= s.clientHeight")
