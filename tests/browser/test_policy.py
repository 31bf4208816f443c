"""Every page in a real Chromium under the policy as it is sent: what breaks it is an error of the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.methods import METHODS
from listening.session.ratings import finish_trial, save_rating
from listening.session.sessions import start_session
from tests.browser.method_studies import instructed, open_method_study
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def evaluate() -> None:
    """In place of the one that loosens the policy for other tests."""


def sign_in(context: BrowserContext, user: User, site: str) -> None:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = address.split("/", 3)[-1].strip("/").replace("/", "-")[:80] or "front"
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.mark.rest
def test_no_page_breaks_the_policy(
    page: Page, context: BrowserContext, live_server: Any, alice: User, errors: Errors
) -> None:
    # What a page that is not there, or a figure that is still computed, says of itself.
    errors.allow("status of 404", "status of 410", "status of 403", "status of 429")
    study = open_method_study(alice, "mushra", systems=("anchor35", "anchor70", "codec2-3.2k"))
    listener = instructed(study)
    for trial in listener.trials.order_by("position"):
        for entry in trial.order:
            save_rating(trial, entry["key"], 50, 1)
        finish_trial(trial)
    site = live_server.url
    visit(page, f"{site}/")
    visit(page, f"{site}/signin/")
    visit(page, f"{site}/signin/none/")
    visit(page, f"{site}/nothing/")
    fresh = start_session(study)
    visit(page, f"{site}/t/{study.token}/")
    visit(page, f"{site}/s/{listener.token}/")
    visit(page, f"{site}/s/{fresh.token}/")  # the volume
    visit(page, f"{site}/s/{instructed(study).token}/")  # a trial

    sign_in(context, alice, site)
    clip = study.items.first().clip  # type: ignore[union-attr]
    assert clip is not None
    pages = [
        *(reverse(name) for name in ("front", "clips", "studies", "study_new", "systems", "import")),
        reverse("clip", args=[clip.pk]),
        *(reverse(name, args=[study.pk]) for name in ("study", "results", "report", "stimuli")),
        *(reverse("study_setup", args=[study.pk, step]) for step in ("what", "who", "check")),
        "/api/docs",
    ]
    for address in pages:
        visit(page, site + address)


@pytest.mark.parametrize("method", some(sorted(set(METHODS) - {"mushra"}), "abx".__eq__))
def test_no_method_breaks_the_policy(page: Page, live_server: Any, alice: User, method: str) -> None:
    session = instructed(open_method_study(alice, method, systems=("anchor35", "anchor70")))
    visit(page, f"{live_server.url}/s/{session.token}/")


def test_the_policy_stops_an_injected_script(page: Page, live_server: Any, db: None, errors: Errors) -> None:
    """The test above would not see a policy that is not there."""
    errors.allow("Content Security Policy")
    page.goto(f"{live_server.url}/")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<p id=styled style='color: red'>x</p>");
        }"""
    )
    assert page.evaluate("window.injected") is None
    assert page.evaluate("getComputedStyle(document.querySelector('#styled')).color") != "rgb(255, 0, 0)"
