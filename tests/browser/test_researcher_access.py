"""The researcher's pages for everybody: axe-core finds nothing, and nothing is wider than a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.columns.demos import Section
from listening.demos.drafts import new_demo, save_draft
from listening.demos.publishing import publish
from listening.models import Demo, Study
from listening.people import administration
from listening.tasks import publish_demo
from tests.browser.accessibility import find_in_both_schemes
from tests.browser.conftest import VIEWPORT
from tests.browser.method_studies import open_method_study
from tests.browser.test_policy import sign_in
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = [
    "",
    "home/",
    "clips/",
    "systems/",
    "studies/",
    "studies/new/",
    "import/",
    "gallery/",
    "demos/",
    "docs/",
    "docs/demo-pages/",
    "account/",
    "account/delete/",
    "operator/",
    "operator/accounts/",
    "signin/",
]
OF_A_STUDY = [
    "",
    "people/",
    "history/",
    "setup/what/",
    "setup/who/",
    "setup/check/",
    "stimuli/",
    "metrics/",
    "report/",
]


@pytest.fixture
def study(alice: User) -> Study:
    return open_method_study(alice, "mushra", systems=("anchor35", "anchor70", "codec2-3.2k"))


def addresses(site: str, study: Study) -> list[str]:
    demo = published_demo(study)
    User.objects.filter(pk=study.owner_id).update(is_superuser=True)  # who sees the operator's pages, too
    other, _is_new = User.objects.get_or_create(username="x" * 60, email=f"{'y' * 50}@example.org")
    administration.set_active(other, False)
    return [
        *(f"{site}/operator/accounts/{other.pk}/{path}" for path in ("", "delete/")),
        *(f"{site}{path}" for path in (f"/d/{demo.token}/", f"/d/{demo.token}/embed/", f"/demos/{demo.pk}/")),
        *(f"{site}/{path}" for path in PAGES),
        *(f"{site}/studies/{study.pk}/{path}" for path in OF_A_STUDY),
    ]


def published_demo(study: Study) -> Demo:
    """A demo page of what the study tests, in the gallery."""
    demo = new_demo(study.owner, study=study)
    row = demo.draft.recordings[0].model_copy(update={"licence": "My own, CC BY 4.0", "caption": "A caption"})
    text = Section(heading="Method", text="Some *text*.")
    content = demo.draft.model_copy(update={"recordings": [row], "study": None, "sections": [text]})
    save_draft(demo, content)
    publish_demo(publish(demo).pk)
    Demo.objects.filter(pk=demo.pk).update(visibility="public")
    return demo


@pytest.mark.parametrize("every", some([5, 1], (5).__eq__))
def test_nothing_is_wider_than_a_phone_and_axe_finds_nothing_on_a_desk(
    page: Page, context: BrowserContext, live_server: Any, alice: User, study: Study, every: int
) -> None:
    """Each page is opened once, on the phone; `make test` opens every fifth of them."""
    sign_in(context, alice, live_server.url)
    wide, found = {}, {}
    for address in addresses(live_server.url, study)[::every]:
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto(address)
        page.wait_for_load_state("networkidle")
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
        for nav in page.locator(".site-header nav").all():  # an embedded demo has none
            assert nav.evaluate("nav => nav.scrollWidth - nav.clientWidth") == 0, address
        # A table may scroll sideways; what is said below it is read without.
        captions = page.locator("caption:visible").evaluate_all("all => all.map((each) => each.offsetWidth)")
        wide[f"{address}: captions"] = max(captions, default=0)
        page.set_viewport_size(VIEWPORT)
        found[address] = find_in_both_schemes(page)
    assert {address: rows for address, rows in found.items() if rows} == {}
    assert {address: width for address, width in wide.items() if width > 390} == {}
