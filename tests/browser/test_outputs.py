"""A system of one's own and an import of results, in a real browser, from the first click to the results."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client

from evaluation import tasks as evaluation_tasks
from evaluation.models import Clip, OutputBatch, Rendition, Score, UploadedSystem
from listening import tasks
from listening.models import Rating, Session, Study
from listening.study.studies import ALWAYS, create_study
from tests.evaluation.conftest import make_speech, make_wav
from tests.listening.conftest import listen, make_clip

__all__ = ["make_clip"]  # a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def signed_in(page: Page, live_server: Any, alice: User, client: Client) -> Page:
    client.force_login(alice)
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    return page


@pytest.mark.rest
def test_own_system_from_a_zip_to_the_results_of_a_study(
    signed_in: Page, live_server: Any, alice: User, make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    page = signed_in
    speech = {title: make_speech(1.5, seed=seed) for seed, title in enumerate(("first", "second"))}
    clips = [
        make_clip(alice, audio, title=title, original_name=f"{title}.wav", seconds=1.5)
        for title, audio in speech.items()
    ]
    for clip in clips:
        for slug in ALWAYS:
            evaluation_tasks.make_rendition(str(Rendition.objects.create(clip=clip, system=slug).pk))
    late = np.concatenate([np.zeros(320, np.float32), speech["second"]])
    archive = tmp_path / "outputs.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("first.wav", make_wav(0.9 * speech["first"]))
        target.writestr("second.wav", make_wav(late))
        target.writestr("third.wav", make_wav(late))
        target.writestr("notes.txt", "hello")

    page.goto(f"{live_server.url}/clips/")
    page.get_by_role("link", name="Systems").click()
    page.get_by_label("Title").fill("My codec")
    page.get_by_label("Bit rate, kbit/s").fill("1.2")
    page.get_by_label("Note").fill("version 3, --fast")
    page.get_by_role("button", name="Add system").click()
    page.get_by_label("Choose files").set_input_files(archive)
    page.get_by_text("outputs.zip, ").wait_for()
    page.get_by_role("button", name="Send and check").click()
    page.get_by_text("Checking: 1 of 3 files.").wait_for()  # the one without a clip is through
    evaluation_tasks.handle_outputs(str(OutputBatch.objects.get().pk))
    page.get_by_text("Fits the clip.").wait_for()
    assert page.get_by_text("You have no clip 'third'.").is_visible()
    assert page.get_by_text("notes.txt was left out").is_visible()
    assert page.get_by_text("It comes 20.0 ms late.").is_visible()
    assert page.get_by_label("Use third.wav").is_disabled()
    box = page.get_by_label("correct the delay")
    assert not box.is_checked()
    box.check()
    page.get_by_role("button", name="Add the ticked files").click()
    page.get_by_text("Storing: 0 of 2 files.").wait_for()
    evaluation_tasks.handle_outputs(str(OutputBatch.objects.get().pk))
    page.get_by_text("2 outputs stored.").wait_for()
    # Of the clip that is opened: to measure takes longer than all else here.
    for score in Score.objects.filter(rendition__system__startswith="own-", rendition__clip=clips[1]):
        evaluation_tasks.make_score(score.pk)

    system = UploadedSystem.objects.get()
    page.goto(f"{live_server.url}/clips/{clips[1].pk}/")
    row = page.locator(f"tr[data-system='{system.slug}']")
    assert "My codec" in row.inner_text()
    assert "1.20 stated" in row.inner_text()
    row.get_by_role("button", name="Play My codec").click()
    page.locator(f"tr[data-system='{system.slug}'] [aria-pressed=true]").wait_for()

    study = create_study(alice, "Only mine", clips, [system.slug], seed=7)
    tasks.prepare_study(str(study.pk))
    study.refresh_from_db()
    assert (study.status, study.error) == (Study.Status.OPEN, "")
    for score in (70, 60, 75):
        listen(study, {"original": 100, "anchor35": 20, "anchor70": 40, system.slug: score})
    page.goto(f"{live_server.url}/studies/{study.pk}/results/")
    page.get_by_text("My codec has a mean of").first.wait_for()


def test_results_are_imported_with_drag_and_drop(signed_in: Page, live_server: Any) -> None:
    page = signed_in
    rows = ["listener,item,system,score"]
    for who in range(4):
        for item in ("one", "two"):
            rows += [
                f"{who},{item},Reference,100",
                f"{who},{item},LP35,{10 + who}",
                f"{who},{item},Mine,{60 + who}",
            ]
    page.goto(f"{live_server.url}/studies/")
    page.get_by_role("link", name="Import").click()
    page.locator("form.scripted").wait_for()  # from here on the page takes what is dropped
    # As a browser does when somebody lets a file go over the page.
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "old test.csv", { type: "text/csv" }));
            const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
            document.querySelector("[data-drop]").dispatchEvent(drop);
        }""",
        "\n".join(rows),
    )
    page.get_by_text("old test.csv, ").wait_for()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("This is a table with a grade a row").wait_for()
    assert page.get_by_label("Reference is").input_value() == "original"
    assert page.get_by_label("LP35 is").input_value() == "anchor35"
    assert page.get_by_label("Mine is").input_value() == "Mine"
    page.get_by_label("Name of the study").fill("Held in 2019")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("“Held in 2019” has been imported.").wait_for()
    page.get_by_text("Mine has a mean of 61.5 of 100").first.wait_for()
    assert Rating.objects.count() == 24
    assert set(Session.objects.values_list("kind", flat=True)) == {Session.Kind.IMPORTED}


def test_a_broken_file_says_where(signed_in: Page, live_server: Any) -> None:
    page = signed_in
    held: list[Route] = []  # the page's script comes only after the file is chosen, as on a slow line
    page.route("**/outputs/drop*.js", lambda route: held.append(route))
    with page.expect_request("**/outputs/drop*.js"):
        page.goto(f"{live_server.url}/import/", wait_until="commit")
    page.get_by_label("Choose a file").set_input_files(
        {
            "name": "x.csv",
            "mimeType": "text/csv",
            "buffer": b"listener,item,system,score\n1,a,b,loud\n",
        }
    )
    held.pop().continue_()
    page.get_by_text("x.csv, ").wait_for()
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("Line 2, column 4 (score): 'loud' is not a number.").wait_for()
