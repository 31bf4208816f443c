"""Texts that people write."""

from __future__ import annotations

import re

_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def clean_text(text: str) -> str:
    """`text` without what a database or an SVG file cannot hold: control characters, lone surrogates."""
    return _UNFIT.sub("", text.encode("utf-8", "replace").decode()).strip()
