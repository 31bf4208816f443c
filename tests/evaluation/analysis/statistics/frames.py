"""Frames for tests: published ratings, made ones, and degenerate ones."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation.analysis import statistics
from tests.conftest import ROOT

RATINGS = ROOT.parent / "shared" / "reference" / "ratings"
shared = pytest.mark.skipif(not RATINGS.exists(), reason="the published ratings in ../shared are not here")
FILES = {
    "benjsta_unfiltered": "benjsta/ratings_formated_long.csv",
    "benjsta_filtered": "benjsta/ratings_formated_filtered_long.csv",
    "difftransfer_scale_1to5": "difftransfer/listening_test_results.csv",
}


def expected(name: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((RATINGS / "EXPECTED.json").read_text())[name]
    return figures


def published(name: str) -> pd.DataFrame:
    frame = pd.read_csv(RATINGS / FILES[name])
    if name.startswith("benjsta"):
        return frame.rename(columns={"signal": "item", "condition": "system", "pid": "assessor"})
    session = frame["session_uuid"].astype(str)
    transfer = frame["trial_id"].str.rsplit("_", n=1).str[-1]
    return pd.DataFrame(
        {
            "assessor": session,
            "item": frame["trial_id"],
            "system": transfer + "/" + frame["rating_stimulus"],
            "score": frame["rating_score"].astype(float),
        }
    )


def pesq_of_benjsta() -> pd.DataFrame:
    """The published PESQ-WB of every stimulus: ``item, system, value``."""
    scores = pd.read_csv(RATINGS / "benjsta" / "pesq_wb_vs_mushra.csv")
    files = pd.read_csv(RATINGS / "benjsta" / "ratings_formated.csv")
    items = dict(zip(files["file"].str.split("/").str[0], files["signal"], strict=True))
    return pd.DataFrame(
        {"item": scores["stim"].map(items), "system": scores["cond"], "value": scores["pesq"]}
    )


def tidy(*rows: tuple[Any, Any, Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(statistics.COLUMNS))


def simulated(
    assessors: int = 12, items: int = 4, systems: int = 5, *, seed: int = 0, keep: float = 1.0
) -> pd.DataFrame:
    """Whole grades with spread between assessors, items and their pairs; a share `keep` of them."""
    generator = np.random.default_rng(seed)
    a, i, s = np.meshgrid(np.arange(assessors), np.arange(items), np.arange(systems), indexing="ij")
    score = (
        np.linspace(25, 90, systems)[s]
        + generator.normal(0, 8, assessors)[a]
        + generator.normal(0, 5, (assessors, systems))[a, s]
        + generator.normal(0, 4, items)[i]
        + generator.normal(0, 4, (items, systems))[i, s]
        + generator.normal(0, 10, a.shape)
    )
    names = ["anchor35", "anchor70", *(f"s{k}" for k in range(systems - 3)), "original"][-systems:]
    frame = pd.DataFrame(
        {
            "assessor": [f"a{k}" for k in a.ravel()],
            "item": [f"i{k}" for k in i.ravel()],
            "system": [names[k] for k in s.ravel()],
            "score": np.clip(np.round(score.ravel()), 0, 100),
        }
    )
    return frame[generator.random(len(frame)) < keep].reset_index(drop=True)
