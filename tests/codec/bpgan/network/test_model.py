"""The model file: tables of either kind come back exactly, and fit the latent or are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from codec.base import CodecError
from codec.bpgan.config import LatentConfig, ModelConfig, PostfilterConfig, Rate, preset
from codec.bpgan.entropy import range_coder
from codec.bpgan.entropy.base import TOTAL, ContextModel
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import load_model
from tests.codec.bpgan.models import random_nade, random_tables
from tests.codec.speech import harvard_sentence

SMALL = replace(
    preset("default")[0],
    latent=LatentConfig(channels=5),
    network=replace(
        preset("default")[0].network,
        encoder_width=8,
        encoder_blocks=(1, 1),
        generator_width=8,
        generator_blocks=(1, 1),
    ),
)


@pytest.mark.parametrize("make", [random_nade, random_tables])
def test_tables_survive_the_file(make, tmp_path: Path) -> None:
    model = BPGANModel(SMALL)
    model.contexts = make(5)
    model.save(tmp_path / "model.safetensors")
    again = BPGANModel.load(tmp_path / "model.safetensors").contexts
    assert type(again) is type(model.contexts)
    arrays = again.arrays()
    assert arrays.keys() == model.contexts.arrays().keys()
    for name, array in model.contexts.arrays().items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_a_file_may_leave_out_what_another_model_has(tmp_path: Path) -> None:
    """Here all but generator and settings; without the other model, such a file is refused."""
    torch.manual_seed(5)
    first = BPGANModel(SMALL)
    first.contexts = random_nade(5)
    first.save(tmp_path / "first.safetensors")
    second = BPGANModel.load(tmp_path / "first.safetensors")
    like = BPGANModel.load(tmp_path / "first.safetensors")
    second.config = replace(SMALL, postfilter=PostfilterConfig(bands=0.3))
    second.rates = {"bpgan-1k": Rate(5, 0.02)}
    with torch.no_grad():
        next(second.generator.parameters()).mul_(2.0)
    second.save(tmp_path / "second.safetensors", like)
    assert {name.partition(".")[0] for name in load_file(tmp_path / "second.safetensors")} == {"generator"}
    again = BPGANModel.load(tmp_path / "second.safetensors", like)
    assert (again.config, again.rates) == (second.config, second.rates)
    assert all(
        torch.equal(mine, theirs)
        for mine, theirs in zip(again.state_dict().values(), second.state_dict().values(), strict=True)
    )
    assert again.contexts.arrays().keys() == first.contexts.arrays().keys()
    with pytest.raises(CodecError, match="tables are missing"):
        BPGANModel.load(tmp_path / "second.safetensors")


def test_tables_of_another_latent_are_refused(tmp_path: Path) -> None:
    model = BPGANModel(SMALL)
    model.contexts = random_nade(4)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(CodecError, match="another latent"):
        BPGANModel.load(tmp_path / "model.safetensors")


def test_a_file_without_tables_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = BPGANModel(SMALL)
    model.save(path)
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.startswith("contexts.")}
    save_file(tensors, path, metadata={"config": json.dumps(SMALL.to_dict())})
    with pytest.raises(CodecError, match="tables are missing"):
        BPGANModel.load(path)


@pytest.mark.parametrize("damage", ["missing", "shape", "unknown", "bytes", "config", "list", "layers"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    BPGANModel(SMALL).save(path)
    tensors, config = load_file(path), json.dumps(SMALL.to_dict())
    name = "generator.layers.0.weight"
    if damage == "missing":
        del tensors[name]
    elif damage == "shape":
        tensors[name] = tensors[name][:, :, :5].contiguous()
    elif damage == "unknown":
        tensors["generator.layers.99.weight"] = tensors[name].clone()
    elif damage == "config":
        config = json.dumps(replace(SMALL, latent=LatentConfig(channels=-5)).to_dict())
    elif damage == "list":
        config = "[]"
    elif damage == "layers":
        config = config.replace('"layers": []', '"layers": [2, 4]')
        assert "[2, 4]" in config
    save_file(tensors, path, metadata={"config": config})
    if damage == "bytes":
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CodecError, match="layers are" if damage == "layers" else "cannot be read"):
        BPGANModel.load(path)


@pytest.mark.parametrize("layers", [(2, 4), (4, 2, 5), (2, 2, 5), (0, 5), (-1, 5), (2, 6), (5, 4)])
def test_layers_that_no_stream_can_name_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(CodecError, match="ascending numbers of channels"):
        LatentConfig(channels=5, layers=layers)


def test_at_most_eight_layers_can_be_named() -> None:
    assert LatentConfig(channels=8, layers=tuple(range(1, 9))).layers[-1] == 8
    with pytest.raises(CodecError, match="1 to 8 ascending"):
        LatentConfig(channels=9, layers=tuple(range(1, 10)))
    with pytest.raises(CodecError, match="last of them all 5"):
        ModelConfig.from_dict({"name": "x", "latent": {"channels": 5, "layers": [2, 4]}})


def test_bytes_of_real_speech_are_what_its_symbols_are_worth() -> None:
    model = load_model()
    contexts: ContextModel = model.contexts
    for index in (0, 4):
        speech = harvard_sentence(index)
        padded = np.pad(speech, (0, -speech.size % model.config.block))
        with torch.no_grad():
            z = model.encoder(model.mel(torch.from_numpy(padded * np.float32(2))[None]))
            symbols = model.quantizer.encode(z)[0].numpy().astype(np.uint8)
        predictor = contexts.predictor(len(symbols))
        _, sizes = predictor.intervals(symbols)
        bits = -np.log2(np.array(sizes) / TOTAL).sum()
        payload = range_coder.encode_symbols(symbols, contexts)
        assert bits - 8 <= 8 * len(payload) <= bits + 16
        again = range_coder.decode_symbols(payload, contexts, symbols.shape[1], len(symbols))
        np.testing.assert_array_equal(again, symbols)
