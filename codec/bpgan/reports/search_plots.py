"""Plots of the search report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from codec.bpgan.reports.search_tables import Row, curve, means

_PANELS = {"distortion": "J", "pesq_wb": "PESQ-WB", "kbps": "kbit/s"}
_MARKS = {"encoder": "s", "round": "v", "ste": "^", "admm": "o", "paper": "x"}


def plot_iterations(rows: Sequence[Row], path: Path) -> None:
    """Plot J, PESQ-WB and rate against steps, one line per method."""
    figure, axes = _figure(len(_PANELS))
    for (method,), own in _group_by(rows, "method").items():
        points = sorted(means(own, ("iterations",)).items())
        for axis, (name, title) in zip(axes, _PANELS.items(), strict=True):
            steps = [key[0] for key, _ in points]
            axis.plot(steps, [m[name] for _, m in points], marker=_MARKS.get(method, "."), label=method)
            axis.set(xlabel="steps", title=title, xscale="symlog")
    _finish(figure, axes, path)


def plot_rates(rows: Sequence[Row], path: Path, others: Sequence[Row] = ()) -> None:
    """Plot PESQ-WB against rate: the encoder at every layer, and the search at each layer and price.

    Of `others`, a line per family of systems (`search_tables.read_systems`).
    """
    figure, axes = _figure(1)
    encoder = curve(r for r in rows if r["method"] == "encoder")
    axes[0].plot(*zip(*encoder, strict=True), marker="s", color="black", label="encoder, no search")
    for (channels,), own in sorted(
        _group_by((r for r in rows if r["method"] != "encoder"), "channels").items()
    ):
        axes[0].plot(*zip(*curve(own), strict=True), marker="o", label=f"searched, {channels:g} channels")
    for (family,), own in _group_by(others, "family").items():
        points = curve(own, ("system",))
        axes[0].plot(*zip(*points, strict=True), marker="D", linestyle=":", label=family)
    for (system,), found in means(others, ("system",)).items():
        axes[0].annotate(
            system, (found["kbps"], found["pesq_wb"]), xytext=(4, -9), textcoords="offset points"
        )
    axes[0].set(xlabel="kbit/s, whole bitstreams", ylabel="PESQ-WB")
    axes[0].margins(x=0.2)  # for the names
    _finish(figure, axes, path)


def _group_by(rows: Iterable[Row], key: str) -> dict[tuple[Any], list[Row]]:
    groups: dict[tuple[Any], list[Row]] = {}
    for row in rows:
        groups.setdefault((row[key],), []).append(row)
    return groups


def _figure(panels: int) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, panels, figsize=(4.2 * panels + 3, 4), layout="constrained", squeeze=False)
    return figure, axes[0]


def _finish(figure: Any, axes: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    for axis in axes:
        axis.grid(alpha=0.3)
    # Beside the panels, where it covers no curve.
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.savefig(path)
    plt.close(figure)
