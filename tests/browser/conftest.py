"""A real Chromium: one for all tests, a fresh profile for each, and any error in a page fails its test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from codec import registry
from listening.models import Session, Study
from listening.session.sessions import begin, start_session
from listening.web import security
from tests.browser.rating import SYSTEMS, make_clip, open_study, ready, speech_like

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-dev-shm-usage",
)
#: Milliseconds that a page gets for anything a test waits for.
PATIENCE = 45_000


def find_chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from the system; its own download is not used."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = find_chromium()
    if executable is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    # Playwright's event loop runs in this thread, and Django refuses ORM calls beside one without this.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    else:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


class Errors(list[str]):
    """What pages complained about. A test that provokes errors says which with `allow`."""

    def __init__(self) -> None:
        super().__init__()
        self._allowed: list[str] = []

    def allow(self, *parts: str) -> None:
        """Expect errors that contain one of `parts`."""
        self._allowed.extend(parts)

    def note(self, text: str) -> None:
        if not any(part in text for part in self._allowed):
            self.append(text)


@pytest.fixture(autouse=True)
def evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `Page.wait_for_function` evaluate its strings in the live server's pages, and tests fetch sounds of
    their own; the rest of the policy holds, and what breaks it is an error of the page."""
    monkeypatch.setitem(security.POLICY, "script-src", ("'self'", "'unsafe-eval'"))
    monkeypatch.setitem(security.POLICY, "connect-src", ("'self'", "data:"))


@pytest.fixture
def errors() -> Errors:
    return Errors()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def new_page(context: BrowserContext, errors: Errors) -> Callable[[], Page]:
    """Opens further tabs of one profile, watched like the first."""

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.note(f"{message.text} ({message.location.get('url', '')})")

    def open_page() -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.note(str(error)))
        page.on("console", console)
        return page

    return open_page


@pytest.fixture
def page(new_page: Callable[[], Page], errors: Errors) -> Iterator[Page]:
    yield new_page()
    assert not errors, f"the page reported: {errors}"


@pytest.fixture
def study(alice: User) -> Study:
    """A training trial and one item, four stimuli each, through real systems."""
    audio = speech_like(3.0)
    outputs = {}
    for slug in SYSTEMS:
        codec = registry.load(slug)
        outputs[slug] = codec.decode(codec.encode(audio))
    return open_study(make_clip(alice, outputs, 3.0), SYSTEMS)


@pytest.fixture
def session(study: Study) -> Session:
    """A listener who has read the instructions."""
    session = start_session(study)
    begin(session)
    return session


@pytest.fixture
def rating_page(page: Page, live_server: Any, session: Session) -> Page:
    page.goto(f"{live_server.url}/s/{session.token}/")
    return ready(page)
