"""BPGAN as a system: waveform to bitstream and back, on whatever device there is."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codec.base import WORKING_RATE, Audio, Codec, CodecError, CodecUnavailable, Encoded
from codec.bpgan import bitstream, entropy, huffman
from codec.bpgan.mel import active_level
from codec.bpgan.model import BPGANModel
from codec.bpgan.search import SEARCHES, search
from codec.bpgan.vocoder import griffin_lim

_WEIGHTS = Path(str(files("codec.bpgan") / "weights"))


def device() -> torch.device:
    """Where the networks run: ``EARSHOT_DEVICE``, else a GPU when there is one."""
    return torch.device(os.environ.get("EARSHOT_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu"))


@cache
def load_model(name: str = "default") -> BPGANModel:
    """A model of this installation by name, ready for inference.

    Raises:
        CodecUnavailable: there is no such model.
    """
    path = _WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise CodecUnavailable(f"The model {path.name} is not in this installation (codec/bpgan/weights).")
    return BPGANModel.load(path).to(device())


def model_by_id(model_id: int) -> BPGANModel:
    """The model that a bitstream names. Raises `CodecError` if this installation lacks it."""
    for path in sorted(_WEIGHTS.glob("*.safetensors")):
        if (model := load_model(path.stem)).model_id == model_id:
            return model
    raise CodecError(
        f"The bitstream was written by model {model_id:04x}, which this installation does not have."
    )


class BPGAN(Codec):
    """BPGAN (range coder) or the 2020 Unified GAN codec (Huffman); `search` names a budget of `SEARCHES`."""

    def __init__(
        self, slug: str, sample_rate: int = WORKING_RATE, entropy: str = "range", search: str = "realtime"
    ) -> None:
        super().__init__(slug, sample_rate)
        self.model = load_model()
        if sample_rate != self.model.config.mel.sample_rate:
            raise CodecUnavailable(
                f"{slug} works at {self.model.config.mel.sample_rate} Hz, not at {sample_rate} Hz."
            )
        self.coder = entropy
        self.search = search

    def _encode(self, audio: Audio) -> tuple[bytes, int, dict[str, Any]]:
        model, config = self.model, self.model.config
        level = bitstream.level_index(active_level(audio))
        parameters: dict[str, Any] = {
            "model": config.name,
            "model_id": f"{model.model_id:04x}",
            "search": self.search,
            "entropy": self.coder,
            "torch": torch.__version__,
            "counted": "whole bitstream: header, symbols and checksum",
        }
        symbols = b""
        if level:
            padded = np.pad(audio, (0, -audio.size % config.block)) * np.float32(
                config.mel.level / bitstream.level_rms(level)
            )
            with torch.no_grad():
                mel = model.mel(torch.from_numpy(padded)[None].to(device()))
            found = search(model, mel, SEARCHES[self.search])
            parameters["iterations"] = int(found.iterations)
            parameters["objective"] = round(float(found.objective), 5)
            parameters["encoder_objective"] = round(float(found.encoder_objective), 5)
            # The generator errs on the quiet side where it is unsure: the sender knows by how much.
            with torch.no_grad():
                generated = model.generator(model.quantizer.decode(found.symbols))
                louder = float((model.mel.energy(mel) / model.mel.energy(generated).clamp_min(1e-9)).sqrt())
            level = max(
                1, bitstream.level_index(bitstream.level_rms(level) * float(np.clip(louder, 0.5, 2.0)))
            )
            codes = found.symbols[0].cpu().numpy().astype(np.uint8)
            if self.coder == "range":
                symbols = entropy.encode_symbols(codes, model.contexts)
            else:
                symbols, _ = huffman.encode_symbols(codes, model.marginals.cpu().numpy())
            parameters["bits_per_symbol"] = round(8 * len(symbols) / codes.size, 4)
        payload = bitstream.pack(bitstream.Stream(model.model_id, self.coder, level, audio.size, symbols))
        return payload, 8 * len(payload), parameters

    def _decode(self, encoded: Encoded) -> Audio:
        stream = bitstream.unpack(encoded.payload)
        if stream.num_samples != encoded.num_samples:
            raise CodecError(
                f"The bitstream holds {stream.num_samples} samples, not the declared {encoded.num_samples}."
            )
        if not stream.level:
            return np.zeros(stream.num_samples, dtype=np.float32)
        model = model_by_id(stream.model_id)
        symbols = read_symbols(stream, model)
        with torch.inference_mode():
            codes = torch.from_numpy(symbols.astype(np.int64))[None].to(device())
            log_mel = model.generator(model.quantizer.decode(codes))
            audio = griffin_lim(model.mel, log_mel)[0].cpu().numpy()
        gain = np.float32(bitstream.level_rms(stream.level) / model.config.mel.level)
        return np.asarray(audio * gain, dtype=np.float32)


def read_symbols(stream: bitstream.Stream, model: BPGANModel) -> entropy.Symbols:
    """Entropy-decode a stream: uint8 (channels, latent frames).

    Raises:
        CodecError: if it declares more audio than its bytes can hold.
    """
    frames = -(-stream.num_samples // model.config.block)
    fewest = model.contexts.fewest_bits() if stream.coder == "range" else model.config.latent.channels
    if frames * fewest > 8 * len(stream.symbols) + 32:
        raise CodecError("The bitstream is damaged: it declares more audio than its bytes can hold.")
    if stream.coder == "range":
        return entropy.decode_symbols(stream.symbols, model.contexts, frames)
    return huffman.decode_symbols(stream.symbols, model.marginals.cpu().numpy(), frames)
