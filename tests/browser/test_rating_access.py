"""The rating page for everybody: by keyboard and screen reader alone, in every language, on every screen."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from django.contrib.auth.models import User

from listening.methods import METHODS
from listening.models import Event, Session, Study
from listening.session.sessions import begin, start_session
from listening.study import languages
from tests.browser.accessibility import find_in_both_schemes
from tests.browser.method_studies import ALIKE, instructed, open_method_study
from tests.browser.rating import (
    grades,
    hear,
    point,
    ready,
    skip_training,
    stored,
    study_of_twelve,
    wait_for_event,
)
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(60):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {selector}")


def press_and_leave(page: Page, selector: str, key: str = "Enter") -> None:
    """Press a key on what leads to the next page, and wait for that."""
    tab_to(page, selector)
    before = page.evaluate("performance.timeOrigin")
    page.keyboard.press(key)
    page.wait_for_function("(before) => performance.timeOrigin !== before", arg=before)
    page.wait_for_load_state()


def test_a_whole_study_by_keyboard_only(page: Page, live_server: Any, study: Study) -> None:
    """From the listener link to the completion code without a mouse."""
    keyboard = page.keyboard
    page.goto(f"{live_server.url}/t/{study.token}/")
    tab_to(page, "input[name=consent]")
    keyboard.press("Space")
    press_and_leave(page, "main form button[type=submit]")
    tab_to(page, "input[name=transducer]")
    keyboard.press("Space")
    page.wait_for_selector("#speech-play:not([disabled])")
    tab_to(page, "#speech-play")
    keyboard.press("Space")
    tab_to(page, "#volume")
    keyboard.press("ArrowDown")
    tab_to(page, "input[name=channels]")
    keyboard.press("Space")
    press_and_leave(page, "form button[type=submit]")
    press_and_leave(page, "form button[type=submit]")  # the instructions
    for _ in range(2):
        if page.locator("#rating").count() == 0:
            press_and_leave(page, "form button[type=submit]")  # the training is over
        ready(page)
        # By Tab as by the keys: the reference, then every stimulus and its slider.
        tab_to(page, "#reference")
        keyboard.press("Enter")
        page.wait_for_selector(".reference.sounding")
        for number in range(1, 5):
            tab_to(page, f".column:nth-child({number + 1} of .columns > *) .pick")
            keyboard.press("Enter")
            page.wait_for_selector(f".column:nth-child({number + 1} of .columns > *).sounding")
            keyboard.press("Shift+Tab")
            assert page.evaluate("document.activeElement.type") == "range"
            keyboard.press("ArrowUp")
            for _ in range(number):
                keyboard.press("Shift+ArrowUp")
        assert grades(page) == ["60", "70", "80", "90"]
        press_and_leave(page, "#next")
    session = Session.objects.get()
    assert page.locator("#completion-code").inner_text() == session.completion_code
    assert [stored(trial) for trial in session.trials.all()] == [[60, 70, 80, 90]] * 2


@pytest.fixture
def twelve(bob: User) -> Session:
    """A session past its training with twelve stimuli on the page."""
    session = start_session(study_of_twelve(bob))
    begin(session)
    skip_training(session)
    return session


def test_digits_of_every_keyboard_and_keys_for_twelve_stimuli_loops_and_sorting(
    page: Page, live_server: Any, twelve: Session
) -> None:
    page.goto(f"{live_server.url}/s/{twelve.token}/")
    ready(page)
    keyboard = page.keyboard
    digits_work_on_every_keyboard(page)

    def sounding() -> str:
        return page.locator(".column.sounding .pick").inner_text()

    for keys, number in (("9", "9"), ("Shift+Digit0", "10"), ("Shift+Digit1", "11"), ("Shift+Digit2", "12")):
        keyboard.press(keys)
        assert sounding() == number
    for number, steps in (("2", 4), ("12", 1), ("7", 2)):
        keyboard.press(f"Shift+Digit{int(number) - 10}" if len(number) > 1 else number)
        keyboard.press("ArrowUp")
        for _ in range(steps):
            keyboard.press("Shift+ArrowUp")
    keyboard.press("s")
    picks = page.locator(".pick").all_inner_texts()
    assert picks[:4] == ["2", "7", "12", "1"]  # 90, 70, 60, and those without a grade in their order
    assert grades(page)[:4] == ["90", "70", "60", "–"]
    assert page.get_by_role("button", name="Sort by grade").get_attribute("aria-pressed") == "true"
    # Arrows go by what stands where, numbers stay with their stimulus.
    keyboard.press("2")
    keyboard.press("ArrowRight")
    assert sounding() == "7"
    keyboard.press("s")
    assert page.locator(".pick").all_inner_texts() == [str(n) for n in range(1, 13)]
    # Loops of webMUSHRA's keys: a and b here, A and B at the very ends.
    keyboard.press("Space")  # pause: the position holds
    box = page.locator("#wave").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 8)
    keyboard.press("a")
    handle = page.locator(".handle.a")
    assert float(handle.get_attribute("aria-valuenow") or "") == pytest.approx(0.3, abs=0.02)
    keyboard.press("Shift+A")
    assert handle.get_attribute("aria-valuenow") == "0.00"
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 8)
    keyboard.press("b")
    handle = page.locator(".handle.b")
    assert float(handle.get_attribute("aria-valuenow") or "") == pytest.approx(0.7, abs=0.02)
    keyboard.press("Shift+B")
    assert handle.get_attribute("aria-valuenow") == "1.00"
    keyboard.press("?")
    assert page.get_by_role("dialog", name="How to listen and grade").is_visible()
    keyboard.press("3")  # nothing is played behind the help
    assert not page.locator("#rating.playing").count()
    keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def digits_work_on_every_keyboard(page: Page) -> None:
    for layout, key, code, number in (
        ("French, unshifted", "é", "Digit2", "2"),
        ("Nepali", "३", "Digit3", "3"),
        ("Arabic", "٤", "Digit4", "4"),
        ("number pad", "5", "Numpad5", "5"),
    ):
        page.evaluate(
            "(init) => document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...init}))",
            {"key": key, "code": code},
        )
        page.wait_for_function(
            "(number) => document.querySelector('.column.sounding .pick')?.innerText === number", arg=number
        )
        assert page.locator(".column.sounding .pick").inner_text() == number, layout


#: What a page may say about its sounds (`#sounding`) and about what keeps its listener (`#missing`), and what
#: stands on its main button after "Play". Where the server is out of reach, the page may grow.
ANY_SOUNDING = ("preparing sounds: {ready} of {total}", "no sound: check the output, press play")
SWITCHING = (
    *ANY_SOUNDING,
    "Playing {name}",
    "{name} is paused",
    "{name} is still being fetched",
    "A loop needs 500 ms or more",
)
LETTERS = (*SWITCHING, "ready: press a letter or play")
#: All three for each template of a trial's page.
TOLD = {
    "mushra": (
        (*SWITCHING, "Playing {name}: move its slider", "ready: press a number"),
        (
            "{count} of {total} left to hear and grade",
            "Still to hear and grade: {numbers}",
            "Please listen to the reference, too: you grade against it.",
            "all {total} heard and graded",
        ),
        ("Pause",),
    ),
    "choice": (LETTERS, ("ready for the next one", "still to hear: {names}", "choose an answer"), ("Pause",)),
    "impairment": (
        LETTERS,
        (
            "ready for the next one",
            "still to hear: {names}",
            "still to grade: {names}",
            "grade the one that is the reference 5.0",
        ),
        ("Pause",),
    ),
    "opinion": (
        (
            *ANY_SOUNDING,
            "{label} is playing",
            "stopped: it starts over",
            "heard: now grade it",
            "ready: press play",
        ),
        ("ready for the next one", "listen to the end first", "choose a grade"),
        ("Stop", "Play again"),
    ),
}
#: And about what is stored (`#saved`).
SAVED = (
    "saved ✓ {seconds} s ago",
    "saved ✓ {minutes} min ago",
)


class Box(TypedDict):
    """Where an element is in the window, in CSS pixels."""

    x: float
    y: float
    width: float
    height: float


class Look(TypedDict):
    """What `LOOK` finds: texts that are cut off or broken, sizes in CSS pixels, top and bottom of letters."""

    cut: list[str]
    broken: list[str]
    nameless: bool
    high: float
    wide: float
    outside: list[Box]
    targets: list[Box]
    columns: list[Box]
    picks: list[Box]
    words: list[Box]
    tracks: list[Box]
    letters: list[tuple[float, float]]
    anchors: list[tuple[float, float]]


#: What a screen shows of the page, with all that each line may say: read at once, because the page plays and
#: draws all the while.
LOOK = """(told) => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isCut = (element) =>
    element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
  const box = (element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return { x, y, width, height };
  };
  const letters = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const { top, bottom } = range.getBoundingClientRect();
    return [top, bottom];
  };
  const shown = all("#rating *").filter((element) => element.checkVisibility());
  const whole = ".button, .option, .where, .badge, .question, .lock, legend, .scale";
  const cut = shown.filter((element) => element.matches(whole) && isCut(element))
    .map((element) => element.textContent.trim());
  let high = root.scrollHeight;
  for (const [selector, texts] of Object.entries(told)) {
    const line = document.querySelector(selector);
    const before = line.textContent;
    for (const text of texts) {
      line.textContent = text;
      if (isCut(line.closest("button") ?? line)) cut.push(text);
      high = Math.max(high, root.scrollHeight);
    }
    line.textContent = before;
  }
  const words = new Intl.Segmenter(document.documentElement.lang, { granularity: "word" });
  const broken = all(".option span").flatMap((element) => [...words.segment(element.textContent)].filter(
    ({ segment, index, isWordLike }) => {
      const range = document.createRange();
      range.setStart(element.firstChild, index);
      range.setEnd(element.firstChild, index + segment.length);
      return isWordLike && range.getClientRects().length > 1;
    }).map(({ segment }) => segment));
  const nameless = all("[data-training] .study").some((name) => isCut(name) && name.clientWidth < 100);
  return {
    cut, broken, nameless, high, wide: root.scrollWidth,
    outside: shown.map(box).filter(({ x, width }) => width > 1 && (x < -1 || x + width > innerWidth + 1)),
    targets: shown.filter((element) => element.matches("button, .option")).map(box),
    columns: all(".column").map(box), picks: all(".pick").map(box), words: all(".words li").map(box),
    tracks: all(".track").map(box),
    letters: all(".words li").map(letters), anchors: all(".anchors span").map(letters),
  };
}"""

READ_PAGE = "JSON.parse(document.querySelector('#page').textContent)"

SCREENS = [
    ("monitor", 1920, 1080),
    ("desktop", 1280, 800),
    ("laptop", 1024, 640),
    ("part of a screen", 1000, 700),
    ("tablet upright", 820, 1180),
    ("small tablet upright", 650, 1000),
    ("tablet on its side", 1180, 820),
    ("phone upright", 390, 844),
    ("small phone upright", 360, 640),
    ("phone on its side", 844, 390),
    ("small phone on its side", 667, 375),
]


@pytest.mark.parametrize("codes", some(["ar", "de", "en fr ja ne"], "de".__eq__))
def test_no_screen_has_to_be_scrolled_sideways(
    page: Page, live_server: Any, twelve: Session, session: Session, codes: str
) -> None:
    """Nor is anything cut off: with many stimuli, or with few, whose page stays narrow on a wide screen."""
    for code in codes.split():
        for ours, columns in ((twelve, 12), (session, 4)):
            for seen, where in check_screens(page, live_server, ours, code):
                check_scale(seen, columns, where)


@pytest.mark.parametrize(
    ("method", "codes"),
    some(
        product(sorted(METHODS.keys() - {"mushra"}), ["de", "ar en fr ja ne"]),
        lambda row: row[0] not in ALIKE and row[1] == "de",
    ),
)
def test_no_screen_cuts_off_the_page_of_another_method(
    page: Page, live_server: Any, alice: User, method: str, codes: str
) -> None:
    """In training, which has more to tell; MUSHRA's is above."""
    options = {"no_preference": True} if method == "ab" else None  # a third answer
    session = instructed(open_method_study(alice, method, options=options))
    for code in codes.split():
        check_screens(page, live_server, session, code)


