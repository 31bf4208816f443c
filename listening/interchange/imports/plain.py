"""Texts of a configuration: untrusted HTML to plain text, and what of it that loses."""

from __future__ import annotations

import html
import re
from collections import Counter

_BLOCKS = ("p", "br", "li", "div", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "hr")
#: What cannot be told in plain text, by tag.
_LOST = {
    "img": "picture", "svg": "picture", "canvas": "picture", "audio": "recording", "video": "film",
    "iframe": "embedded page", "object": "embedded page", "embed": "embedded page",
    "input": "field to fill in", "textarea": "field to fill in", "select": "field to fill in",
    "button": "button", "script": "script",
}  # fmt: skip
_LINK = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


def plain_text(text: str) -> str:
    """Convert HTML to plain text with line breaks; the address of a link follows its text."""
    import nh3

    breaks = "|".join(_BLOCKS)
    cleaned = nh3.clean(text, tags={*_BLOCKS, "a"}, attributes={"a": {"href"}}, link_rel=None)
    linked = _LINK.sub(_tell_link, cleaned)
    lines = re.sub(rf"\s*</?(?:{breaks})\s*/?>\s*", "\n", re.sub(r"\s+", " ", linked))
    said = html.unescape(re.sub(r"<[^>]*>", "", lines)).replace("\0", "")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in said.split("\n"))).strip()


def _tell_link(match: re.Match[str]) -> str:
    address, shown = match[1], match[2]
    told = html.unescape(address).removeprefix("mailto:")
    return shown if not told or told in html.unescape(shown) else f"{shown} ({html.escape(told)})"


def count_lost(text: str) -> str:
    """What `plain_text` cannot tell of a text: ``2 pictures, 1 recording``; empty if nothing is lost."""
    tags = re.findall(rf"<({'|'.join(_LOST)})\b", text, re.IGNORECASE)
    found = Counter(_LOST[tag.lower()] for tag in tags)
    plurals = {"field to fill in": "fields to fill in"}
    return ", ".join(
        f"{count} {what if count == 1 else plurals.get(what, what + 's')}" for what, count in found.items()
    )
