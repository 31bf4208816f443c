"""The main job from end to end, nothing simulated: real speech, codecs, Redis, worker, server and Chromium.

A researcher signs in by a one-time link, uploads a sentence, waits until every system has processed and
measured it, and makes a study. A listener takes it in another browser. The researcher sees the results.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from evaluation.clips.demo_clips import DemoClipsMissing, demo_clips
from tests.browser.rating import hear, point, ready, wait_saved
from tests.live import ROOT, Site, running_site, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.service]

#: Milliseconds. A quarter of a minute on an idle machine with two cores; tests may run beside other work.
ALL_SYSTEMS = 180_000
#: What this listener thinks of each system; of the paper's systems as many as are there.
GRADES = {
    "original": 100,
    "anchor70": 71,
    "anchor35": 33,
    "opus-9k": 82,
    "amrwb-6.6k": 55,
    "celp-8k": 47,
    "unified-gan-2k": 61,
    "bpgan-2k": 66,
}


@pytest.fixture
def site(
    browser: Browser, tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    with django_db_blocker.unblock():
        for site in running_site(tmp_path / "home", new_database):
            site.redis.start()
            site.start_worker()
            site.start_web()
            yield site


@pytest.fixture
def sentence(tmp_path: Path) -> Path:
    """The first words of a woman's Harvard sentence at 48 kHz: every system has to be done with them."""
    try:
        clip = demo_clips()[0]
    except DemoClipsMissing as error:
        pytest.skip(str(error))
    path = tmp_path / clip.name
    audio, rate = soundfile.read(io.BytesIO(clip.wav), dtype="int16")
    soundfile.write(path, audio[: round(1.4 * rate)], rate)
    return path


@pytest.fixture
def available(site: Site) -> set[str]:
    """Systems that `python -m codec systems` says work here."""
    command = [sys.executable, "-m", "codec", "systems", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=True)
    return {row["system"] for row in json.loads(done.stdout) if row["available"]}


def test_upload_process_rate_and_see_the_results(
    site: Site, page: Page, browser: Browser, sentence: Path, available: set[str]
) -> None:
    # -- The researcher signs in; the link works once.
    link = site.manage("signin_link", "alice").strip()
    page.goto(link)
    assert page.url == f"{site.url}/clips/"

    # -- Uploads real speech and waits for every system.
    page.set_input_files("#files", sentence)
    page.get_by_role("link", name=sentence.name).first.click()
    page.wait_for_url("**/clips/*-*/")
    row = "tr[data-system]"
    page.wait_for_function(
        f"""() => [...document.querySelectorAll("{row}")].every(
            (row) => ["done", "failed"].includes(row.dataset.status))""",
        timeout=ALL_SYSTEMS,
    )
    statuses = page.locator(row).evaluate_all("rows => rows.map(r => [r.dataset.system, r.dataset.status])")
    assert {system for system, status in statuses if status == "done"} == available
    measured = page.locator(row).evaluate_all("rows => rows.map(r => ({...r.dataset}))")
    kbps = {values["system"]: float(values["kbps"] or "nan") for values in measured}
    pesq = {values["system"]: float(values["pesq_wb"] or "nan") for values in measured}
    assert pesq["original"] > 4.5 > pesq["opus-12k"] > pesq["opus-6k"] > pesq["codec2-2.4k"] > 1
    assert 5.5 < kbps["opus-9k"] < 11
    assert kbps["amrwb-6.6k"] == pytest.approx(6.6, abs=0.25)
    page.locator("tr[data-system='opus-9k'] [data-play-system]").click()
    page.wait_for_selector("tr[data-system='opus-9k'] [data-play-system][aria-pressed='true']")

    # -- Makes a study of it.
    page.get_by_role("link", name="Create a study with this clip").click()
    page.get_by_label("Name", exact=True).fill("Main job")
    tested = sorted((GRADES.keys() & available) - {"original", "anchor35", "anchor70"})
    for box in page.locator("[data-systems] input[type=checkbox]").all():
        box.set_checked(box.get_attribute("value") in tested)
    page.get_by_role("button", name="Create study").click()
    page.wait_for_url("**/setup/who/")
    page.get_by_role("button", name="Next: review").click()
    page.wait_for_url("**/setup/check/")
    assert page.locator("#compliance").get_by_text("M17").is_visible()
    page.get_by_role("link", name="Publish & monitor").click()
    page.wait_for_url(re.compile(r"/studies/[0-9a-f-]{36}/$"))
    study_url = page.url
    page.get_by_role("button", name="Open the study").click(timeout=60_000)  # offered once all is rendered
    listener_link = page.locator("#listener-link").input_value()
    assert listener_link.startswith(f"{site.url}/t/")

    # -- A listener takes it, in a browser that never signed in.
    listener = browser.new_context(viewport={"width": 1280, "height": 800})
    listener.set_default_timeout(30_000)
    code = take_part(listener.new_page(), listener_link, site)
    listener.close()

    # -- The researcher sees the results.
    page.goto(study_url)
    assert page.get_by_text(code).is_visible()
    page.get_by_role("link", name="Results").click()
    assert page.locator("figure svg").first.is_visible()
    page.locator(".export-menu summary").click()
    stored = grades_in_csv(page, "ratings.csv")
    assert stored.keys() == {*tested, "original", "anchor35", "anchor70"}
    assert stored == pytest.approx({system: GRADES[system] for system in stored}, abs=1)
    table = page.locator("section", has=page.locator("#summary")).locator("tbody tr")
    assert table.count() == len(stored)
    for text in table.all_inner_texts():
        cells = text.split("\t")
        assert float(cells[3]) == float(cells[5]) > 0  # one grade: median and mean are that grade
    assert "Opus 9k" in page.locator("section", has=page.locator("#table3")).inner_text()

    # -- And takes them along.
    mushra = csv_rows(page, "mushra.csv")
    assert {row["rating_stimulus"] for row in mushra} == {
        "reference" if system == "original" else system for system in stored
    }
    figure = page.request.get(f"{page.url.split('?')[0]}grades.svg")
    assert figure.headers["content-type"] == "image/svg+xml"

    # -- The sign-in link is used up.
    stranger = browser.new_context()
    assert stranger.request.get(link).status == 410
    assert stranger.request.get(study_url, max_redirects=0).status in (302, 404)
    stranger.close()


