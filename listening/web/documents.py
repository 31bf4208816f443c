"""The documentation in docs/ as pages of the site, and a search in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

if TYPE_CHECKING:
    from markdown_it.token import Token

#: Characters of a document around what was searched for.
_AROUND = 90
#: How much more a word counts in a heading than in the text.
_HEADING = 10


@dataclass(frozen=True)
class Section:
    """A part of a document under one heading, as it is searched."""

    heading: str
    anchor: str
    text: str


@dataclass(frozen=True)
class Document:
    """A document of docs/ by its name, the file's without ``.md``."""

    name: str
    title: str
    summary: str
    html: SafeString
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Hit:
    """A section in which all words were found, with the first of them in its surroundings."""

    document: Document
    section: Section
    excerpt: SafeString


def _folder() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _release_notes() -> Path:
    """What has changed, which stands at the top of the repository like everywhere."""
    return Path(settings.BASE_DIR) / "CHANGELOG.md"


@cache
def documents() -> dict[str, Document]:
    """All documents by name, in the order of their titles; none where docs/ was not installed."""
    notes = [path for path in [_release_notes()] if path.is_file()]
    found = [_read(path) for path in [*_folder().glob("*.md"), *notes]]
    return {document.name: document for document in sorted(found, key=lambda each: each.title.casefold())}


def picture(name: str) -> Path | None:
    """A picture of the documents; None if there is none of this name."""
    return {path.name: path for path in (_folder() / "images").glob("*")}.get(name)


def _read(path: Path) -> Document:
    # Imported here: most of what the web process does needs no Markdown.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    source = re.sub(r"<!--.*?-->\n?", "", path.read_text(encoding="utf-8"), flags=re.S)
    tokens = parser.parse(source)
    sections: list[Section] = []
    heading, anchor, summary = "", "", ""
    texts: list[str] = []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            sections.append(Section(heading, anchor, " ".join(texts)))
            heading, texts = _plain(tokens[place + 1]), []
            anchor = slugify(heading)
            token.attrSet("id", anchor)
        elif token.type == "inline":
            text = _plain(token)
            texts.append(text)
            inside = tokens[place - 1].type
            if not summary and inside == "paragraph_open":
                summary = text
            _lead_on(token)
        elif token.type in ("fence", "code_block"):
            texts.append(token.content)
        elif token.type == "table_open":
            token.attrSet("tabindex", "0")  # a wide one scrolls, by keyboard too
        elif token.type == "th_open" and not tokens[place + 1].content:
            token.tag = tokens[place + 2].tag = "td"  # heads nothing
    sections.append(Section(heading, anchor, " ".join(texts)))
    html = parser.renderer.render(tokens, parser.options, {})
    title = next((section.heading for section in sections if section.heading), path.stem)
    return Document(
        name=path.stem.lower(),
        title=title,
        summary=summary,
        html=mark_safe(html),  # noqa: S308 -- of our own documents, without HTML
        sections=tuple(section for section in sections if section.heading),
    )


def _plain(token: Token) -> str:
    """The words of an inline token without its marks."""
    return "".join(
        " " if child.type == "softbreak" else child.content
        for child in token.children or []
        if child.type in ("text", "code_inline", "softbreak")
    )


def _lead_on(token: Token) -> None:
    """Let links between documents, and their pictures, lead to pages of the site."""
    for child in token.children or []:
        if child.type == "link_open":
            target = str(child.attrGet("href") or "")
            if found := re.fullmatch(r"(?:docs/)?([\w-]+)\.md(#.*)?", target):
                child.attrSet("href", reverse("document", args=[found[1]]) + (found[2] or ""))
        elif child.type == "image":
            name = str(child.attrGet("src") or "").removeprefix("images/")
            child.attrSet("src", reverse("document_picture", args=[name]))


def search(query: str, most: int = 20) -> list[Hit]:
    """The sections that contain every word of `query`, those that have them in a heading first."""
    words = [re.escape(word) for word in query.split()[:8]]
    if not words:
        return []
    patterns = [re.compile(word, re.I) for word in words]
    hits: list[tuple[bool, int, Hit]] = []
    for document in documents().values():
        for section in document.sections:
            whole = f"{document.title} {section.heading} {section.text}"
            if not all(pattern.search(whole) for pattern in patterns):
                continue
            headings = f"{document.title} {section.heading}"
            weight = sum(
                _HEADING * len(pattern.findall(headings)) + min(5, len(pattern.findall(section.text)))
                for pattern in patterns
            )
            named = all(pattern.search(section.heading) for pattern in patterns)
            hits.append((named, weight, Hit(document, section, _excerpt(section.text, patterns))))
    hits.sort(key=lambda each: each[:2], reverse=True)
    return [hit for _named, _weight, hit in hits[:most]]


def _excerpt(text: str, patterns: list[re.Pattern[str]]) -> SafeString:
    found = next((match for pattern in patterns if (match := pattern.search(text))), None)
    if found is None:
        return format_html("{}", text[: 2 * _AROUND])
    start, end = max(0, found.start() - _AROUND), found.end() + _AROUND
    return format_html(
        "{}{}<mark>{}</mark>{}{}",
        "…" if start else "",
        text[start : found.start()],
        found[0],
        text[found.end() : end],
        "…" if end < len(text) else "",
    )
