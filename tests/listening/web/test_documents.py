"""The documentation on the site: every document, its links and pictures, and the search."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from listening.web.documents import documents, search
from tests.conftest import ROOT

pytestmark = pytest.mark.django_db


def test_every_document_is_a_page_and_every_link_in_it_leads_somewhere(client: Client) -> None:
    names = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert set(documents()) == names | {"changelog"}
    targets = set()
    for name in names | {"changelog"}:
        page = client.get(f"/docs/{name}/")
        assert page.status_code == 200, name
        text = page.content.decode()
        found = re.search(r'<article class="docs-text">(.*)</article>', text, re.S)
        assert found is not None
        assert "<!--" not in found[1]
        assert "&lt;!--" not in found[1]
        targets |= set(re.findall(r'(?:href|src)="([^"#]+)', found[1]))
    inside = {target for target in targets if "://" not in target and not target.startswith("mailto:")}
    assert len(inside) > 10
    assert any(target.endswith(".png") for target in inside)
    wrong = {target: client.get(target).status_code for target in inside}
    assert {target: status for target, status in wrong.items() if status != 200} == {}


def test_what_is_not_there_is_not_found(client: Client) -> None:
    for address in ("/docs/nothing/", "/docs/images/nothing.png", "/docs/images/..%2Fapi.md"):
        assert client.get(address).status_code == 404, address


def test_the_search_finds_sections_by_all_words(client: Client) -> None:
    first = search("demo pages gallery")[0]
    assert first.document.name == "demo-pages"
    assert search("zzzz demo") == []
    assert search("  ") == []
    page = client.get("/docs/", {"q": "LOUDNESS <b>"}).content.decode()
    assert "<b>" not in page
    assert "<mark>loudness</mark>" in client.get("/docs/", {"q": "loudness"}).content.decode().lower()


def test_a_heading_counts_more_than_text() -> None:
    hits = search("as files")
    assert (hits[0].document.name, hits[0].section.anchor) == ("demo-pages", "as-files")
