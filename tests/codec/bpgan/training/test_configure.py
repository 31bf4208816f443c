"""``python -m codec configure``: other settings of a model's receiver, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codec.__main__ import main
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import WEIGHTS

SHIPPED = WEIGHTS / "default.safetensors"


def test_the_receiver_changes_and_all_else_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "stronger.safetensors"
    changes = ["postfilter.bands=0.5", "postfilter.top=0.0", "spectrum.strength=0.75"]
    assert main(["configure", str(SHIPPED), "--set", *changes, "--out", str(out)]) == 0
    before, after = BPGANModel.load(SHIPPED), BPGANModel.load(out)
    assert after.config.postfilter.bands == 0.5
    assert after.config.postfilter.top == 0.0
    assert after.config.postfilter.frames == before.config.postfilter.frames
    assert after.config.spectrum.strength == 0.75
    assert after.rates == before.rates
    assert after.notes == before.notes
    assert after.state_dict().keys() == before.state_dict().keys()
    assert all(torch.equal(tensor, before.state_dict()[name]) for name, tensor in after.state_dict().items())
    ours, theirs = after.contexts.arrays(), before.contexts.arrays()
    assert all((ours[name] == theirs[name]).all() for name in ours)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("latent.channels=8", "A trained model keeps its latent.channels"),
        ("spectrum.blocks=8", "A trained model keeps its spectrum.blocks"),
        ("postfilter.bands=much", "cannot be read"),
        ("postfilter.bands=nan", "postfilter.bands is a number from 0 on, not nan"),
        ("spectrum.strength=-1", "spectrum.strength is a number from 0 on, not -1"),
        ("spectrum.strength='1'", "spectrum.strength is a number from 0 on, not '1'"),
    ],
)
def test_what_would_be_another_network_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    out = tmp_path / "other.safetensors"
    assert main(["configure", str(SHIPPED), "--set", change, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_place_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nowhere" / "model.safetensors"
    assert main(["configure", str(SHIPPED), "--set", "spectrum.strength=0.5", "--out", str(out)]) == 2
    assert f"The model {out} cannot be written" in capsys.readouterr().err
