"""A whole short test by each method in real Chromium, from the page to the results and the export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.models import Analysis, Choice, Event, Rating, Session, Stimulus, Study, Trial
from listening.tasks import make_analysis
from tests.browser.accessibility import find_in_both_schemes, find_problems
from tests.browser.method_studies import instructed, open_method_study, rows_of
from tests.browser.rating import after_training, wait_for_event
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def open_page(page: Page, live_server: Any, session: Session) -> None:
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_selector("#play:not([disabled])")


def now(session: Session) -> Trial:
    """The trial that the page shows."""
    return session.trials.filter(finished=None).order_by("position").select_related("item").first()  # type: ignore[return-value]


def systems(trial: Trial) -> dict[str, str]:
    slugs = dict(Stimulus.objects.values_list("pk", "system"))
    return {entry.get("role", ""): slugs[entry["stimulus"]] for entry in trial.order}


def hear(page: Page, letter: str) -> None:
    """Listen to a signal until it counts as heard."""
    button = page.locator(f".pick:has(b:text-is('{letter}'))")
    button.click()
    page.wait_for_selector(f".pick.sounding.heard:has(b:text-is('{letter}'))")


def on(page: Page, session: Session) -> None:
    """Press Next and go to the next trial, or to what comes after the last."""
    with page.expect_navigation():
        page.get_by_role("button", name="Next").click()
    after_training(page)
    if session.trials.filter(finished=None).exists():
        ready(page)


def missing(page: Page) -> str:
    return page.locator("#missing").inner_text()


def results_of(study: Study) -> str:
    client = Client()
    client.force_login(study.owner)
    client.get(reverse("results", args=[study.pk]))
    for row in Analysis.objects.filter(study=study):
        make_analysis(row.pk)
    html = client.get(reverse("results", args=[study.pk])).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def export(study: Study, name: str) -> list[dict[str, str]]:
    client = Client()
    client.force_login(study.owner)
    text = client.get(reverse("export", args=[study.pk, name])).getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_abx_by_mouse_to_the_end(page: Page, live_server: Any, alice: User) -> None:
    study = open_method_study(alice, "abx", options={"trials": 2})
    session = instructed(study)
    open_page(page, live_server, session)
    assert page.get_by_text("training 1 of 1").is_visible()
    assert missing(page) == "still to hear: A, X, B"
    page.get_by_role("button", name="Next").click()  # refused, and says why
    assert page.locator("#missing.problem").inner_text() == "still to hear: A, X, B"
    for number in range(3):
        trial = now(session)
        assert page.locator("#answers input").nth(0).is_disabled()
        for letter in "AXB":
            hear(page, letter)
        assert missing(page) == "choose an answer"
        parts = systems(trial)
        right = "A" if parts["A"] == parts["X"] else "B"
        page.get_by_label(f"X is the same as {right}").check()
        page.wait_for_selector('#saved[data-state="saved"]')
        assert Choice.objects.get(trial=trial).chosen.system == parts["X"]  # type: ignore[union-attr]
        if number == 0:
            assert page.locator("#volume").is_visible()
        on(page, session)
        if number < 2:
            assert page.get_by_text(f"trial {number + 1} of 2").is_visible()
    session.refresh_from_db()
    assert session.finished
    kinds = set(Event.objects.filter(trial__session=session).values_list("kind", flat=True))
    assert {"open", "ready", "play", "switch", "heard", "choose", "finish"} <= kinds
    assert "2 of 2 answers right" in results_of(study)
    assert [row["choice_answer"] for row in export(study, "paired_comparison.csv")] == ["correct"] * 2
    assert [row["correct"] for row in export(study, "choices.csv")] == ["1"] * 3


def test_preference_by_keyboard_alone_to_the_end(page: Page, live_server: Any, alice: User) -> None:
    study = open_method_study(alice, "ab", options={"pairs": "reference", "no_preference": True})
    session = instructed(study)
    open_page(page, live_server, session)
    for answer, choice in (("1", "A"), ("3", None)):
        trial = now(session)
        for letter in "ab":
            page.wait_for_selector(f".pick:enabled:has(b:text-is('{letter.upper()}'))")
            page.keyboard.press(letter)
            page.wait_for_selector(f".pick.sounding.heard:has(b:text-is('{letter.upper()}'))")
        page.keyboard.press("Space")
        assert page.locator("#sounding").inner_text() == "B is paused"
        page.keyboard.press(answer)
        page.wait_for_selector('#saved[data-state="saved"]')
        chosen = Choice.objects.get(trial=trial).chosen
        assert (chosen.system if chosen else None) == (systems(trial)[choice] if choice else None)
        with page.expect_navigation():
            page.keyboard.press("Enter")  # wherever the focus is: everything is answered
        after_training(page)
        if choice:
            ready(page)
    said = results_of(study)
    assert ": one listener voted." in said
    assert "0 : 0, 1 tie" in said
    (row,) = export(study, "paired_comparison.csv")
    assert (row["choice_reference"], row["choice_answer"]) == ("reference", "undecided")


def test_bs1116_needs_one_at_five(page: Page, live_server: Any, alice: User) -> None:
    study = open_method_study(alice, "bs1116")
    session = instructed(study)
    open_page(page, live_server, session)
    for _ in range(2):
        trial = now(session)
        parts = systems(trial)
        hidden, system = ("B", "C") if parts["B"] == "original" else ("C", "B")
        for letter in "ABC":
            hear(page, letter)
        assert missing(page) == "still to grade: B, C"
        page.keyboard.press(hidden.lower())
        page.keyboard.press("ArrowUp")  # 3.0
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("ArrowUp")
        assert page.locator(".column.sounding .grade").inner_text() == "3.6"
        hear(page, system)
        page.keyboard.press("2")
        assert missing(page) == "grade the one that is the reference 5.0"
        page.get_by_role("button", name="Next").click()
        assert "problem" in (page.locator("#missing").get_attribute("class") or "")
        # Only what sounds can be graded.
        assert page.get_by_role("button", name=f"{hidden} is the reference").is_disabled()
        hear(page, hidden)
        page.get_by_role("button", name=f"{hidden} is the reference").click()
        page.wait_for_selector('#saved[data-state="saved"]')
        grades = {row.stimulus.system: row.score for row in Rating.objects.filter(trial=trial)}
        assert grades == {"original": 5.0, "anchor35": 2.0}
        on(page, session)
    assert "shown for none of 1 system" in results_of(study)  # one listener has no interval
    (row,) = export(study, "bs1116.csv")
    assert (row["rating_reference_score"], row["rating_non_reference_score"]) == ("5", "2")


@pytest.mark.parametrize(("language", "mark"), [("de", ","), ("ar", ".")])
def test_grades_have_the_decimal_mark_of_the_language(
    page: Page, live_server: Any, alice: User, language: str, mark: str
) -> None:
    """Words, anchors, grades and what screen readers speak have the same one."""
    study = open_method_study(alice, "bs1116")
    Study.objects.filter(pk=study.pk).update(language=language)
    open_page(page, live_server, instructed(study))
    anchors = page.locator(".anchors b").all_inner_texts()
    assert anchors == [f"{grade}{mark}0" for grade in (5, 4, 3, 2, 1)]
    assert re.search(rf"\d{re.escape(mark)}\d+$", page.locator("#time").inner_text())
    assert f"1{mark}0 … 5{mark}0" in page.content()
    hear(page, "B")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator(".column.sounding .grade").inner_text() == f"3{mark}1"
    assert page.locator(".column.sounding input").get_attribute("aria-valuetext") == f"3{mark}1"


def play_through(page: Page) -> None:
    page.keyboard.press("Space")
    page.wait_for_selector("#answers:not(.waiting)")


@pytest.mark.parametrize("method", rows_of(["acr", "dcr", "ccr"]))
def test_opinions_are_given_after_the_end(page: Page, live_server: Any, alice: User, method: str) -> None:
    study = open_method_study(alice, method)
    session = instructed(study)
    open_page(page, live_server, session)
    given: dict[str, float] = {}
    for _ in range(4):
        trial = now(session)
        radios = page.locator("#answers input")
        assert all(radios.nth(place).is_disabled() for place in range(radios.count()))
        assert missing(page) == "listen to the end first"
        page.keyboard.press("Space")
        page.wait_for_selector("#rating.playing")
        page.keyboard.press("2")
        page.keyboard.press("Space")  # stops: it starts over
        assert page.locator("#sounding").inner_text() == "stopped: it starts over"
        assert radios.nth(0).is_disabled()
        play_through(page)
        page.keyboard.press("Enter")  # does not go on: nothing is answered
        if method == "ccr" and trial.item.training:
            # The keys are the scale's: the sign, then the digit; arrows go up and down the page.
            for keys, label in (
                ("-3", "Much worse"),
                ("↑", "Worse"),
                ("0", "About the same"),
                ("-1", "Slightly worse"),
            ):
                for key in keys:
                    page.keyboard.press(key.replace("↑", "ArrowUp"))
                assert page.locator("#answers label:has(:checked)").inner_text().endswith(label)
        page.keyboard.press("2")
        page.wait_for_selector('#saved[data-state="saved"]')
        rating = Rating.objects.select_related("stimulus").get(trial=trial)
        assert rating.score == 2
        assert missing(page) == "ready for the next one"
        if not trial.item.training:
            turned = method == "ccr" and systems(trial).get("first") != "original"
            given[rating.stimulus.system] = -2.0 if turned else 2.0
        on(page, session)
    assert set(given) == {"original", "anchor35"}
    said = results_of(study)
    name = {"acr": "MOS", "dcr": "DMOS", "ccr": "CMOS"}[method]
    mean = f"{given['anchor35']:.2f}".replace("-", "−")
    assert f"has a {name} of {mean} (1 listener, 1 item)" in said
    assert {row["score"] for row in export(study, "ratings.csv")} == {"2"}
    if method != "ccr":
        assert [row["stimuli_rating"] for row in export(study, "lss.csv")] == [" 2 "] * 2


def test_the_pair_is_one_sound_with_half_a_second_between(page: Page, live_server: Any, alice: User) -> None:
    session = instructed(open_method_study(alice, "dcr"))
    open_page(page, live_server, session)
    found = page.evaluate(
        """async () => {
        const { join } = await import("/static/js/audio/sequence.js");
        const rate = 48000;
        const context = new OfflineAudioContext(1, rate, rate);
        const make = (length, value) => {
            const buffer = context.createBuffer(1, length, rate);
            buffer.getChannelData(0).fill(value);
            return buffer;
        };
        const { buffer, spans } = join(context, [["x", make(4800, 0.5)], ["y", make(4801, -0.25)]]);
        const samples = buffer.getChannelData(0);
        const runs = [];
        for (const value of samples) {
            if (runs.length && runs.at(-1)[0] === value) runs.at(-1)[1] += 1;
            else runs.push([value, 1]);
        }
        return { runs, spans };
    }"""
    )
    assert found["runs"] == [[0.5, 4800], [0, 24000], [-0.25, 4801]]
    assert [span["name"] for span in found["spans"]] == ["x", "y"]
    assert found["spans"][1]["start"] == pytest.approx(0.6)
    assert found["spans"][1]["end"] == pytest.approx((28800 + 4801) / 48000)


def test_once_means_once_even_after_a_reload(page: Page, live_server: Any, alice: User) -> None:
    session = instructed(open_method_study(alice, "acr", options={"plays": "once"}))
    open_page(page, live_server, session)
    play_through(page)
    assert page.locator("#play").is_disabled()
    wait_for_event(session, "heard")
    page.reload()
    page.wait_for_function("document.querySelector('#sounding').textContent === 'heard: now grade it'")
    assert page.locator("#play").is_disabled()
    assert page.locator("#answers input").nth(0).is_enabled()


@pytest.mark.rest
def test_an_answer_outlives_reload_and_lost_network(
    page: Page, live_server: Any, alice: User, errors: Any
) -> None:
    errors.allow("ERR_INTERNET_DISCONNECTED")
    session = instructed(open_method_study(alice, "abx", options={"trials": 1}))
    open_page(page, live_server, session)
    for letter in "AXB":
        hear(page, letter)
    page.context.set_offline(True)
    page.get_by_label("X is the same as B").check()
    page.wait_for_selector('#saved[data-state="offline"]')
    assert not Choice.objects.exists()
    page.context.set_offline(False)
    page.wait_for_selector('#saved[data-state="saved"]')
    trial = now(session)
    assert Choice.objects.get(trial=trial).chosen.system == systems(trial)["B"]  # type: ignore[union-attr]
    page.reload()
    ready(page)
    assert page.get_by_label("X is the same as B").is_checked()
    assert missing(page) == "ready for the next one"


OPTIONS: dict[str, dict[str, Any]] = {"ab": {"pairs": "reference", "no_preference": True}}


@pytest.mark.parametrize("method", some(["abx", "ab", "bs1116", "acr", "dcr", "ccr"], "ccr".__eq__))
def test_pages_are_accessible_and_fit(page: Page, live_server: Any, alice: User, method: str) -> None:
    session = instructed(open_method_study(alice, method, options=OPTIONS.get(method)))
    open_page(page, live_server, session)
    for size in ((1280, 800), (1024, 640), (844, 390), (667, 375)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        high, wide = page.evaluate(
            "[document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
        )
        assert (high <= size[1], wide <= size[0]) == (True, True), (size, high, wide)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert find_in_both_schemes(page) == []
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="How it works").is_visible()
    assert find_problems(page) == []


Open = Callable[[], "Page"]


@pytest.mark.rest
def test_two_tabs_agree_on_the_latest_answer(
    page: Page, new_page: Open, live_server: Any, alice: User
) -> None:
    session = instructed(open_method_study(alice, "abx", options={"trials": 1}))
    open_page(page, live_server, session)
    for letter in "AXB":
        hear(page, letter)
    page.get_by_label("X is the same as A").check()
    page.wait_for_selector('#saved[data-state="saved"]')
    wait_for_event(session, "choose")
    other = new_page()
    other.goto(f"{live_server.url}/s/{session.token}/")
    other.get_by_role("button", name="Continue here").click()
    ready(other)
    assert other.get_by_label("X is the same as A").is_checked()
    other.get_by_label("X is the same as B").check()
    other.wait_for_selector('#saved[data-state="saved"]')
    trial = now(session)
    assert Choice.objects.get(trial=trial).chosen.system == systems(trial)["B"]  # type: ignore[union-attr]