def take_part(page: Page, link: str, site: Site) -> str:
    """Consent, instructions, training and every item, graded by `GRADES`; returns the completion code."""
    page.goto(link)
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Take part").click()
    page.get_by_label("Headphones on or over the ears").check()
    page.get_by_label("Each sounded on its side").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Start the training").click()
    trials = 0
    while "/s/" in page.url and not page.locator("#completion-code").count():
        ready(page)
        trials += 1
        page.get_by_role("button", name="Reference", exact=True).click()
        for number, system in enumerate(systems_in_order(site, trials), start=1):
            hear(page, number)
            page.mouse.click(*point(page, number, GRADES[system]))
        wait_saved(page)
        before = page.locator("h1 + .where, .where").first.inner_text()
        page.get_by_role("button", name="Next").click()
        page.wait_for_function(
            "text => document.querySelector('#completion-code') ||"
            " (document.querySelector('.where') && document.querySelector('.where').innerText !== text)",
            arg=before,
        )
    assert trials == 2  # the training and the item
    return page.locator("#completion-code").inner_text()


def systems_in_order(site: Site, position: int) -> list[str]:
    """What the listener must not know: which system each number of a trial is."""
    systems = dict(site.rows("SELECT id, system FROM listening_stimulus"))
    query = f'SELECT "order" FROM listening_trial WHERE position = {position}'  # noqa: S608
    [(order,)] = wait_for("the trial", lambda: site.rows(query), 10)
    return [systems[entry["stimulus"]] for entry in json.loads(order)]


def csv_rows(page: Page, name: str) -> list[dict[str, str]]:
    answer = page.request.get(page.get_by_role("link", name=name).first.evaluate("link => link.href"))
    assert answer.ok
    return list(csv.DictReader(io.StringIO(answer.text())))


def grades_in_csv(page: Page, name: str) -> dict[str, float]:
    """Scores by system of the item's trial; the training's are marked, not used."""
    rows = csv_rows(page, name)
    return {
        row["system"]: float(row["score"]) for row in rows if row.get("training", "") in ("", "0", "false")
    }
