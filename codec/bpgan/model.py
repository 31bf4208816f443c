"""A trained model as one object, and its file: safetensors with the configuration inside."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from codec.base import CodecError
from codec.bpgan.config import ModelConfig
from codec.bpgan.encoder import build_encoder
from codec.bpgan.generator import build_generator
from codec.bpgan.mel import Mel
from codec.bpgan.quantizer import Quantizer


class BPGANModel(nn.Module):
    """Encoder, quantiser and generator, with the front end they were trained on.

    `frequencies` are the entropy coder's integer tables (`codec.bpgan.entropy`): int32 of shape
    (channels, levels + 1, levels), one row per channel and previous symbol, each row summing to
    ``2 ** 15``; the extra context is the start of a file. `marginals` (channels, levels) are the same
    without context, for the Huffman code.
    """

    frequencies: Tensor
    marginals: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = Mel(config.mel)
        self.encoder = build_encoder(config)
        self.quantizer = Quantizer(config.latent)
        self.generator = build_generator(config)
        levels = config.latent.levels
        flat = torch.full((config.latent.channels, levels + 1, levels), 2**15 // levels, dtype=torch.int32)
        self.register_buffer("frequencies", flat)
        self.register_buffer("marginals", flat[:, 0].clone())
        #: First two bytes of the SHA-256 of the weights file: the name of the model in a bitstream.
        self.model_id = 0

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write weights as float16 (tables and levels exact) with configuration and `notes` as metadata."""
        tensors = {
            name: tensor.half().contiguous()
            if tensor.dtype == torch.float32 and "centres" not in name
            else tensor.contiguous()
            for name, tensor in self.state_dict().items()
        }
        metadata = {"config": json.dumps(self.config.to_dict()), **notes}
        partial = path.with_name(path.name + ".part")
        save_file(tensors, partial, metadata=metadata)
        partial.rename(path)

    @classmethod
    def load(cls, path: Path) -> BPGANModel:
        """Read a model for inference. Raises `CodecError` if the file is missing or damaged."""
        try:
            with safe_open(path, "pt") as file:
                config = ModelConfig.from_dict(json.loads(file.metadata()["config"]))
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise CodecError(f"The model {path.name} cannot be read: {error}") from error
        model = cls(config)
        model.load_state_dict({n: t.float() if t.dtype == torch.float16 else t for n, t in state.items()})
        model.model_id = int.from_bytes(hashlib.sha256(path.read_bytes()).digest()[:2], "big")
        return model.eval().requires_grad_(False)
