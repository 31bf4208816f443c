"""The front page and a researcher's home, in real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.models import Simulation, Study
from listening.simulation.sample import NAME
from tests.browser.test_policy import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [390, 320])
def test_a_button_keeps_its_line_beside_the_long_name_of_a_test(
    page: Page, live_server: Any, study: Study, width: int
) -> None:
    """`.button.small` is 28 pixels high, and a second line would add 24."""
    Study.objects.update(
        listed=True, name="How do codecs at two kilobits a second sound, compared with others?"
    )
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(live_server.url)
    box = page.get_by_role("link", name="Take part").bounding_box()
    assert box is not None
    assert box["height"] == 28
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_home_says_so_when_the_sample_study_is_done_and_leaves_the_focus(
    page: Page, context: BrowserContext, live_server: Any, alice: User, study: Study
) -> None:
    Study.objects.update(name=NAME, status=Study.Status.READY, simulation={"listeners": 20})
    row = Simulation.objects.create(study=study, status=Simulation.Status.RUNNING)
    sign_in(context, alice, live_server.url)
    page.goto(f"{live_server.url}/home/")
    runs, card = (page.locator(f"section[aria-labelledby={name}]") for name in ("runs", "sample"))
    assert "The sample study alone." in runs.inner_text()
    assert card.locator("progress").is_visible()
    assert "No person gave these grades." not in card.inner_text()
    link = card.get_by_role("link", name="Study", exact=True)
    link.focus()
    Simulation.objects.filter(pk=row.pk).update(status=Simulation.Status.DONE)
    card.get_by_text("No person gave these grades.").wait_for()
    assert runs.locator("p").inner_text() == "Nothing."
    # The link is another element now, and still has the focus.
    assert link.evaluate("link => link === document.activeElement")
