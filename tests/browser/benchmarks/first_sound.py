"""How long, and how many bytes, until the first sound: Earshot's way against fetching all at the start.

Run it from the repository: ``python -m tests.browser.benchmarks.first_sound``. It makes a study of ten
items of 10 s with eight stimuli each, serves it as in real life, and opens it in Chromium with an empty cache
behind networks of several speeds. The other way is webMUSHRA's: every file of every page is fetched and
decoded before the first page is shown. Prints a table in Markdown.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ITEMS = 10
SIGNALS = 8
SECONDS = 10.0
#: Name, Mbit/s (None: as fast as the machine is), milliseconds there and back, runs.
NETWORKS = (
    ("1.6 Mbit/s, 150 ms", 1.6, 150, 1),
    ("9 Mbit/s, 60 ms", 9.0, 60, 3),
    ("50 Mbit/s, 20 ms", 50.0, 20, 3),
    ("not throttled", None, 0, 3),
)
LIMIT_MS = 600_000

# Presses the reference as soon as it can be, and reports when it sounds and when all sounds are there.
OURS = """
document.addEventListener("DOMContentLoaded", () => {
  const look = () => {
    const reference = document.querySelector("#reference");
    if (reference && !reference.disabled && !window.pressed) { window.pressed = true; reference.click(); }
    if (reference?.classList.contains("sounding") && !window.heard) {
      window.heard = true;
      report("sound", performance.now());
    }
    if (document.querySelector("#rating")?.dataset.ready !== undefined) report("ready", performance.now());
    else setTimeout(look, 5);
  };
  look();
});
"""
ALL_AT_THE_START = """<!doctype html><title>All at the start</title><script type="module">
const urls = %s;
const context = new AudioContext();
const sounds = await Promise.all(urls.map(async (url) => {
  const answer = await fetch(url, { cache: "no-store" });
  return context.decodeAudioData(await answer.arrayBuffer());
}));
await context.resume();
const source = new AudioBufferSourceNode(context, { buffer: sounds[0] });
source.connect(context.destination);
source.start();
report("sound", performance.now());
report("ready", performance.now());
</script>"""


@dataclass
class Opening:
    """One page opened: milliseconds from the navigation on, and bytes that had come over the network."""

    sound_ms: float
    sound_bytes: int
    ready_ms: float
    ready_bytes: int


def make_study(home: Path) -> tuple[str, list[str]]:
    """A study in `home`; returns the path of a session past its training and those of all its files."""
    os.environ["EARSHOT_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "listening.site.settings"
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from codec import registry
    from listening.session.sessions import begin, start_session
    from tests.browser.rating import make_clip, open_study, skip_training, speech_like

    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("alice")
    systems = list(registry.SYSTEMS)[:SIGNALS]
    audio = speech_like(SECONDS)
    outputs = dict.fromkeys(systems, audio)
    clips = [make_clip(owner, outputs, SECONDS, number) for number in range(ITEMS)]
    study = open_study(clips[0], systems, *clips[1:])
    session = start_session(study)
    begin(session)
    skip_training(session)
    files = [
        f"/s/{session.token}/trials/{trial.position}/{key}.wav"
        for trial in session.trials.filter(finished=None)
        for key in (trial.reference_key, *(entry["key"] for entry in trial.order))
    ]
    return f"/s/{session.token}/", files


def open_once(browser: Browser, address: str, body: str | None, network: tuple[Any, ...]) -> Opening:
    """Open `address` with an empty cache; with `body`, answer it with that page."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    seen: dict[str, tuple[float, int]] = {}
    received = 0

    def count(event: dict[str, Any]) -> None:
        nonlocal received
        received += event["encodedDataLength"]

    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.on("Network.dataReceived", count)
    _, megabits, latency, _ = network
    if megabits:
        speed = megabits * 1e6 / 8
        conditions = {"offline": False, "latency": latency, "downloadThroughput": speed}
        protocol.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": speed})
    page.expose_function("report", lambda name, ms: seen.setdefault(name, (ms, received)))
    if body is None:
        page.add_init_script(OURS)
    else:
        page.route(address, lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(address, timeout=LIMIT_MS, wait_until="commit")
    waited = 0
    while "ready" not in seen and waited < LIMIT_MS:
        page.wait_for_timeout(50)
        waited += 50
    context.close()
    return Opening(*seen["sound"], *seen["ready"])


def row(name: str, way: str, openings: list[Opening]) -> str:
    def middle(field: str) -> float:
        return median(getattr(opening, field) for opening in openings)

    return (
        f"| {name} | {way} | {middle('sound_ms') / 1000:.2f} s | {middle('sound_bytes') / 1e6:.2f} MB "
        f"| {middle('ready_ms') / 1000:.2f} s | {middle('ready_bytes') / 1e6:.2f} MB |"
    )


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="earshot-benchmark-") as folder:
        home = Path(folder)
        path, files = make_study(home)
        from tests.browser.conftest import FLAGS, find_chromium
        from tests.live import Site

        site = Site(home)
        site.start_web()
        try:
            print("| network | way | first sound | bytes until then | page complete | bytes until then |")  # noqa: T201
            print("|---|---|---|---|---|---|")  # noqa: T201
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
                everything = ALL_AT_THE_START % [site.url + file for file in files]
                for network in NETWORKS:
                    name, runs = network[0], network[3]
                    ours = [open_once(chromium, site.url + path, None, network) for _ in range(runs)]
                    print(row(name, "Earshot", ours), flush=True)  # noqa: T201
                    other = f"{site.url}/all-at-the-start.html"
                    theirs = [open_once(chromium, other, everything, network) for _ in range(runs)]
                    print(row(name, "all at the start", theirs), flush=True)  # noqa: T201
                chromium.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main()
