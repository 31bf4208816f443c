"""Data of a clip for the synchronised player."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.urls import reverse

from evaluation.access import found_role
from evaluation.clips.choosing import ORIGINAL
from evaluation.contexts import Context
from evaluation.models import Clip, Job
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
    time_left,
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
    mean_kbps: float | None


def player_data(rows: list[TableRow], left: float | None = None) -> Context:
    """Describe the systems of a clip, given its `table_rows`, for the player's scripts (``json_script``).

    `left` are the seconds that its renditions will still take, if that is known.
    """
    heard = [row["system"] for row in rows if row["listen_url"]]
    return {
        "start": next((slug for slug in _START if slug in heard), None),
        "finished": not any(row["status"] in Job.UNFINISHED for row in rows),
        "status_text": ", ".join(filter(None, [status_text(rows), time_left(left)])),
        "waits": any(row["status"] == QUEUED and row["system"] != ORIGINAL for row in rows),
        "systems": [
            {
                "slug": row["system"],
                "title": row["title"],
                "colour": row["colour"],
                "marker": row["marker"],
                "kbps": row["kbps"],
                "pesq_nb": row["pesq_nb"],
                "pesq_wb": row["pesq_wb"],
                "visqol_audio": row["others"]["visqol_audio"]["value"]
                if "visqol_audio" in row["others"]
                else None,
                "audio_url": row["listen_url"],
            }
            for row in rows
        ],
    }


def table_rows(clip: Clip, rates: Mapping[str, float] | None = None) -> list[TableRow]:
    """`rendition_rows` with additions for pages: colour, marker, words for PESQ scores, audio, mean rate.

    `rates` are those of the systems over many clips, in kbit/s. Where one is this clip's as well, as printed,
    it is left out.

    The original is the clip itself, so it can be played before any worker has started.
    """
    rates = rates or {}
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
            "job": row_state(row, found_role(clip)),
            "mean_kbps": _unlike(rates.get(row["system"]), row["kbps"]),
        }
        for row in rows
    ]


def _unlike(mean: float | None, own: float | None) -> float | None:
    """`mean`, unless both are printed alike, or one is missing."""
    return None if mean is None or own is None or f"{mean:.2f}" == f"{own:.2f}" else mean


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
