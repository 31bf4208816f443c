"""A listener's whole way in a real browser: questions, sound, headphones, training, breaks, thanks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from listening.models import Answer, Session, Stage, Study
from listening.session.ratings import finish_trial, save_rating
from listening.session.sessions import TRAINED, begin, start_session, take_step
from listening.study import headphones
from tests.browser.conftest import new_context, spend
from tests.browser.rating import ready
from tests.listening.conftest import grade
from tests.live import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUESTIONS = [
    {"name": "age", "label": "How old are you?", "type": "number", "when": "before", "required": True,
     "minimum": 18, "maximum": 99, "help": "In years."},
    {"name": "hearing", "label": "Do you hear well?", "type": "single", "when": "before", "required": True,
     "choices": [{"value": "yes", "label": "Yes"}, {"value": "no", "label": "No, not quite"}]},
    {"name": "used", "label": "What do you use?", "type": "multiple", "when": "before", "required": False,
     "choices": [{"value": "phone", "label": "Telephone"}, {"value": "radio", "label": "Radio"}]},
    {"name": "tired", "label": "Was it tiring?", "type": "likert", "when": "after", "required": True,
     "choices": [{"value": str(n), "label": text} for n, text in
                 enumerate(("Not at all", "A little", "Rather", "Very"), start=1)]},
    {"name": "note", "label": "Anything else?", "type": "long_text", "when": "after", "required": False},
]  # fmt: skip

#: Makes sounds last a twentieth of their time, and measures what leaves for each ear.
LISTENING = """
  window.speed = 20;
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...when) {
    this.playbackRate.value = window.speed;
    return start.apply(this, when);
  };
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode) {
      const splitter = new ChannelSplitterNode(this.context, { numberOfOutputs: 2 });
      const upmix = new GainNode(this.context, { channelCount: 2, channelCountMode: "explicit" });
      connect.call(connect.call(this, upmix), splitter);
      window.ears = [0, 1].map((ear) => {
        const analyser = new AnalyserNode(this.context, { fftSize: 2048 });
        connect.call(splitter, analyser, ear);
        return analyser;
      });
      window.heard = [0, 0];
      setInterval(() => window.ears.forEach((analyser, ear) => {
        const samples = new Float32Array(2048);
        analyser.getFloatTimeDomainData(samples);
        window.heard[ear] = Math.max(window.heard[ear], ...samples.map(Math.abs));
      }), 5);
    }
    return connect.call(this, to, ...rest);
  };