def check_screens(page: Page, live_server: Any, session: Session, code: str) -> list[tuple[Look, str]]:
    """A session's page is whole on each screen. Returns what it shows of it, and which it is."""
    Study.objects.update(language=code)
    study = Study.objects.get(pk=session.study_id)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    page.keyboard.press("1")
    page.keyboard.press("ArrowUp")
    told = list_told(page, study)
    looks = []
    for name, width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        seen: Look = page.evaluate(LOOK, told)
        where = f"{study.method} with {len(seen['picks'])}, {name}, {code}"
        check_screen(seen, width, height, where)
        looks.append((seen, where))
    return looks


def list_told(page: Page, study: Study) -> dict[str, list[str]]:
    """All that each line of the page may say, in the study's language."""
    with languages.use_study_language(study):
        words = languages.script_words()
    sounding, missing, button = TOLD[Path(METHODS[study.method].template).stem]
    labels = [sound["label"] for sound in page.evaluate(READ_PAGE).get("sounds", [])]
    stimulus = words.get("Version {number}", "Version {number}").format(number=12)
    values = {
        "name": labels[-1] if labels else stimulus,
        "label": max(labels, key=len, default=""),
        "names": ", ".join(labels),
        "numbers": ", ".join(str(number) for number in range(1, 13)),
        "ready": 12,
        "total": 13,
        "count": 12,
        "seconds": 59,
        "minutes": 59,
    }
    told = {"#sounding": sounding, "#missing": missing, "#saved": SAVED, "#play span": button}
    return {
        selector: [(each if study.language == "en" else words[each]).format_map(values) for each in texts]
        for selector, texts in told.items()
    }


