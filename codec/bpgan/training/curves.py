"""Loss and validation curves of a run, as in the paper's figures 9 (MSE) and 10 (discriminator loss)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PANELS = (
    ("mse", "MSE of the log-mel"),
    ("l1", "L1 of the log-mel"),
    ("discriminator", "discriminator loss"),
    ("adversarial", "adversarial loss"),
)


def read_curves(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns of a run's CSV as float arrays, without ``stage``; empty cells become nan."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in (rows[0] if rows else {}) if name != "stage"]
    return {n: np.array([float(r[n]) if r[n] else np.nan for r in rows]) for n in names}


def plot_curves(run: Path) -> None:
    """Write ``losses.png`` and ``validation.png`` beside ``train.csv`` and ``validation.csv`` of `run`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    if (run / "train.csv").is_file() and (losses := read_curves(run / "train.csv")):
        figure, axes = plt.subplots(2, 2, figsize=(10, 6), sharex=True, layout="constrained")
        for axis, (name, title) in zip(axes.flat, _PANELS, strict=True):
            axis.plot(losses["step"], losses[name], linewidth=0.6)
            axis.set(title=title, xlabel="step")
            axis.grid(alpha=0.3)
        figure.savefig(run / "losses.png", dpi=120)
        plt.close(figure)
    if (run / "validation.csv").is_file() and (checks := read_curves(run / "validation.csv")):
        figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
        axis.plot(checks["minutes"], checks["pesq_nb"], marker="o", label="PESQ-NB")
        axis.plot(checks["minutes"], checks["pesq_wb"], marker="o", label="PESQ-WB")
        axis.set(xlabel="minutes of training", ylabel="PESQ, unseen speakers, encoder only")
        axis.grid(alpha=0.3)
        axis.legend()
        figure.savefig(run / "validation.png", dpi=120)
        plt.close(figure)
