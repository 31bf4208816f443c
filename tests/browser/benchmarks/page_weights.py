"""What pages weigh, and how long their first sound takes, on a line of 1.6 Mbit/s with 150 ms there and back.

Run it from the repository: ``python -m tests.browser.benchmarks.page_weights``. It makes a site with a clip
of 4 s, a published demo page of it, its export on a plain web server, and a study of each method with items
of 4 s; opens each page in Chromium with an empty cache, and presses what plays as soon as it can be pressed.
Prints a table in Markdown.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECONDS = 4.0
SYSTEMS = ("original", "opus-6k", "opus-9k", "amrwb-6.6k", "codec2-2.4k", "anchor35", "anchor70")
MEGABITS, LATENCY_MS = 1.6, 150
LIMIT_MS = 120_000

# Notes when a sound begins, whether by an element or by a buffer, and presses what plays.
LOOK = """(selector) => {
  const note = () => { if (!window.heard) { window.heard = true; report(performance.now()); } };
  const start = AudioBufferSourceNode.prototype.start;
  AudioBufferSourceNode.prototype.start = function (...rest) { note(); return start.apply(this, rest); };
  document.addEventListener("playing", note, true);
  const press = () => {
    const found = document.querySelector(selector);
    if (found && !found.disabled) found.click();
    else setTimeout(press, 20);
  };
  document.addEventListener("DOMContentLoaded", press);
}"""


@dataclass(frozen=True)
class Shown:
    """A page, and what to press there; empty where there is nothing to hear."""

    name: str
    address: str
    press: str = ""


def make_site(home: Path, folder: Path) -> tuple[list[Shown], str]:
    """The pages of a site in `home`, its demo page exported to `folder`, and its owner's session cookie."""
    os.environ["EARSHOT_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "listening.site.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from listening.demos.drafts import new_demo, save_draft
    from listening.demos.export import write_export
    from listening.demos.publishing import publish
    from listening.methods import METHODS
    from listening.models import Demo, Study
    from listening.tasks import publish_demo
    from tests.browser.method_studies import instructed, open_method_study
    from tests.browser.rating import make_clip, speech_through

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("alice")
    clip = make_clip(owner, {slug: speech_through(slug, SECONDS) for slug in SYSTEMS}, SECONDS)
    clip.public, clip.credit = True, "Made by a program, CC0"
    clip.save()
    demo = new_demo(owner, clip)
    save_draft(demo, demo.draft.model_copy(update={"systems": list(SYSTEMS)}))
    publish_demo(publish(demo).pk)
    Demo.objects.update(visibility="public")
    version = demo.versions.get()
    with (folder / "demo.zip").open("w+b") as file:
        write_export(version, file)
        zipfile.ZipFile(file).extractall(folder)
    trials = []
    for number, method in enumerate(METHODS):
        systems = SYSTEMS[1:] if method == "mushra" else SYSTEMS[1:3]
        study = open_method_study(owner, method, systems=systems, seconds=SECONDS, number=number + 1)
        session = instructed(study)
        trials.append(
            Shown(f"trial, {METHODS[method].title}", f"/s/{session.token}/", "#reference, .pick, #play")
        )
    Study.objects.update(listed=True)
    client = Client()
    client.force_login(owner)
    pages = [
        Shown("front door", "/", "[data-play-system=original]"),
        Shown("gallery", "/gallery/"),
        Shown("demo page", f"/d/{demo.token}/", "[data-play-cell]"),
        Shown("static export", "export", "[data-play-cell]"),
        Shown("documentation", "/docs/"),
        Shown("consent of a test", f"/t/{study.token}/"),
        *trials,
        Shown("a researcher's home", "/home/"),
        Shown("clips", "/clips/"),
        Shown("a clip", f"/clips/{clip.pk}/", "[data-system] button:not([disabled])"),
        Shown("review of a study", f"/studies/{study.pk}/setup/check/"),
        Shown("results of a study", f"/studies/{study.pk}/results/"),
    ]
    return pages, client.cookies[settings.SESSION_COOKIE_NAME].value


def open_once(browser: Browser, page_of: Shown, site: str, exported: str, cookie: str) -> str:
    """Open a page with an empty cache; returns its row."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": site}])
    page = context.new_page()
    kinds: dict[str, str] = {}
    weights: Counter[str] = Counter()
    heard: list[tuple[float, int]] = []

    def take(event: dict[str, Any]) -> None:
        weights[kinds.get(event["requestId"], "")] += event["encodedDataLength"]

    def begin(event: dict[str, Any]) -> None:
        sound = event["response"]["mimeType"].startswith("audio/")
        kinds[event["requestId"]] = "sound" if sound else "page"

    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.on("Network.responseReceived", begin)
    protocol.on("Network.dataReceived", take)
    speed = MEGABITS * 1e6 / 8
    conditions = {
        "offline": False,
        "latency": LATENCY_MS,
        "downloadThroughput": speed,
        "uploadThroughput": speed,
    }
    protocol.send("Network.emulateNetworkConditions", conditions)
    page.expose_function("report", lambda ms: heard.append((ms, weights["sound"])))
    if page_of.press:
        page.add_init_script(f"({LOOK})({page_of.press!r})")
    address = exported if page_of.address == "export" else site + page_of.address
    page.goto(address, timeout=LIMIT_MS)
    loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    waited = 0
    while page_of.press and not heard and waited < LIMIT_MS:
        page.wait_for_timeout(50)
        waited += 50
    page.wait_for_load_state("networkidle", timeout=LIMIT_MS)
    context.close()
    first = f"{heard[0][0] / 1000:.1f} s | {heard[0][1] / 1000:.0f} kB" if heard else "– | –"
    rest = weights["page"] + weights[""]
    return f"| {page_of.name} | {rest / 1000:.0f} kB | {loaded / 1000:.1f} s | {first} |"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="earshot-weights-") as name:
        home, folder = Path(name) / "home", Path(name) / "export"
        home.mkdir()
        folder.mkdir()
        pages, cookie = make_site(home, folder)
        from tests.browser.conftest import FLAGS, find_chromium
        from tests.live import Site

        plain = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        Thread(target=plain.serve_forever, daemon=True).start()
        exported = f"http://127.0.0.1:{plain.server_port}/"
        site = Site(home)
        site.start_web()
        try:
            print("| page | page without sounds | loaded | first sound | sounds fetched by then |")  # noqa: T201
            print("|---|---|---|---|---|")  # noqa: T201
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
                for each in pages:
                    print(open_once(chromium, each, site.url, exported, cookie), flush=True)  # noqa: T201
                chromium.close()
        finally:
            site.stop()
            plain.shutdown()


if __name__ == "__main__":
    main()
