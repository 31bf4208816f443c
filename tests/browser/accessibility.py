"""What axe-core, the checker of accessibility, finds wrong with a page, and what a small screen cuts off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: A phone held upright, on its side, and a laptop of 1280 x 800 at 200 % zoom.
SCREENS = {"390x844": (390, 844), "844x390": (844, 390), "200 %": (640, 400)}
#: The rules that a colour scheme can break; a page keeps all others in both, or in none.
COLOURS = ("color-contrast", "link-in-text-block")

#: axe-core tells no contrast over the shades of tables that scroll.
_WITHOUT_SHADES = """() => {
  const plain = new CSSStyleSheet();
  plain.replaceSync(".table-scroll { background: none }");
  document.adoptedStyleSheets = [plain];
}"""
_CUT_ACTIONS = """() => [...document.querySelectorAll(".table-scroll")].flatMap((box) => {
  const edge = box.getBoundingClientRect();
  return [...box.querySelectorAll(":is(td, th) :is(a, button, summary)")]
    .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > edge.right + 1)
    .map((each) => `cut by its table: ${each.outerHTML.slice(0, 160)}`);
})"""


def find_problems(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """What breaks axe-core's rules for WCAG 2.2 A and AA and for best practices, with the elements.

    With `rules`, those only. WCAG 2.2's rule on the size of targets is among them; axe-core leaves it out
    unless it is asked for.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    options: dict[str, Any] = {
        "resultTypes": ["violations"],
        "rules": {"target-size": {"enabled": True}},
        # Style sheets, too, would be fetched and parsed each time, for no rule but an experimental one.
        "preload": {"assets": ["media"]},
    }
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(axe.Axe().axe_script)
        page.evaluate(_WITHOUT_SHADES)
    results = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]


def find_cut_actions(page: Page) -> list[str]:
    """What can be pressed in a table and lies beyond the edge of its box; what is hidden visually may."""
    return list(page.evaluate(_CUT_ACTIONS))


def find_in_both_schemes(page: Page) -> list[str]:
    """The same in light and in dark; the page is light afterwards."""
    found = []
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found += [f"light: {problem}" for problem in find_problems(page)]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += [f"dark: {problem}" for problem in find_problems(page, COLOURS)]
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return found


def find_on_every_screen(page: Page) -> list[str]:
    """The same on every screen of `SCREENS`; and pages that are wider than the screen."""
    found = []
    for name, (width, height) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": height})
        found += [f"{name}, {problem}" for problem in find_in_both_schemes(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{name}: {wide} px wide")
    return found
