"""The analysis of variance against pingouin and a textbook example, and the standard's choice of test."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.analysis.statistics import anova
from tests.evaluation.analysis.statistics.frames import simulated, tidy


@pytest.mark.parametrize(
    ("assessors", "items", "systems", "seed"), [(15, 4, 5, 3), (9, 3, 3, 1), (40, 5, 4, 2)]
)
def test_effects_are_pingouins(assessors: int, items: int, systems: int, seed: int) -> None:
    pingouin = pytest.importorskip("pingouin")
    frame = simulated(assessors, items, systems, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pingouin.rm_anova(
            frame, dv="score", within=["system", "item"], subject="assessor", effsize="np2", correction=True
        )
        eps = {
            name: [
                pingouin.epsilon(frame, dv="score", within=within, subject="assessor", correction=kind)
                for kind in ("gg", "hf")
            ]
            for name, within in (
                ("system", "system"),
                ("item", "item"),
                ("system x item", ["system", "item"]),
            )
        }
    found = anova.repeated_measures(frame)
    assert [effect.name for effect in found.effects] == ["system", "item", "system x item"]
    for row, effect in zip(table.to_dict("records"), found.effects, strict=True):
        assert effect.f == pytest.approx(row["F"])
        assert (effect.df, effect.df_error) == (row["ddof1"], row["ddof2"])
        assert effect.ss == pytest.approx(row["SS"])
        assert effect.partial_eta_squared == pytest.approx(row["np2"])
        assert effect.p_uncorrected == pytest.approx(row.get("p_unc", row.get("p-unc")))
        assert effect.p_gg == pytest.approx(row.get("p_GG_corr", row.get("p-GG-corr")))
        assert [effect.greenhouse_geisser, effect.huynh_feldt] == pytest.approx(eps[effect.name])


def test_one_item_is_a_one_way_analysis() -> None:
    pingouin = pytest.importorskip("pingouin")
    frame = simulated(10, 1, 4, seed=5)
    table = pingouin.rm_anova(frame, dv="score", within="system", subject="assessor", correction=True)
    (effect,) = anova.repeated_measures(frame).effects
    assert effect.f == pytest.approx(table["F"][0])
    assert effect.greenhouse_geisser == pytest.approx(table["eps"][0])


def test_a_textbook_example() -> None:
    # Six people, three times (statistics.laerd.com, repeated-measures ANOVA): F(2, 10) = 12.53.
    grades = [(45, 50, 55), (42, 42, 45), (36, 41, 43), (39, 35, 40), (51, 55, 59), (44, 49, 56)]
    frame = tidy(
        *((f"p{k}", "1", f"t{j}", grade) for k, row in enumerate(grades) for j, grade in enumerate(row))
    )
    (effect,) = anova.repeated_measures(frame).effects
    assert effect.f == pytest.approx(12.53, abs=0.01)
    assert effect.ss == pytest.approx(143.44, abs=0.01)
    assert effect.ss_error == pytest.approx(57.22, abs=0.01)
    assert effect.partial_eta_squared == pytest.approx(0.715, abs=0.001)


def test_the_multivariate_form_is_hotellings_of_differences() -> None:
    pingouin = pytest.importorskip("pingouin")
    frame = simulated(14, 3, 4, seed=7)
    means = frame.groupby(["assessor", "system"])["score"].mean().unstack().to_numpy()
    theirs = pingouin.multivariate_ttest(means[:, 1:] - means[:, :1])
    ours = anova.repeated_measures(frame).effects[0].multivariate
    assert ours is not None
    assert ours.f == pytest.approx(theirs["F"].iloc[0])
    assert ours.p == pytest.approx(theirs.iloc[0]["pval" if "pval" in theirs else "p_val"])
    assert (ours.df, ours.df_error) == (3, 11)


def cube(values: np.ndarray) -> pd.DataFrame:
    """Grades of shape (assessors, systems) on one item."""
    return tidy(*((k, "1", j, v) for k, row in enumerate(values) for j, v in enumerate(row)))


def test_the_rule_chooses_the_test() -> None:
    generator = np.random.default_rng(0)
    spherical = generator.normal(50, 5, (12, 3)) + generator.normal(0, 10, (12, 1))
    (effect,) = anova.repeated_measures(cube(spherical)).effects
    assert effect.huynh_feldt is not None
    assert effect.huynh_feldt > 0.85
    assert (effect.chosen, effect.p) == ("huynh-feldt", effect.p_hf)

    many = generator.normal(50, 5, (40, 3))  # N >= K + 30
    (effect,) = anova.repeated_measures(cube(many)).effects
    assert effect.multivariate is not None
    assert (effect.chosen, effect.p) == ("multivariate", effect.multivariate.p)

    uneven = generator.normal(0, 1, (12, 4)) * [0.1, 0.1, 0.1, 20]
    (effect,) = anova.repeated_measures(cube(uneven)).effects
    assert (effect.chosen, effect.p) == ("greenhouse-geisser", effect.p_gg)
    assert effect.multivariate is not None  # shown beside it

    few = generator.normal(0, 1, (4, 6)) * [0.1, 0.1, 0.1, 0.1, 5, 20]  # N < K
    (effect,) = anova.repeated_measures(cube(few)).effects
    assert (effect.chosen, effect.p) == ("greenhouse-geisser", effect.p_gg)
    assert effect.multivariate is None


def test_more_assessors_never_cost_the_test_its_power() -> None:
    """A real interaction of 8 items and 4 systems, K = 22, with as many listeners as levels and around."""
    rng = np.random.default_rng(5)
    effect = rng.normal(0, 6, (8, 4))
    for assessors in (20, 23, 29, 40):
        grades = 50 + effect + rng.normal(0, 8, (assessors, 8, 4))
        rows = [(f"a{a}", f"{i}", f"s{s}", value) for (a, i, s), value in np.ndenumerate(grades)]
        interaction = anova.repeated_measures(tidy(*rows)).effects[2]
        assert interaction.levels == 22
        assert interaction.p is not None
        assert interaction.p < 1e-6, assessors


def test_residuals_of_a_skewed_scale_warn() -> None:
    generator = np.random.default_rng(1)
    skewed = anova.repeated_measures(cube(generator.exponential(10, (60, 4)))).residuals
    assert skewed is not None
    assert (skewed.skewness_level, skewed.kurtosis_level) == ("severe", "severe")
    normal = anova.repeated_measures(cube(generator.normal(50, 10, (200, 4)))).residuals
    assert normal is not None
    assert (normal.skewness_level, normal.kurtosis_level) == ("", "")


def test_residuals_are_those_of_assessor_and_cell() -> None:
    frame = simulated(8, 3, 3, seed=4)
    left = frame["score"] - frame.groupby("assessor")["score"].transform("mean")
    left = left - frame.groupby(["item", "system"])["score"].transform("mean") + frame["score"].mean()
    found = anova.repeated_measures(frame).residuals
    assert found is not None
    assert found.skewness == pytest.approx(stats.skew(left, bias=False))
    assert found.kurtosis == pytest.approx(stats.kurtosis(left, bias=False))


def test_an_interaction_is_told_in_words() -> None:
    rows = [
        (who, item, system, base + (20 if (item == "1") == (system == "x") else -20))
        for who, base in (("a", 50.0), ("b", 53.0), ("c", 47.5), ("d", 51.0))
        for item in "12"
        for system in "xy"
    ]
    frame = tidy(*rows)
    frame["score"] += np.random.default_rng(0).normal(0, 1, len(frame))
    assert "look at the items one by one" in anova.repeated_measures(frame).advice


def test_who_missed_something_is_left_out_and_named() -> None:
    whole = simulated(8, 3, 4, seed=1)
    lost = whole.drop(index=whole.index[0])
    found = anova.repeated_measures(lost)
    assert found.n == 7
    assert found.notes == ("1 assessor with missing grades left out; the mixed model uses them.",)
    expected = anova.repeated_measures(whole[whole["assessor"] != "a0"])
    assert found.effects[0].f == pytest.approx(expected.effects[0].f)


def test_blocks_are_sent_to_the_mixed_model() -> None:
    frame = tidy(("a", "1", "x", 1), ("a", "1", "y", 2), ("b", "2", "x", 3), ("b", "2", "y", 4))
    assert "see the mixed model" in anova.repeated_measures(frame).problem
