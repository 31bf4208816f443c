"""axe-core on every state of every page, on three screens, light and dark, in English, German and Arabic.

By hand, because it takes half an hour: ``pytest -m grid tests/browser/test_every_page.py``. A part of it is
in the pages' own tests: `test_rating_access`, `test_methods`, `test_session_access`, `test_researcher_access`
and `test_results_page`. Researchers' pages are in English only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.utils import timezone

from evaluation import tasks as evaluation_tasks
from evaluation.models import Clip, Job, OutputBatch, Rendition, Score, UploadedSystem
from listening.columns.demos import Section
from listening.demos import drafts, voices
from listening.demos.publishing import publish
from listening.methods import METHODS
from listening.models import (
    Analysis,
    Demo,
    DemoVersion,
    ImportDraft,
    Preparation,
    Rating,
    Session,
    Simulation,
    Study,
    VoiceTrial,
)
from listening.results import analyses
from listening.session.ratings import finish_trial
from listening.session.sessions import begin, start_preview, start_session, take_step
from listening.simulation import runs
from listening.simulation.listener import Listener
from listening.study.studies import archive_study, close_study, create_study
from listening.tasks import hear_voice, prepare_study, publish_demo
from listening.web.accounts import make_signin_link
from tests.browser.accessibility import find_cut_actions, find_on_every_screen
from tests.browser.method_studies import instructed, open_method_study
from tests.browser.rating import make_clip as make_spoken_clip
from tests.browser.rating import speech_through
from tests.browser.test_policy import sign_in
from tests.browser.test_session_access import states
from tests.evaluation.conftest import make_speech, make_wav
from tests.listening.conftest import make_clip, processed

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.browser.conftest import Errors

__all__ = ["make_clip", "processed"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.grid, pytest.mark.django_db(transaction=True)]

LANGUAGES = ["en", "de", "ar"]
OPTIONS: dict[str, dict[str, Any]] = {"ab": {"pairs": "all", "no_preference": True}, "abx": {"trials": 2}}
SYSTEMS = ("anchor35", "anchor70", "codec2-3.2k")


def has_nested_forms(html: str) -> bool:
    """Whether a form begins inside another: its start is then ignored, and its end is the outer one's."""
    depth = 0
    for tag in re.findall(r"</?form\b", html):
        depth += -1 if tag.startswith("</") else 1
        if depth > 1:
            return True
    return False