def check_screen(seen: Look, width: int, height: int, where: str) -> None:
    assert seen["cut"] == [], where
    assert seen["broken"] == [], where
    assert seen["wide"] == width, where
    assert seen["outside"] == [], where
    # Where the line above wraps in training, it does so before it leaves a letter or two of the study's name.
    assert not (640 < width <= 1020 and height > 520 and seen["nameless"]), where
    # A small phone held upright may scroll down to Next: its bands would be too low for their words, the
    # question takes up to four lines, and that this is training another two.
    assert seen["high"] <= (850 if (width, height) == (360, 640) else height), where
    # Each button can be hit with a finger (24 px, WCAG 2.5.8).
    assert all(box["width"] >= 24 <= box["height"] for box in seen["targets"]), where
    # No word of the impairment scale is written across another.
    for (_, end), (start, _) in pairwise(seen["anchors"]):
        assert end <= start + 1, where


def check_scale(seen: Look, columns: int, where: str) -> None:
    """MUSHRA's scale is whole, and its words stand in their bands."""
    assert len(seen["picks"]) == columns, where
    # The column that sounds is outlined in full height.
    assert len({box["height"] for box in seen["columns"]}) == 1, where
    # Centred between the lines of 100 and 80.
    track = seen["tracks"][0]
    assert len(seen["words"]) == 5, where
    for band, word in enumerate(seen["words"]):
        middle = track["y"] + 9 + (band + 0.5) * (track["height"] - 18) / 5
        assert word["y"] + word["height"] / 2 == pytest.approx(middle, abs=4), where
    # On end, too, no word is longer than its band.
    high = (track["height"] - 18) / 5
    for band, (start, end) in enumerate(seen["letters"]):
        assert track["y"] + 9 + band * high - 0.5 <= start, where
        assert end <= track["y"] + 9 + (band + 1) * high + 0.5, where


