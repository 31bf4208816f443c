"""Commands that run on this machine, where Earshot itself is installed."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence

from terminal.problem import Problem

#: Commands of Earshot itself, where it is installed: what runs them, and what they do.
LOCAL = {
    "encode": ("codec", "turn a recording into bits, here"),
    "decode": ("codec", "turn bits into a recording, here"),
    "train": ("codec", "train a model, here"),
    "calibrate": ("codec", "fit a model's tables, here"),
    "ceilings": ("codec", "measure the steps of the codec's chain, here"),
    "search-report": ("codec", "measure the codec's search, here"),
    "benchmark": ("site", "rate a folder of recordings, without a server"),
    "site": ("site", "a command of the site on this machine (manage.py): demo, signin_link, api_token, ..."),
}


def run_local(words: Sequence[str]) -> int:
    """Run a command of `LOCAL`. Raises `Problem` where Earshot is not installed."""
    try:
        if LOCAL[words[0]][0] == "codec":
            from codec.__main__ import main as run_codec

            return run_codec(words, "earshot")
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise Problem(f"This needs Earshot itself on this machine: {error}") from None
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "listening.site.settings")
    own = list(words[1:] or ["help"]) if words[0] == "site" else list(words)
    execute_from_command_line(["earshot site", *own])
    return 0


def version() -> str:
    """The version of Earshot, where it is installed."""
    try:
        return importlib.metadata.version("earshot")
    except importlib.metadata.PackageNotFoundError:
        return "unknown (a copy)"