class Walk:
    """Looks at one state of a page after the other, and keeps what axe-core found."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self.site = page, site
        self.found: dict[str, list[str]] = {}
        self.seen: list[str] = []

    def go(self, address: str, name: str = "") -> None:
        self.page.set_viewport_size({"width": 1280, "height": 800})
        answer = self.page.goto(self.site + address)
        self.page.wait_for_load_state("networkidle")
        if cut := find_cut_actions(self.page):
            self.found[f"{name or address}, 1280 px wide"] = cut
        self.look(name or address)
        if answer is not None and has_nested_forms(answer.text()):
            self.found.setdefault(name or address, []).append(
                "a form inside a form, whose end is the outer one's"
            )

    def look(self, name: str) -> None:
        """The page as it is now, with everything unfolded that can be."""
        self.page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true;")
        self.seen.append(name)
        if found := find_on_every_screen(self.page):
            self.found[name] = found

    def end(self) -> None:
        text = "\n".join(f"{name}\n  " + "\n  ".join(found) for name, found in self.found.items())
        assert not self.found, f"{len(self.seen)} states\n{text}"


@pytest.fixture
def walk(page: Page, live_server: Any, errors: Errors) -> Iterator[Walk]:
    # What a page that is refused says of itself, and a figure that nobody has computed.
    errors.allow("status of 4", "status of 500")
    walk = Walk(page, live_server.url)
    yield walk
    walk.end()


@pytest.fixture
def signed_in(context: BrowserContext, live_server: Any, alice: User) -> User:
    sign_in(context, alice, live_server.url)
    return alice


@pytest.fixture
def client(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def answer(study: Study, number: int) -> Session:
    """A real listener, answering as a simulated one does."""
    study.simulation = runs.complete_settings(study, {"listeners": 10, "seed": 1})
    session = start_session(study)
    begin(session)
    listener = Listener(study, number)
    systems = {stimulus.pk: stimulus.system for item in study.items.all() for stimulus in item.stimuli.all()}
    for trial in session.trials.order_by("position"):
        listener.answer(trial, systems)
        finish_trial(trial)
    Session.objects.filter(pk=session.pk, finished=None).update(finished=timezone.now())
    return session


def compute(study: Study) -> None:
    for row in study.analyses.filter(status="queued"):
        analyses.run(row.pk)


# -- listeners


@pytest.mark.parametrize("code", LANGUAGES)
def test_around_the_trials(walk: Walk, study: Study, code: str) -> None:
    Study.objects.update(language=code, other_languages=LANGUAGES)
    for number, address in enumerate(states(study)):
        walk.go(address, f"{number}: {address}")
    Study.objects.update(closes=None, max_sessions=None, status=Study.Status.OPEN, questionnaire=[])
    study.refresh_from_db()
    walk.page.evaluate("localStorage.clear()")  # it knows the session that was looked at
    walk.go(f"/t/{study.token}/", "consent")
    walk.page.get_by_role("checkbox").check()
    with walk.page.expect_navigation():
        walk.page.locator("main form button[type=submit]:visible").last.click()
    walk.go(f"/t/{study.token}/", "continue where you stopped")
    preview = start_preview(study)
    walk.go(f"/s/{preview.token}/", "preview")
    session = instructed(study)
    walk.go(f"/s/{session.token}/", "a trial")
    tab = walk.page.context.new_page()
    tab.goto(f"{walk.site}/s/{session.token}/")
    tab.wait_for_load_state("networkidle")
    Walk.look(other := Walk(tab, walk.site), "the same in a second tab")
    walk.found |= other.found
    tab.close()
    Session.objects.filter(pk=session.pk).delete()
    walk.go(f"/s/{session.token}/", "a session that is gone")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_trials(walk: Walk, alice: User, method: str, code: str) -> None:
    under_test = SYSTEMS if "anchor35" in METHODS[method].always else SYSTEMS[:2]  # anchors alone are no test
    session = instructed(open_method_study(alice, method, systems=under_test, options=OPTIONS.get(method)))
    Study.objects.update(language=code)
    page = walk.page
    page.goto(f"{walk.site}/s/{session.token}/")
    page.wait_for_selector("#play:not([disabled]), #rating[data-ready]")
    walk.look("before the first sound")
    page.locator(".pick, #play").first.click()
    page.wait_for_selector(".sounding, #rating.playing")
    walk.look("playing")
    page.keyboard.press("Space")
    page.locator("#next").click()
    walk.look("with what is missing marked")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    walk.look("help")
    page.keyboard.press("Escape")
    study = session.study
    study.simulation = runs.complete_settings(study, {"listeners": 10, "seed": 1})
    systems = {stimulus.pk: stimulus.system for item in study.items.all() for stimulus in item.stimuli.all()}
    trial = session.trials.order_by("position").first()
    assert trial is not None
    Listener(study, 0).answer(trial, systems)
    page.goto(f"{walk.site}/s/{session.token}/")
    page.wait_for_selector("#play:not([disabled]), #rating[data-ready]")
    walk.look("with every answer")
    finish_trial(trial)
    take_step(session, "trained", {})
    page.goto(f"{walk.site}/s/{session.token}/")
    page.wait_for_selector("#play:not([disabled]), #rating[data-ready]")
    walk.look("the first that counts")


# -- visitors


@pytest.mark.parametrize("code", LANGUAGES)
def test_refusals(walk: Walk, study: Study, code: str) -> None:
    """What anybody gets who comes to the wrong place or at the wrong time, in the browser's language."""
    walk.page.context.set_extra_http_headers({"Accept-Language": code})
    for address in (
        "/nothing/",
        "/t/nothing/",
        "/s/nothing/",
        "/d/nothing/",
        "/voice/nothing/",
        "/signin/x/",
    ):
        walk.go(address)
    walk.page.goto(f"{walk.site}/signin/")
    walk.page.evaluate("document.querySelector('[name=csrfmiddlewaretoken]').value = 'x'")
    walk.page.locator("form [name=username]").fill("alice")
    walk.page.locator("form [name=password]").fill("wrong")
    walk.page.locator("main form button").first.click()
    walk.look("a form that has been open for too long")
    with override_settings(THROTTLING=True):
        for _ in range(7):
            Client().post("/signin/", {"username": "alice", "password": "wrong"})
        walk.page.goto(f"{walk.site}/signin/")
        walk.page.locator("form [name=username]").fill("alice")
        walk.page.locator("form [name=password]").fill("wrong")
        walk.page.locator("main form button").first.click()
        walk.look("too many tries")
    walk.page.context.set_extra_http_headers({})


