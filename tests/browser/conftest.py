"""A real Chromium: one for all tests, a fresh profile for each, and any error in a page fails its test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

from listening.models import Session, Study
from listening.session.sessions import begin, start_session
from listening.web import security
from tests.browser.rating import SYSTEMS, make_clip, open_study, ready, speech_through
from tests.listening.snapshots import make_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, ViewportSize

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
    # The pages of a profile share a process: to start another takes as long as a simple page.
    "--renderer-process-limit=1",
    # A microphone that beeps, and a visitor who allows it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
#: Milliseconds that a page gets for anything a test waits for.
PATIENCE = 45_000
#: A screen that draws ten times a second: a page that shows how far a sound is draws in every frame, and 60
#: of them take most of the time of these tests. A frame after a pause comes at once.
SLOW_SCREEN = """(() => {
  const draw = window.requestAnimationFrame.bind(window);
  const forget = window.cancelAnimationFrame.bind(window);
  const waiting = new Map();
  let last = -Infinity;
  let number = 0;
  window.requestAnimationFrame = (show) => {
    const mine = ++number;
    const ask = () => {
      const frame = draw((now) => {
        waiting.delete(mine);
        last = now;
        show(now);
      });
      waiting.set(mine, () => forget(frame));
    };
    const pause = last + 100 - performance.now();
    if (pause > 0) {
      const timer = setTimeout(ask, pause);
      waiting.set(mine, () => clearTimeout(timer));
    } else ask();
    return mine;
  };
  window.cancelAnimationFrame = (frame) => {
    waiting.get(frame)?.();
    waiting.delete(frame);
  };
})();"""


def find_chromium() -> str | None:
    """The browser of these tests. The headless shell does the same in half of the time."""
    named = ("chromium-headless-shell", "chromium", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, named)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium from the system; its own download is not used."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = find_chromium()
    if executable is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium-headless-shell)")
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


@pytest.fixture(scope="session", autouse=True)
def cached_static_files() -> Iterator[None]:
    """Have the browser keep scripts and styles, as it does what the real site serves.

    Asking the live server anew for each module of each page takes a third of the time of these tests.
    """
    serve = StaticFilesHandler.serve

    def keep(handler: StaticFilesHandler, request: HttpRequest) -> HttpResponseBase:
        response = serve(handler, request)
        patch_cache_control(response, max_age=3600, immutable=True)
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandler, "serve", keep)
        yield


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note on the test that one of its phases failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


FAILED = pytest.StashKey[bool]()
#: Profiles that cannot be made like new: with a script that runs in each of their pages, say.
_spent: WeakSet[BrowserContext] = WeakSet()


def spend(context: BrowserContext) -> None:
    """Let no other test have this profile."""
    _spent.add(context)


def new_context(browser: Browser, viewport: ViewportSize = VIEWPORT) -> BrowserContext:
    """A further profile, which whoever asks for it closes.

    Without animations and on a slow screen: to draw frames takes most of the time of a page that waits.
    """
    context = browser.new_context(viewport=viewport, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    context.add_init_script(SLOW_SCREEN)
    return context


@pytest.fixture(scope="session")
def profiles() -> list[BrowserContext]:
    """The one that the last test left, made like new; making another takes a browser half a second."""
    return []


@pytest.fixture
def context(
    browser: Browser, profiles: list[BrowserContext], request: pytest.FixtureRequest
) -> Iterator[BrowserContext]:
    """A profile without cookies, storage, permissions or routes, and with one blank page."""
    if not profiles:
        profiles.append(new_context(browser))
        profiles[0].new_page()
    context = profiles.pop()
    yield context
    if context in _spent or request.node.stash.get(FAILED, False) or not context.pages:
        context.close()
        return
    clean(context)
    profiles.append(context)


def clean(context: BrowserContext) -> None:
    """Make a profile like new."""
    page, *others = context.pages
    for other in others:
        other.close()
    context.set_offline(False)
    context.unroute_all()
    page.unroute_all()
    page.goto("about:blank")
    protocol = context.new_cdp_session(page)
    protocol.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    protocol.send("Page.resetNavigationHistory")
    protocol.detach()
    context.clear_cookies()
    context.clear_permissions()
    page.set_viewport_size(VIEWPORT)
    page.emulate_media(media="null", color_scheme="null", reduced_motion="reduce", forced_colors="null")
    page.mouse.move(0, 0)


def note_errors(page: Page, errors: Errors) -> Callable[[], None]:
    """Note what a page complains about, until what is returned is called."""

    def broken(error: Error) -> None:
        errors.note(str(error))

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.note(f"{message.text} ({message.location.get('url', '')})")

    def stop() -> None:
        page.remove_listener("pageerror", broken)
        page.remove_listener("console", console)

    page.on("pageerror", broken)
    page.on("console", console)
    return stop


@pytest.fixture
def watch(errors: Errors) -> Iterator[Callable[[Page], Page]]:
    """Notes what a page complains about."""
    stops = []

    def watch(page: Page) -> Page:
        stops.append(note_errors(page, errors))
        return page

    yield watch
    for stop in stops:
        stop()


@pytest.fixture
def new_page(context: BrowserContext, watch: Callable[[Page], Page]) -> Callable[[], Page]:
    """Opens further tabs of one profile, watched like the first."""
    return lambda: watch(context.new_page())


@pytest.fixture
def page(context: BrowserContext, watch: Callable[[Page], Page], errors: Errors) -> Iterator[Page]:
    yield watch(context.pages[0])
    assert not errors, f"the page reported: {errors}"


@pytest.fixture
def study(alice: User) -> Study:
    """A training trial and one item, four stimuli each, through real systems."""

    def make() -> Study:
        outputs = {slug: speech_through(slug, 3.0) for slug in SYSTEMS}
        return open_study(make_clip(alice, outputs, 3.0), SYSTEMS)

    return make_once("the study of the browser's tests", alice, make)


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
