"""Tables of the search report: means over sentences, and the gain from searching."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from codec.base import CodecError, gettext_noop
from codec.registry import SYSTEMS

Row = dict[str, Any]

#: Columns of quality, and their titles.
MEASURES = {"pesq_nb": "PESQ-NB", "pesq_wb": "PESQ-WB", "stoi": "STOI"}


def means(rows: Iterable[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Means of every measured column over sentences, grouped by `keys`."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    names = ("distortion", "kbps", *MEASURES)
    return {
        key: {n: float(np.nanmean([r[n] for r in own])) for n in names if n in own[0]}
        for key, own in groups.items()
    }


def curve(rows: Iterable[Row], keys: Sequence[str] = ("channels", "weight")) -> list[tuple[float, float]]:
    """(kbit/s, PESQ-WB) of each setting, by increasing rate."""
    return sorted((m["kbps"], m["pesq_wb"]) for m in means(rows, keys).values())


#: Systems of higher rates would leave the others no room in a plot.
_MOST_KBPS = 16.0


def read_systems(table: Path) -> list[Row]:
    """Rows of other systems at low rates from a table of ``manage.py benchmark``, with their families.

    Raises:
        CodecError: the file is no such table.
    """
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return [
                {
                    "system": row["system"],
                    "family": SYSTEMS[row["system"]].family,
                    "sentence": row["clip"],
                    "kbps": float(row["kbps"]),
                    "pesq_wb": float(row["pesq_wb"]),
                }
                for row in csv.DictReader(file)
                if row["system"] in SYSTEMS
                and row["pesq_wb"]  # P.862 finds no speech in some
                and not SYSTEMS[row["system"]].trained
                and SYSTEMS[row["system"]].nominal_kbps <= _MOST_KBPS
            ]
    except (OSError, ValueError, KeyError) as error:
        raise CodecError(
            gettext_noop("%(name)s is no table of `manage.py benchmark`: %(error)s"),
            name=table.name,
            error=str(error),
        ) from error


def gains(rows: Sequence[Row]) -> str:
    """The gain from searching: in PESQ-WB at the encoder's rate, and in rate at the encoder's PESQ-WB."""
    encoder = curve(r for r in rows if r["method"] == "encoder")
    lines = []
    for channels in sorted({r["channels"] for r in rows}):
        found = curve(r for r in rows if r["method"] != "encoder" and r["channels"] == channels)
        own = curve(r for r in rows if r["method"] == "encoder" and r["channels"] == channels)
        if len(found) < 2 or not own:
            continue
        for rate, wide in found:
            if encoder[0][0] <= rate <= encoder[-1][0] and len(encoder) > 1:
                plain = _interpolate(encoder, rate)
                cells = f"{rate:.3f} | {wide:.3f} | {plain:.3f} | {wide - plain:+.3f}"
                lines.append(f"| {channels:g} | {cells} | {_compute_saving(encoder, rate, wide)} |")
    if not lines:
        return "The curves do not overlap: nothing to compare at equal rate."
    head = "| channels | kbit/s | PESQ-WB, searched | encoder there | gain | rate saved at equal PESQ-WB |"
    return "\n".join(
        [
            "The encoder's curve joins its layers by straight lines.",
            "",
            head,
            "|---|---|---|---|---|---|",
            *lines,
        ]
    )


def _compute_saving(encoder: Sequence[tuple[float, float]], rate: float, wide: float) -> str:
    by_quality = [(quality, kbps) for kbps, quality in encoder]
    rising = all(a < b for (a, _), (b, _) in pairwise(by_quality))
    if not rising or not by_quality[0][0] <= wide <= by_quality[-1][0]:
        return "beyond the curve"
    return f"{1 - rate / _interpolate(by_quality, wide):.1%}"


def _interpolate(points: Sequence[tuple[float, float]], at: float) -> float:
    """Interpolate linearly between `points` (x, y), sorted by x."""
    x, y = np.array(points, dtype=np.float64).T
    return float(np.interp(at, x, y))


def interval(values: Sequence[float], form: str = ".3f") -> str:
    """Mean ± half the 95 % interval (Student's t) as text; values that are not finite are left out."""
    from scipy.stats import t

    finite = np.array([v for v in values if np.isfinite(v)])
    if finite.size < 2:
        return format(float(finite.mean()), form) if finite.size else "-"
    half = t.ppf(0.975, finite.size - 1) * finite.std(ddof=1) / np.sqrt(finite.size)
    return f"{finite.mean():{form}} ± {half:{form.removeprefix('+')}}"


def table(rows: Sequence[Row], keys: tuple[str, ...]) -> str:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    head = [*keys, "n", "J", "kbit/s", "PESQ-NB", "PESQ-WB", "STOI", "steps", "cpu, s/s"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for group, own in groups.items():
        names = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in group]
        seconds = sum(r["seconds"] for r in own)
        cells = [
            str(len(own)),
            f"{np.mean([r['distortion'] for r in own]):.4f}",
            f"{np.mean([r['kbps'] for r in own]):.3f}",
            *(interval([r[k] for r in own], ".3f") for k in ("pesq_nb", "pesq_wb", "stoi")),
            f"{np.mean([r['steps'] for r in own]):.0f}",
            f"{sum(r['cpu_seconds'] * r['seconds'] for r in own) / seconds:.3f}",
        ]
        lines.append("| " + " | ".join([*names, *cells]) + " |")
    return "\n".join(lines)


def plain_table(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines += [
        "| " + " | ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in r.values()) + " |"
        for r in rows
    ]
    return "\n".join(lines)
