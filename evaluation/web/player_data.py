"""Data of a clip for the synchronised player."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from evaluation.contexts import Context
from evaluation.models import Clip
from evaluation.systems import looks_of
from evaluation.web.presentation import (
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    JobState,
    RenditionRow,
    pesq_word,
    rendition_rows,
    row_state,
)

#: Systems to select first if the URL names none: the paper's codec, or else the original.
_START = ("bpgan-2k", "original")


class TableRow(RenditionRow):
    """A `RenditionRow` with additions for pages."""

    colour: str
    marker: str
    listen_url: str | None
    pesq_nb_word: str
    pesq_wb_word: str
    job: JobState


def player_data(rows: list[TableRow]) -> Context:
    """Describe the systems of a clip, given its `table_rows`, for the player's scripts (``json_script``)."""
    heard = [row["system"] for row in rows if row["listen_url"]]
    return {
        "start": next((slug for slug in _START if slug in heard), None),
        "finished": not any(row["status"] in (QUEUED, RUNNING) for row in rows),
        "status_text": status_text(rows),
        "systems": [
            {
                "slug": row["system"],
                "title": row["title"],
                "colour": row["colour"],
                "marker": row["marker"],
                "kbps": row["kbps"],
                "pesq_nb": row["pesq_nb"],
                "pesq_wb": row["pesq_wb"],
                "audio_url": row["listen_url"],
            }
            for row in rows
        ],
    }


def table_rows(clip: Clip) -> list[TableRow]:
    """`rendition_rows` with additions for pages: colour, marker, words for both PESQ scores, audio.

    The original is the clip itself, so it can be played before any worker has started.
    """
    own_audio = {"original": reverse("clip_audio", args=[clip.pk])}
    rows = rendition_rows(clip)
    look = looks_of(row["system"] for row in rows)
    return [
        {
            **row,
            "colour": look[row["system"]][0],
            "marker": look[row["system"]][1],
            "listen_url": row["audio_url"] or own_audio.get(row["system"]),
            "pesq_nb_word": pesq_word(row["pesq_nb"]),
            "pesq_wb_word": pesq_word(row["pesq_wb"]),
            "job": row_state(row),
        }
        for row in rows
    ]


def status_text(rows: Sequence[RenditionRow]) -> str:
    """A clip's progress in words: ``12 of 15 systems done, 1 failed``."""
    counts = {status: sum(row["status"] == status for row in rows) for status in (DONE, RUNNING, QUEUED)}
    failed = sum(row["status"] == FAILED and not row["unavailable"] for row in rows)
    unavailable = sum(row["unavailable"] for row in rows)
    parts = [f"{counts[DONE]} of {len(rows)} systems done"]
    if counts[RUNNING]:
        parts.append(f"{counts[RUNNING]} running")
    if counts[QUEUED]:
        parts.append(f"{counts[QUEUED]} queued")
    if failed:
        parts.append(f"{failed} failed")
    if unavailable:
        parts.append(f"{unavailable} not available here")
    return ", ".join(parts)