@pytest.mark.parametrize("code", [pytest.param("en", marks=pytest.mark.rest), "ar"])
def test_axe_finds_nothing(page: Page, live_server: Any, session: Session, code: str) -> None:
    Study.objects.update(language=code)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    assert find_in_both_schemes(page) == []
    page.locator(".pick").nth(0).click()
    page.wait_for_selector(".column.sounding")
    page.mouse.click(*point(page, 1, 70))
    page.locator("#next").click()
    assert find_in_both_schemes(page) == []  # with what is missing marked
    page.keyboard.press("?")
    assert find_in_both_schemes(page) == []  # with the help open


def test_the_help_opens_at_its_top_on_a_phone(page: Page, live_server: Any, session: Session) -> None:
    """The button that has the focus is at its end."""
    page.set_viewport_size({"width": 390, "height": 600})
    Study.objects.update(language="de")
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    # In training, and in one piece: no word of the badge beside the others.
    assert page.locator(".badge.training > *").count() == 1
    page.locator("#help-button").click()
    title = page.locator("#help-title").bounding_box()
    assert title is not None
    assert title["y"] >= 0
    keys = page.locator("#help kbd").all_inner_texts()
    assert "Umschalt" not in keys  # nine versions at most
    assert {"Leertaste", "Esc", "Rücktaste", "Ende", "Pos1", "Eingabe"} <= set(keys)


