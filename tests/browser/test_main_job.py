"""The main job from end to end, nothing simulated: real speech, codecs, Redis, worker, server and Chromium.

A researcher signs in by a one-time link, uploads a sentence, waits until every system has processed and
measured it, and makes a study. A listener takes it in another browser. The researcher sees the results.

The upload meets everything that can be taken away from it: at first there is no broker, then the worker is
killed at its work, then the broker.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from codec.__main__ import main as codec_main
from evaluation.clips.demo_clips import DemoClipsMissing, demo_clips
from listening.site.embedded_redis import is_running
from tests.browser.conftest import new_context
from tests.browser.rating import after_training, hear, point, ready, wait_saved
from tests.evaluation.conftest import SPEECH_SYSTEMS
from tests.live import Site, running_site, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.service, pytest.mark.rest]

#: A limit for a machine that is busy with other things; all renditions and scores take a tenth of it.
WORK_SECONDS = 900.0
#: The same for what is waited for in a page.
MILLISECONDS = 180_000
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
def available(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Systems that `python -m codec systems` says work here."""
    assert codec_main(["systems", "--json"]) == 0
    return {row["system"] for row in json.loads(capsys.readouterr().out) if row["available"]}


def count_by_status(site: Site) -> dict[str, int]:
    return dict(site.rows("SELECT status, count(*) FROM evaluation_rendition GROUP BY status"))


def finished(site: Site) -> bool:
    """Every rendition and every score of the done ones is through."""
    [(open_renditions, done)] = site.rows(
        "SELECT count(*) FILTER (WHERE status IN ('queued', 'running')),"
        " count(*) FILTER (WHERE status = 'done') FROM evaluation_rendition"
    )
    [(scores,)] = site.rows("SELECT count(*) FROM evaluation_score WHERE status IN ('done', 'failed')")
    return open_renditions == 0 and scores == 3 * done > 0


def process_through_kills(site: Site) -> None:
    """Bring the broker and a worker, kill the whole worker and then the broker, and let the rest be done."""
    site.redis.start()
    worker = site.start_worker(children=1)  # each child loads PyTorch for itself

    def caught_at_work() -> bool:
        # Stopped first, so that what is running when we look is running when we kill.
        os.killpg(worker.pid, signal.SIGSTOP)
        if count_by_status(site).get("running"):
            return True
        os.killpg(worker.pid, signal.SIGCONT)
        return False

    wait_for("a rendition that is being made", caught_at_work, 60)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    interrupted = site.rows("SELECT id FROM evaluation_rendition WHERE status = 'running'")
    assert interrupted
    done = count_by_status(site).get("done", 0)

    # The next worker goes on, and the broker dies without warning in the middle of the work.
    site.start_worker(children=1)
    wait_for("another rendition", lambda: count_by_status(site).get("done", 0) > done, WORK_SECONDS)
    assert not finished(site)
    assert site.redis.process is not None
    site.redis.process.kill()
    site.redis.process.wait()
    assert not is_running(site.home)
    site.redis.start()
    wait_for("all work to be done", lambda: finished(site), WORK_SECONDS)
    check_nothing_lost_nothing_twice(site)
    attempts = dict(site.rows("SELECT id, attempts FROM evaluation_rendition"))
    assert all(attempts[pk] >= 2 for (pk,) in interrupted)


def check_nothing_lost_nothing_twice(site: Site) -> None:
    bad = site.rows(
        "SELECT system, error FROM evaluation_rendition WHERE status = 'failed' AND NOT unavailable"
    )
    assert not bad
    assert not site.rows("SELECT error FROM evaluation_score WHERE status = 'failed'")
    twice = "SELECT rendition_id, metric FROM evaluation_score GROUP BY 1, 2 HAVING count(*) > 1"
    assert not site.rows(twice)
    for audio, bitstream in site.rows(
        "SELECT audio, bitstream FROM evaluation_rendition WHERE status = 'done'"
    ):
        for name in (audio, bitstream):
            assert (site.home / "media" / name).stat().st_size > 0


def test_upload_process_rate_and_see_the_results(
    site: Site, page: Page, browser: Browser, sentence: Path, available: set[str]
) -> None:
    # -- The researcher signs in; the link works once.
    link = site.manage("signin_link", "alice").strip()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/home/")
    page.goto(f"{site.url}/clips/")

    # -- Uploads real speech. Without a broker it is taken, and waits.
    page.set_input_files("#files", sentence)
    page.get_by_role("link", name=sentence.name).first.click()
    page.wait_for_url("**/clips/*-*/")
    assert not is_running(site.home)
    assert site.api(f"/clips/{page.url.split('/')[-2]}")["status"] == "queued"
    assert set(count_by_status(site)) == {"queued"}

    # -- Every system processes it, whatever dies, and the page shows it without being loaded again.
    process_through_kills(site)
    row = "tr[data-system]"
    page.wait_for_function(
        f"""() => [...document.querySelectorAll("{row}")].every(
            (row) => ["done", "failed"].includes(row.dataset.status))""",
        polling=500,
        timeout=MILLISECONDS,
    )
    statuses = page.locator(row).evaluate_all("rows => rows.map(r => [r.dataset.system, r.dataset.status])")
    assert {system for system, status in statuses if status == "done"} == available & set(SPEECH_SYSTEMS)
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
    page.get_by_role("button", name="Publish", exact=True).click(
        timeout=MILLISECONDS
    )  # offered once all is rendered
    listener_link = page.locator("#listener-link").input_value()
    assert listener_link.startswith(f"{site.url}/t/")

    # -- A listener takes it, in a browser that never signed in.
    listener = new_context(browser)
    listener.set_default_timeout(MILLISECONDS)
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
    page.get_by_label("Left was left, right was right").check()
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
            "text => document.querySelector('#completion-code, main form') ||"
            " (document.querySelector('.where') && document.querySelector('.where').innerText !== text)",
            arg=before,
        )
        after_training(page)
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