"""


@pytest.fixture
def full(study: Study) -> Study:
    """The study with everything around it."""
    Study.objects.filter(pk=study.pk).update(
        questionnaire=QUESTIONS,
        headphones={"tests": [{"test": "huggins", "pass": 5, "attempts": 1}], "on_fail": "end"},
        recruitment={"platform": "prolific", "required": False, "code": "C0DE", "screened_out_code": "SCRN"},
        training_repeats=1,
    )
    study.refresh_from_db()
    return study


@pytest.fixture
def listener(page: Page) -> Page:
    page.add_init_script(LISTENING)
    spend(page.context)
    return page


def join(page: Page, live_server: Any, study: Study, query: str = "") -> Session:
    page.goto(f"{live_server.url}/t/{study.token}/{query}")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Take part").click()
    page.wait_for_url(re.compile(r"/s/[^/]+/$"))
    return Session.objects.get(token=page.url.split("/")[-2])


def answer_first_questions(page: Page) -> None:
    page.get_by_label("How old are you?").fill("17")
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Please enter 18 or more.").wait_for()
    assert page.get_by_text("Please answer this question.").count() == 1
    assert page.get_by_label("How old are you?").evaluate("input => input === document.activeElement")
    page.get_by_label("How old are you?").fill("34")
    page.get_by_label("No, not quite").check()
    page.get_by_label("Radio").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Set up your sound").wait_for()


def hear(page: Page, button: str) -> list[float]:
    """What reaches the ears when a button is pressed: peaks, left and right."""
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_function("window.heard && Math.max(...window.heard) > 0.001")
    page.wait_for_timeout(200)  # what sounded before has left the analysers
    page.evaluate("window.heard.fill(0)")
    page.wait_for_timeout(300)
    peaks: list[float] = page.evaluate("window.heard")
    return peaks


def set_the_sound(page: Page) -> None:
    page.evaluate("window.speed = 1")
    page.get_by_role("slider", name="Volume").fill("0")
    left, right = hear(page, "Play on the left")
    assert left > 0.01
    assert right < left / 100
    left, right = hear(page, "Play on the right")
    assert right > 0.01
    assert left < right / 100
    loud = hear(page, "Play the speech")
    assert loud[0] == pytest.approx(loud[1], rel=1e-3)
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Please say what you listen with.").wait_for()
    page.get_by_label("Loudspeakers").check()
    page.get_by_label("Left was left, right was right").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("This test needs headphones.").wait_for()
    page.get_by_label("Headphones on or over the ears").check()
    page.get_by_role("slider", name="Volume").fill("-12")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Headphone check").wait_for()


def screen(page: Page, session: Session, *, right: bool) -> None:
    """All rounds of the headphone check, each heard before it is answered."""
    for number in range(1, headphones.ROUNDS + 1):
        page.get_by_text(f"Round {number} of 6").wait_for()
        current = headphones.current_round(session)
        assert current
        assert current.number == number
        assert page.get_by_role("button", name="First").is_disabled()  # first listen
        page.get_by_role("button", name="Play", exact=True).click()
        page.get_by_text("Choose one.").wait_for()
        interval = headphones.plan_of(session, current)[0]
        chosen = interval if right else (interval + 1) % 3
        page.get_by_role("button", name=("First", "Second", "Third")[chosen]).click()
    page.wait_for_selector("h1:not(:text('Headphone check'))")


def grade_page(page: Page) -> None:
    """Grade a whole trial by the keyboard."""
    ready(page)
    where = page.locator(".where").inner_text()
    page.keyboard.press("r")
    page.wait_for_selector(".reference.sounding")
    for number in range(1, page.locator(".column").count() + 1):
        page.keyboard.press(str(number))
        page.wait_for_selector(f".column:nth-child({number + 1} of .columns > *).sounding")
        page.keyboard.press("Shift+ArrowUp")
    page.wait_for_selector('#saved[data-state="saved"]')
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("before => document.querySelector('.where')?.innerText !== before", arg=where)


def reload(page: Page, heading: str) -> None:
    """Reloading a step shows it again."""
    page.reload()
    page.get_by_role("heading", name=heading, exact=True).wait_for()


def test_the_whole_way_with_right_answers(
    listener: Page, live_server: Any, full: Study, browser: Browser, errors: Errors
) -> None:
    errors.allow("status of 422")  # answers that were wrong
    page = listener
    session = join(page, live_server, full, "?PROLIFIC_PID=5f5f&SESSION_ID=61")
    reload(page, "A few questions first")
    answer_first_questions(page)
    reload(page, "Set up your sound")
    set_the_sound(page)
    reload(page, "Headphone check")
    page.get_by_role("button", name="Hear an example").click()
    page.wait_for_selector("#screening-play:not([disabled])")
    screen(page, session, right=True)
    reload(page, "Instructions")
    page.get_by_role("button", name="Start the training").click()
    grade_page(page)
    reload(page, "The training is finished")
    page.get_by_role("button", name="Repeat the training").click()
    ready(page)
    assert page.get_by_text("Training: these grades are not used").is_visible()
    grade(session.trials.get(finished=None, item__training=True))
    page.reload()
    assert page.get_by_role("button", name="Repeat the training").count() == 0
    assert page.get_by_text("C0DE").count() == 0
    page.get_by_role("button", name="Start the test").click()
    grade_page(page)

    # -- The rest on another device, by the session's link.
    elsewhere = new_context(browser)
    phone = elsewhere.new_page()
    phone.goto(page.url)
    phone.get_by_label("Rather").check()
    phone.get_by_label("Anything else?").fill("It was fun.")
    phone.get_by_role("button", name="Hand in").click()
    phone.get_by_role("heading", name="The test is complete").wait_for()
    link = phone.get_by_role("link", name="Complete at Prolific")
    assert link.get_attribute("href") == "https://app.prolific.com/submissions/complete?cc=C0DE"
    assert phone.locator("#completion-code").inner_text() == "C0DE"
    assert elsewhere.cookies() == []
    elsewhere.close()

    # -- Coming again by Prolific's link ends at the thanks.
    page.goto(f"{live_server.url}/t/{full.token}/?PROLIFIC_PID=5f5f&SESSION_ID=62")
    assert page.locator("#completion-code").inner_text() == "C0DE"
    session.refresh_from_db()
    assert session.finished
    answers = dict(Answer.objects.values_list("question", "value"))
    assert answers == {"age": 34, "hearing": "no", "used": ["radio"], "tired": 3, "note": "It was fun."}
    sound = Stage.objects.get(name="volume").data
    assert (sound["transducer"], sound["channels"], sound["volume_db"]) == ("headphones", "right", -12)
    assert Stage.objects.get(name="huggins-1").data["correct"] == 6


@pytest.mark.rest
def test_wrong_answers_to_the_headphone_check_end_kindly(
    listener: Page, live_server: Any, full: Study
) -> None:
    page = listener
    Study.objects.update(questionnaire=[])
    session = join(page, live_server, full, "?PROLIFIC_PID=5f5f")
    page.get_by_label("Earphones in the ears").check()
    page.get_by_label("Both sounded, but left and right are swapped").check()
    page.get_by_role("button", name="Continue").click()
    screen(page, session, right=False)
    for _ in range(2):
        page.get_by_role("heading", name="Thank you for trying").wait_for()
        assert page.get_by_role("link", name="Complete at Prolific").get_attribute("href") == (
            "https://app.prolific.com/submissions/complete?cc=SCRN"
        )
        page.goto(f"{live_server.url}/t/{full.token}/?PROLIFIC_PID=5f5f")
    session.refresh_from_db()
    assert session.screened_out
    assert Stage.objects.get(name="huggins-1").data["correct"] == 0
    assert Session.objects.count() == 1


def test_a_round_of_the_check_is_heard_as_it_was_made(listener: Page, live_server: Any, full: Study) -> None:
    """In Chromium, decoded and resampled: silence between, and the intervals marked while they sound."""
    session = start_session(full)
    Study.objects.update(questionnaire=[])
    take_step(session, "before", {})
    take_step(session, "volume", {})
    page = listener
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.evaluate("window.speed = 1")
    page.get_by_role("button", name="Play", exact=True).click()
    marked = []
    for _ in range(3):
        page.wait_for_selector("[data-sounding]")
        marked.append(page.locator("[data-sounding]").inner_text())
        page.wait_for_function("!document.querySelector('[data-sounding]')")
    assert marked == ["First", "Second", "Third"]
    left, right = page.evaluate("window.heard")
    assert 0.01 < left < 1
    assert right == pytest.approx(left, rel=0.4)
    # The samples that this browser makes of the file: only the target's ears differ.
    differs = page.evaluate(
        """async () => {
          const bytes = await (await fetch(document.querySelector("#screening").dataset.sound)).arrayBuffer();
          const context = new OfflineAudioContext(2, 1, 44100);
          const audio = await context.decodeAudioData(bytes);
          const [left, right] = [audio.getChannelData(0), audio.getChannelData(1)];
          return [0, 1, 2].map((n) => {
            let most = 0;
            for (let i = n * 66150; i < n * 66150 + 44100; i++) {
              most = Math.max(most, Math.abs(left[i] - right[i]));
            }
            return most > 0.001;
          });
        }"""
    )
    current = headphones.current_round(session)
    assert current
    assert differs == [n == headphones.plan_of(session, current)[0] for n in range(3)]


def test_a_draft_is_there_after_a_reload(page: Page, live_server: Any, full: Study) -> None:
    join(page, live_server, full)
    page.get_by_label("How old are you?").fill("52")
    page.get_by_label("Telephone").check()
    wait_for("the draft", lambda: Answer.objects.filter(question="used", value=["phone"]), 10)
    page.reload()
    assert page.get_by_label("How old are you?").input_value() == "52"
    assert page.get_by_label("Telephone").is_checked()


def test_the_study_link_speaks_the_language_that_was_chosen(
    page: Page, live_server: Any, study: Study
) -> None:
    """At the link, then in the session; and until its data is deleted, or another is chosen at the link."""
    Study.objects.update(language="de", other_languages=["ar", "ja"])
    link = f"{live_server.url}/t/{study.token}/"

    def expect(language: str) -> None:
        page.wait_for_selector(f"html[lang={language}] .languages")

    def open_link(language: str) -> None:
        page.goto(link, wait_until="commit")  # it may go on at once
        expect(language)

    def choose(language: str) -> None:
        page.locator(".languages summary").click()
        with page.expect_navigation():
            page.locator(f".languages li a[lang={language}], .languages button[lang={language}]").click()

    open_link("de")
    choose("ar")
    page.locator("input[name=consent]").check()
    page.locator("#join button").click()
    page.wait_for_url("**/s/**")
    session = page.url
    open_link("ar")
    page.locator("#continue button").click()
    page.wait_for_url("**/s/**")
    choose("ja")
    expect("ja")
    open_link("ja")
    choose("de")
    expect("de")
    page.goto(f"{session}withdraw/")
    page.locator("main form button").click()
    page.wait_for_selector("body[data-gone]")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.includes('session of'))") == []
    open_link("de")


def test_a_break_by_keyboard_and_withdrawing_at_it(page: Page, live_server: Any, study: Study) -> None:
    Study.objects.update(break_after=1)
    study.refresh_from_db()
    second = study.items.get(training=False)
    second.pk, second.position = None, 2
    second.save()
    for stimulus in study.items.get(position=1).stimuli.all():
        stimulus.pk, stimulus.item = None, second
        stimulus.save()
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1))  # the training
    page.goto(f"{live_server.url}/s/{session.token}/")
    page.get_by_text("From here on your grades count.").wait_for()
    page.get_by_role("button", name="Start the test").click()
    ready(page)
    grade_page(page)
    page.get_by_role("heading", name="Time for a break").wait_for()
    assert page.get_by_text("1 of 2 pages are done").is_visible()
    page.get_by_role("link", name="Withdraw and delete my data").click()
    page.get_by_role("link", name="Back to the test").click()
    page.get_by_role("button", name="Go on").focus()
    page.keyboard.press("Enter")
    ready(page)
    assert 0 <= Stage.objects.get(name="break-1").data["seconds"] < 60
    page.goto(f"{live_server.url}/s/{session.token}/withdraw/")
    page.get_by_role("button", name="Delete my data").click()
    page.get_by_role("heading", name="Your data is deleted").wait_for()
    assert not Session.objects.exists()


def test_mturk_in_its_frame(browser: Browser, live_server: Any, study: Study) -> None:
    """Another site's frame: no cookies, and the browser obeys frame-ancestors."""
    Study.objects.update(recruitment={"platform": "mturk", "required": True})
    query = "?workerId=A1&assignmentId=3A&hitId=3H&turkSubmitTo=https%3A%2F%2Fworkersandbox.mturk.com"
    submitted: list[str | None] = []

    def earshot(route: Route) -> None:
        # Browsers guard what is local from the public; so the live server gets a public name.
        local = route.request.url.replace("https://earshot.example", live_server.url)
        answer = route.fetch(url=local, max_redirects=0)
        if location := answer.headers.get("location"):
            # What a redirect leads to does not come by here.
            route.fulfill(
                content_type="text/html", body=f'<meta http-equiv="refresh" content="0;{location}">'
            )
        else:
            route.fulfill(response=answer)

    def frame(route: Route) -> None:
        source = f"https://earshot.example/t/{study.token}/{query}"
        route.fulfill(content_type="text/html", body=f'<title>task</title><iframe src="{source}"></iframe>')

    def submit(route: Route) -> None:
        submitted.append(route.request.post_data)
        route.fulfill(content_type="text/html", body="<title>done</title><p>Received.")

    context = new_context(browser)
    context.route("https://earshot.example/**", earshot)
    context.route("https://worker.mturk.com/**", frame)
    context.route("https://evil.example/**", frame)
    context.route("https://workersandbox.mturk.com/**", submit)
    page = context.new_page()
    with page.expect_response("https://earshot.example/t/**"):
        page.goto("https://evil.example/")
    page.wait_for_timeout(300)
    task = page.frame_locator("iframe")
    assert task.get_by_role("checkbox").count() == 0
    page.goto("https://worker.mturk.com/")
    task.get_by_role("checkbox").check()
    task.get_by_role("button", name="Take part").click()
    task.get_by_label("Earphones in the ears").check()
    task.get_by_label("Left was left, right was right").check()
    task.get_by_role("button", name="Continue").click()
    task.get_by_role("button", name="Start the training").wait_for()
    session = Session.objects.get()
    begin(session)
    for trial in session.trials.all():
        for entry in trial.order:
            save_rating(trial, entry["key"], 50, 1)
        finish_trial(trial)
        take_step(session, TRAINED, {})
    task.get_by_role("button", name="Start the training").click()
    task.get_by_role("button", name="Submit the assignment").click()
    task.get_by_text("Received.").wait_for()
    assert submitted == [f"assignmentId=3A&code={session.completion_code}&outcome=finished"]
    assert context.cookies() == []
    context.close()