@pytest.mark.parametrize("code", some(languages.LANGUAGES, {"de", "ar"}.__contains__))
def test_the_page_speaks_the_studys_language(
    page: Page, live_server: Any, session: Session, code: str
) -> None:
    check_language(page, live_server, session, code)


def check_language(page: Page, live_server: Any, session: Session, code: str) -> None:
    Study.objects.update(language=code)
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    study = Study.objects.get()
    with languages.use_study_language(study):
        scale = [str(word) for word in languages.QUALITY]
        stimulus = languages.script_words().get("Version {number}", "Version {number}")
        sounding = languages.script_words().get(
            "Playing {name}: move its slider", "Playing {name}: move its slider"
        )
    assert page.locator(".words li").all_inner_texts() == scale
    page.keyboard.press("2")
    name = stimulus.format(number=2)
    assert page.locator("#sounding").inner_text() == sounding.format(name=name)
    page.keyboard.press("ArrowUp")
    slider = page.locator(".column.sounding input")
    assert slider.get_attribute("aria-label") == name
    assert slider.get_attribute("aria-valuetext") == f"50, {scale[2]}"
    if code != "en":
        shown = page.locator("body").inner_text()
        for english in (
            "Reference",
            "graded",
            "Excellent" if code != "fr" else "Fair",
            "Volume locked",
            "Next",
        ):
            assert english not in shown
    if languages.LANGUAGES[code].right_to_left:
        # The first stimulus is at the right, and the arrow to the left goes on to the next.
        first, last = (page.locator(".pick").nth(i).bounding_box() for i in (0, -1))
        assert first is not None
        assert last is not None
        assert first["x"] > last["x"]
        page.keyboard.press("ArrowLeft")
        assert page.locator(".column.sounding .pick").inner_text() == "3"


def test_the_log_tells_what_was_done(page: Page, live_server: Any, session: Session) -> None:
    """Plays, switches, loops, seeks and slider moves, each with its time and place (M30)."""
    page.goto(f"{live_server.url}/s/{session.token}/")
    ready(page)
    keyboard = page.keyboard
    keyboard.press("r")
    hear(page, 2)
    keyboard.press("ArrowUp")
    keyboard.press("Shift+ArrowUp")
    box = page.locator("#wave").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 8)
    page.locator(".handle.a").focus()
    keyboard.press("Shift+ArrowRight")
    keyboard.press("Escape")
    page.get_by_role("button", name="Loop", exact=True).click()
    keyboard.press("s")
    page.evaluate("document.activeElement.blur()")  # Space would work the button
    keyboard.press("Space")
    wait_for_event(session, "pause")  # they are sent in batches
    events = list(Event.objects.order_by("sequence"))
    kinds = [event.kind for event in events]
    order = [
        "open",
        "ready",
        "play",
        "switch",
        "grade",
        "grade",
        "seek",
        "loop",
        "loop",
        "looping",
        "sort",
        "pause",
    ]
    assert [kind for kind in kinds if kind in order] == order
    times = [event.milliseconds for event in events]
    assert times == sorted(times)
    by_kind = {event.kind: event.detail for event in events}
    key = session.trials.get(position=1).order[1]["key"]
    assert by_kind["switch"]["sound"] == key
    assert [e.detail["score"] for e in events if e.kind == "grade"] == [50, 60]
    assert [e.detail["from"] for e in events if e.kind == "grade"] == [None, 50]
    assert by_kind["seek"]["at"] == pytest.approx(1.5, abs=0.02)
    assert [e.detail["start"] for e in events if e.kind == "loop"] == [0.5, 0]
