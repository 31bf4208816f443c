"""How many keys a trial takes by keyboard alone: those of docs/rating-page.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from listening.methods import METHODS
from listening.models import Trial
from tests.browser.method_studies import instructed, open_method_study
from tests.conftest import ROOT
from tests.rows import some

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

VERSIONS = 4
#: The keys of a trial in order. A lone letter or digit that names a sound is followed by hearing it.
KEYS = {
    "mushra": ["r", "1", "End", "2", "ArrowUp", "3", "ArrowUp", "4", "Home", "Enter"],
    "bs1116": ["a", "b", "5", "c", "3", "Enter"],
    "abx": ["a", "x", "b", "1", "Enter"],
    "ab": ["a", "b", "1", "Enter"],
    "acr": [" ", "4", "Enter"],
    "dcr": [" ", "4", "Enter"],
    "ccr": [" ", "2", "Enter"],
}
#: What the page shows once a key has been answered; without a line there is nothing to wait for.
HEARD = {
    "mushra": {"r": ".reference.sounding"}
    | {str(n): f".column:nth-child({n + 1}).sounding" for n in range(1, 5)},
    **{
        method: {name: f".pick.sounding.heard:has(b:text-is('{name.upper()}'))" for name in "abcx"}
        for method in ("bs1116", "abx", "ab")
    },
    **{method: {" ": "#answers:not(.waiting)"} for method in ("acr", "dcr", "ccr")},
}


def documented() -> dict[str, int]:
    """The numbers of the table, by method."""
    text = (ROOT / "docs" / "rating-page.md").read_text()
    rows = dict(
        re.findall(r"^\| (.+?) \| (2n \+ 2|\d+) \| ", text.split("| method | keys |")[1], re.MULTILINE)
    )
    named = {
        "mushra": "MUSHRA, n versions",
        "bs1116": "BS.1116",
        "abx": "ABX",
        "ab": "Preference (AB)",
        "acr": "ACR",
        "dcr": "DCR",
        "ccr": "CCR",
    }
    return {
        method: 2 * VERSIONS + 2 if rows[name] == "2n + 2" else int(rows[name])
        for method, name in named.items()
    }


@pytest.mark.parametrize("method", some(METHODS, "mushra".__eq__))
def test_a_trial_takes_as_many_keys_as_are_documented(
    page: Page, live_server: Any, alice: User, method: str
) -> None:
    systems = ("anchor35", "anchor70", "codec2-3.2k") if method == "mushra" else ("anchor35",)
    session = instructed(open_method_study(alice, method, systems=systems))
    page.goto(f"{live_server.url}/s/{session.token}/")
    assert {each: len(keys) for each, keys in KEYS.items()} == documented()
    for _ in range(2):  # the training, and the first trial that counts
        trial = Trial.objects.filter(session=session, finished=None).earliest("position")
        page.wait_for_selector("#play:not([disabled]), #rating[data-ready]")
        for key in KEYS[method]:
            if key == "Enter":
                page.wait_for_selector('#saved[data-state="saved"]')
                with page.expect_navigation():
                    page.keyboard.press(key)
                continue
            if selector := HEARD[method].get(key):
                # A key does nothing before the file of its sound is there, as its button shows.
                if method == "mushra" and key.isdigit():
                    page.wait_for_selector(f"button:enabled[aria-label='Play version {key}']")
                elif method != "mushra" and key != " ":
                    page.wait_for_selector(f"button:enabled:has(b:text-is('{key.upper()}'))")
                page.keyboard.press(key)
                page.wait_for_selector(selector)
            else:
                page.keyboard.press(key)
        trial.refresh_from_db()
        assert trial.finished
        if page.locator("#rating").count() == 0 and session.trials.filter(finished=None).exists():
            with page.expect_navigation():  # the training is over: its button has the focus
                page.keyboard.press("Enter")