def test_front_door_and_documents(walk: Walk, study: Study, alice: User) -> None:
    walk.go("/", "front page without a clip")
    Study.objects.update(listed=True)
    Clip.objects.update(public=True)
    walk.go("/", "front page")
    walk.go("/gallery/", "empty gallery")
    walk.go("/signin/")
    walk.page.locator("form [name=username]").fill("alice")
    walk.page.locator("form [name=password]").fill("wrong")
    walk.page.locator("main form button").first.click()
    walk.look("a wrong password")
    walk.go(make_signin_link(alice).split("/", 3)[-1].join(("/", "")), "a link to sign in")
    walk.go("/docs/")
    walk.go("/docs/?search=loudness", "documents found")
    walk.go("/docs/?search=xyzzy", "no document found")
    for path in sorted(Path("docs").glob("*.md")):
        walk.go(f"/docs/{path.stem}/")


def test_own_voice(walk: Walk, monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setattr(voices, "SYSTEMS", ("opus-6k", "codec2-2.4k"))
    page = walk.page
    page.goto(f"{walk.site}/")
    page.wait_for_selector("[data-recorder][data-ready]")
    walk.look("before consent")
    page.check("[name=consent]")
    walk.look("after consent")
    page.click("[data-record]")
    page.wait_for_function("parseFloat(document.querySelector('[data-time]').textContent) > 0.8")
    walk.look("recording")
    page.click("[data-record]")
    page.wait_for_selector("[data-send]:enabled")
    walk.look("recorded")
    file = {"name": "long.txt", "mimeType": "text/plain", "buffer": b"no recording"}
    page.set_input_files("[name=file]", [file])  # type: ignore[list-item]
    page.click("[data-send]")
    page.wait_for_selector("[data-status]:has-text('This is a text file')")
    walk.look("refused")
    sent = {"consent": "yes", "file": SimpleUploadedFile("voice.wav", make_wav(make_speech(1.0)))}
    address = client.post("/voice/", sent)["Location"]
    walk.go(address, "waiting")
    hear_voice(str(VoiceTrial.objects.get().pk))
    walk.go(address, "heard")
    page.click("[data-play-system='codec2-2.4k']:enabled")
    walk.look("playing")
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("[data-delete] button")
    page.wait_for_selector("h1:text-is('Deleted')")
    walk.look("deleted")
    walk.go(address, "gone")


# -- researchers


EMPTY = ["/home/", "/clips/", "/systems/", "/studies/", "/studies/new/", "/import/", "/demos/", "/gallery/"]


def test_researchers_before_there_is_anything(walk: Walk, signed_in: User) -> None:
    for address in [*EMPTY, "/", "/metrics/", "/studies/?archived=yes", "/studies/?search=x"]:
        walk.go(address)
    walk.page.goto(f"{walk.site}/studies/new/")
    walk.page.locator("#setup button.primary").click()
    walk.look("a study of nothing")
    walk.page.goto(f"{walk.site}/clips/")
    file = {"name": "speech.wav", "mimeType": "audio/wav", "buffer": b"no recording"}
    walk.page.set_input_files("#files", [file])  # type: ignore[list-item]
    walk.page.wait_for_load_state("networkidle")
    walk.look("an upload refused")
    walk.page.goto(f"{walk.site}/import/")
    walk.page.set_input_files("#file", [file])  # type: ignore[list-item]
    walk.page.locator("form:has(#file) button.primary").click()
    walk.page.wait_for_load_state("networkidle")
    walk.look("an import refused")
    walk.page.goto(f"{walk.site}/systems/")
    walk.page.get_by_label("Bit rate, kbit/s").fill("many")
    walk.page.get_by_role("button", name="Add system").click()
    walk.page.wait_for_load_state("networkidle")
    walk.look("a system refused")


def test_clips_and_jobs(walk: Walk, signed_in: User) -> None:
    outputs = {slug: speech_through(slug, 1.0) for slug in ("original", *SYSTEMS)}
    clip = make_spoken_clip(signed_in, outputs, 1.0)
    for row in clip.renditions.all():
        Score.objects.create(rendition=row, metric="pesq_wb", status="done", value=3.2)
    address = f"/clips/{clip.pk}/"
    walk.go(address, "done")
    walk.page.locator("[data-system] button").first.click()
    walk.look("playing")
    walk.page.get_by_text("Listen blind").first.click()
    walk.look("blind")
    for status in (*Job.UNFINISHED, Job.Status.FAILED):
        fields = {"error": "Out of memory.", "log": "a line", "attempts": 3} if status == "failed" else {}
        lease = timezone.now() + timedelta(seconds=60)
        clip.renditions.exclude(system="original").update(status=status, lease_until=lease, **fields)
        Score.objects.update(status=status, lease_until=lease, **fields)
        walk.go(address, f"renditions {status}")
        walk.go("/clips/", f"clips {status}")
        walk.go("/home/", f"home {status}")
    clip.renditions.update(status="failed", unavailable=True)
    walk.go(address, "systems that are not available")
    Clip.objects.update(public=True, credit="My own")
    walk.go(address, "public")


def test_own_systems(walk: Walk, signed_in: User, client: Client, make_clip: Callable[..., Clip]) -> None:
    clip = make_clip(signed_in, make_speech(1.0), title="first", original_name="first.wav", seconds=1.0)
    evaluation_tasks.make_rendition(str(Rendition.objects.create(clip=clip, system="original").pk))
    system = UploadedSystem.objects.create(owner=signed_in, slug="own-x", title="My codec", kbps=1.2)
    walk.go("/systems/")
    walk.go(f"/systems/{system.slug}/", "without outputs")
    late = np.concatenate([np.zeros(320, np.float32), make_speech(1.0)])
    files = [
        SimpleUploadedFile("first.wav", make_wav(late)),
        SimpleUploadedFile("other.wav", make_wav(late)),
        SimpleUploadedFile("text.wav", b"text"),
    ]
    client.post(f"/systems/{system.slug}/outputs/", {"file": files})
    batch = OutputBatch.objects.get()
    walk.go(f"/outputs/{batch.pk}/", "checking")
    evaluation_tasks.handle_outputs(str(batch.pk))
    walk.go(f"/outputs/{batch.pk}/", "checked")
    OutputBatch.objects.update(status="failed", error="Out of memory.")
    walk.go(f"/outputs/{batch.pk}/", "failed")
    OutputBatch.objects.update(status="done", error="")
    client.post(f"/outputs/{batch.pk}/confirm/", {"use": [str(batch.files.first().pk)]})  # type: ignore[union-attr]
    evaluation_tasks.handle_outputs(str(batch.pk))
    walk.go(f"/outputs/{batch.pk}/", "stored")
    walk.go(f"/systems/{system.slug}/", "with outputs")


STEPS = ["what", "who", "check"]


def test_studies(walk: Walk, signed_in: User, client: Client) -> None:
    outputs = {slug: speech_through(slug, 0.6) for slug in ("original", *SYSTEMS)}
    clips = [make_spoken_clip(signed_in, outputs, 0.6, number) for number in range(2)]
    study = create_study(signed_in, "Vowels", clips, ["codec2-3.2k"], seed=1, open_when_ready=False)
    page = f"/studies/{study.pk}/"

    def each(name: str, *steps: str) -> None:
        walk.go(page, f"study, {name}")
        for step in steps:
            walk.go(f"{page}setup/{step}/", f"{step}, {name}")

    lacking = make_spoken_clip(signed_in, {"original": outputs["original"]}, 0.6, 2)
    walk.page.goto(f"{walk.site}/studies/new/?clip={lacking.pk}")
    walk.page.get_by_label("Name", exact=True).fill("Vowels")
    walk.page.get_by_role("button", name="Create study").click()
    walk.page.get_by_role("button", name="Process what is missing, then save").wait_for()
    walk.look("a study that lacks recordings")
    walk.page.get_by_role("button", name="Process what is missing, then save").click()
    walk.page.get_by_text("being processed").wait_for()
    walk.look("a study that waits for recordings")
    each("preparing", *STEPS)
    Preparation.objects.update(status="failed", error="Out of memory.", log="a line")
    each("not prepared", "check")
    Preparation.objects.update(status="queued", error="")
    prepare_study(str(study.pk))
    each("ready", *STEPS)
    walk.go(f"{page}stimuli/")
    walk.go(f"{page}metrics/")
    walk.go("/studies/", "studies")
    walk.go("/home/", "home with a study")
    client.post(f"{page}simulate/", {"listeners": "3"})
    each("simulating", "check")
    runs.run(str(study.pk))
    each("simulated", "check")
    Simulation.objects.update(status="failed", error="Out of memory.")
    each("simulation failed", "check")
    walk.page.goto(f"{walk.site}{page}setup/who/")
    for box in walk.page.locator("#setup input[type=number]:visible").all():
        box.fill("-5")
    walk.page.locator("#setup button.primary").click()
    walk.look("numbers refused")
    walk.page.goto(f"{walk.site}{page}setup/what/")
    walk.page.locator("#setup [name$=name]:visible").first.fill("")
    walk.page.locator("#setup button.primary").click()
    walk.look("a study without a name refused")
    Study.objects.update(status="open")
    each("open", *STEPS)
    session = start_session(study)
    each("begun", *STEPS)
    Session.objects.filter(pk=session.pk).update(finished=timezone.now())
    each("finished")
    Study.objects.update(max_sessions=1)
    walk.go("/home/", "home, full")
    close_study(study)
    each("closed", *STEPS)
    archive_study(study)
    each("archived")
    walk.go("/studies/?archived=yes")


@pytest.mark.parametrize("method", sorted(METHODS))
def test_results(walk: Walk, signed_in: User, processed: Callable[..., Clip], method: str) -> None:
    always = METHODS[method].always
    systems = ["opus-9k", "bpgan-2k", "anchor35"] if "anchor35" not in always else ["opus-9k", "bpgan-2k"]
    clips = [processed(signed_in, ["opus-9k", "bpgan-2k"], sound=True) for _ in range(2)]
    study = create_study(
        signed_in, "Speech", clips, systems, method=method, options=OPTIONS.get(method, {}), seed=7
    )
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN, study.error
    page = f"/studies/{study.pk}/"

    def each(name: str) -> None:
        walk.go(f"{page}results/", f"results, {name}")
        walk.go(f"{page}report/", f"report, {name}")

    each("nobody")
    answer(study, 0)
    walk.go(f"{page}results/", "results, not computed")
    Analysis.objects.update(status="failed", error="Out of memory.", log="a line")
    walk.go(f"{page}results/", "results, failed")
    Analysis.objects.all().delete()
    walk.go(f"{page}results/", "results, asked again")
    compute(study)
    each("one listener")
    for number in range(1, 6):
        answer(study, number)
    walk.go(f"{page}results/", "results, older tests")
    compute(study)
    each("six listeners")
    walk.go(f"{page}results/?kind=simulated", "no simulated listeners")
    if method == "mushra":
        Rating.objects.filter(stimulus__system="original").update(score=10)
        each("everybody screened out")
    study.refresh_from_db()
    study.sealed_until = timezone.now() + timedelta(days=1) if hasattr(study, "sealed_until") else None
    close_study(study)
    each("closed")


IMPORTS = {
    "a table": ("old.csv", "listener,email,item,system,score\n1,a@b.c,s,Reference,100\n1,a@b.c,s,A,20\n"),
    "questions": ("old.csv", "listener,A,B,Age\n1,2,3,31\n2,4,5,24\nMean,3,4,27.5\n"),
    "missing": ("old.csv", "listener,item,system,score\n1,s,A,20\n1,s,B,NA\n2,s,A,35\n2,s,B,40\n"),
    "which column": ("old.csv", "Wer,Was,Womit,Wieviel\n1,s,A,20\n1,s,B,30\n"),
    "a configuration": (
        "c.yaml",
        "testname: Old\ntestId: old\npages:\n  - type: mushra\n    id: one\n    name: One\n"
        "    reference: a.wav\n    createAnchor35: true\n    stimuli:\n      C1: b.wav\n"
        "  - type: finish\n    name: Thanks\n    showResults: true\n    writeResults: true\n",
    ),
    "an unknown page": ("c.yaml", "testname: Old\npages:\n  - type: dance\n    id: one\n"),
}


def test_imports(walk: Walk, signed_in: User, client: Client) -> None:
    for name, (file, text) in IMPORTS.items():
        sent = client.post("/import/", {"file": SimpleUploadedFile(file, text.encode())})
        if sent.status_code == 302:
            walk.go(sent["Location"], name)
            confirm = walk.page.locator("main form button.primary")
            if confirm.count():
                confirm.last.click()
                walk.page.wait_for_load_state("networkidle")
                walk.look(f"{name}, imported")
    draft = ImportDraft.objects.create(
        owner=signed_in,
        kind="configuration",
        name="c.yaml",
        file=ContentFile(b"pages:", "c.yaml"),
        progress={"done": 3, "total": 4},
    )
    for status in (*Job.UNFINISHED, Job.Status.FAILED):
        lease = timezone.now() + timedelta(seconds=60)
        ImportDraft.objects.filter(pk=draft.pk).update(
            status=status, lease_until=lease, error="Out of memory." if status == "failed" else ""
        )
        walk.go(f"/import/{draft.pk}/", f"import {status}")


def test_demos(walk: Walk, signed_in: User, study: Study) -> None:
    clip = study.items.exclude(clip=None)[0].clip
    blank = drafts.new_demo(signed_in)
    edit = f"/demos/{blank.pk}/"
    walk.go("/demos/")
    walk.go(edit, "a new page")
    walk.page.get_by_role("button", name="Publish").first.click()
    walk.page.wait_for_load_state("networkidle")
    walk.look("a page refused")
    close_study(study)
    demo = drafts.new_demo(signed_in, clip)
    rows = [
        row.model_copy(update={"licence": "My own, CC BY 4.0", "caption": "A caption"})
        for row in demo.draft.recordings
    ]
    text = Section(heading="Method", text="Some *text*, `code`, and\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    content = demo.draft.model_copy(
        update={"recordings": rows, "sections": [text], "voice": True, "abstract": "An abstract."}
    )
    drafts.save_draft(demo, content)
    edit, page = f"/demos/{demo.pk}/", f"/d/{demo.token}/"
    walk.go(edit, "a page of a clip")
    walk.go(page, "not published")
    version = publish(demo)
    walk.go(edit, "publishing")
    DemoVersion.objects.update(status="failed", error="Out of memory.")
    walk.go(edit, "publishing failed")
    DemoVersion.objects.update(status="queued", error="")
    publish_demo(version.pk)
    walk.go(edit, "published")
    Demo.objects.filter(pk=demo.pk).update(visibility="public")
    walk.go("/gallery/")
    walk.go("/demos/", "demos")
    walk.go(f"{page}embed/")
    walk.go(page, "a published page")
    walk.page.locator("[data-grid] button:enabled").nth(1).click()
    walk.look("a published page, playing")
    walk.page.get_by_text("Spectrogram").first.click()
    walk.look("with spectrograms")
    walk.page.get_by_text("Listen blind").first.click()
    walk.look("blind")
    drafts.save_draft(demo, content.model_copy(update={"title": "Another"}))
    walk.go(edit, "changed since")
    publish_demo(publish(demo).pk)
    walk.go(f"{page}v1/", "an earlier version")
    walk.page.context.clear_cookies()
    walk.go(page, "as a visitor")
