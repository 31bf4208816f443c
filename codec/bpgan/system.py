"""BPGAN as a system: waveform to bitstream and back, on whatever device there is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from codec.base import (
    WORKING_RATE,
    Audio,
    Codec,
    CodecError,
    CodecUnavailable,
    Encoded,
    Progress,
    no_progress,
)
from codec.bpgan.config import Rate, Receiver
from codec.bpgan.entropy import bitstream, entropy, huffman
from codec.bpgan.entropy.contexts import RateModel
from codec.bpgan.entropy.rates import HuffmanRates
from codec.bpgan.network.mel import active_level
from codec.bpgan.network.model import BPGANModel, model_id
from codec.bpgan.search.blockwise import Blockwise, Coded
from codec.bpgan.search.search import SEARCHES, SearchConfig

_WEIGHTS = Path(str(files("codec.bpgan") / "weights"))
# Blocks that are searched at once, padding included: bounds memory, to about 0.5 GB.
_TOGETHER = 5


def device() -> torch.device:
    """Where the networks run: ``EARSHOT_DEVICE``, else a GPU when there is one, in full float32.

    TF32, which GPUs use for convolutions unless told otherwise, makes another mel-spectrogram of the same
    symbols: far enough from a CPU's to be heard by a meter once Griffin-Lim has amplified it.
    """
    chosen = torch.device(
        os.environ.get("EARSHOT_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    )
    if chosen.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return chosen


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


@cache
def _ids() -> dict[int, str]:
    """Models of this installation by what bitstreams call them."""
    return {model_id(path): path.stem for path in sorted(_WEIGHTS.glob("*.safetensors"))}


def model_by_id(wanted: int) -> BPGANModel:
    """The model that a bitstream names. Raises `CodecError` if this installation lacks it."""
    if wanted not in _ids():
        raise CodecError(
            f"The bitstream was written by model {wanted:04x}, which this installation does not have."
        )
    return load_model(_ids()[wanted])


def rate_of(model: BPGANModel, slug: str, channels: Sequence[int]) -> Rate:
    """How a system uses a model: by the model's calibration, else the first layer of `channels` it has.

    Raises:
        CodecUnavailable: the model has no such layer.
    """
    rate = model.rates.get(slug)
    wanted = (rate.channels,) if rate else channels or model.layers[-1:]
    for each in wanted:
        if each in model.layers:
            return rate or Rate(each)
    there = ", ".join(map(str, model.layers))
    raise CodecUnavailable(
        f"{slug} sends {' or '.join(map(str, wanted))} channels; "
        f"the model {model.config.name} can send {there}."
    )


class BPGAN(Codec):
    """BPGAN (range coder) or the 2020 Unified GAN codec (Huffman).

    Args:
        slug: of the system; the model's calibration may say how to meet its rate.
        sample_rate: the model's.
        entropy: one of `bitstream.CODERS`.
        search: a budget of `SEARCHES`.
        channels: how many of the model's channels to send, in order of preference, where the model was
            not calibrated for `slug`; none: all.
        checksum: whether a damaged stream should be told from a whole one, for two bytes.
        model: to encode with; the one of this installation if None.
        postfilter, network: what the receiver does, see `Receiver`. The symbols are the same; the level in
            the bitstream is right for this receiver.
        like: slug of the system whose bitstreams these are, if not of this one.

    Raises:
        CodecUnavailable: the model is missing, or cannot send so many channels.
    """

    def __init__(
        self,
        slug: str,
        sample_rate: int = WORKING_RATE,
        entropy: str = "range",
        search: str = "realtime",
        channels: Sequence[int] = (),
        checksum: bool = True,
        model: BPGANModel | None = None,
        postfilter: bool = True,
        network: float | None = None,
        like: str = "",
    ) -> None:
        super().__init__(slug, sample_rate)
        self.model = model or load_model()
        if sample_rate != self.model.config.mel.sample_rate:
            raise CodecUnavailable(
                f"{slug} works at {self.model.config.mel.sample_rate} Hz, not at {sample_rate} Hz."
            )
        self.rate = rate_of(self.model, like or slug, channels)
        self.coder = entropy
        self.search = search
        self.receiver = Receiver(postfilter, network)
        self.checksum = checksum

    def _encode(self, audio: Audio) -> tuple[bytes, int, dict[str, Any]]:
        return self._encode_with(audio, no_progress)

    def _encode_with(self, audio: Audio, progress: Progress) -> tuple[bytes, int, dict[str, Any]]:
        level = bitstream.level_index(active_level(audio))
        if not level:
            return self._finish(audio, level, None)
        coded = Blockwise(self.model, receiver=self.receiver).encode(
            audio, self._gain(level), self._budget(), self.rate.channels, self._costs(), progress
        )
        return self._finish(audio, level, coded)

    def encode_many(self, audios: Sequence[Audio]) -> list[Encoded]:
        """`encode` of several files, of which those that are short enough are searched together.

        Each gets what it would get alone, up to rounding.

        Raises:
            CodecError: as `encode` does, for any of them.
        """
        checked = [self.checked(audio) for audio in audios]
        levels = [bitstream.level_index(active_level(audio)) for audio in checked]
        blocks = Blockwise(self.model, receiver=self.receiver)
        budget, costs = self._budget(), self._costs()
        coded: dict[int, Coded] = {}
        waiting: list[int] = []

        def search_waiting() -> None:
            if waiting:
                each = [checked[i] for i in waiting]
                gains = [self._gain(levels[i]) for i in waiting]
                found = blocks.encode_together(each, gains, budget, self.rate.channels, costs)
                coded.update(zip(waiting, found, strict=True))
            waiting.clear()

        # By length, so that little of a batch is padding.
        for i in sorted(range(len(checked)), key=lambda i: checked[i].size):
            frames = blocks.frames(checked[i].size)
            if not levels[i]:
                continue
            if frames > blocks.length:
                gain = self._gain(levels[i])
                coded[i] = blocks.encode(checked[i], gain, budget, self.rate.channels, costs)
                continue
            if frames * (len(waiting) + 1) > _TOGETHER * blocks.length:
                search_waiting()
            waiting.append(i)
        search_waiting()
        encoded = []
        for i, audio in enumerate(checked):
            payload, bits, parameters = self._finish(audio, levels[i], coded.get(i))
            encoded.append(Encoded(self.slug, payload, bits, self.sample_rate, audio.size, parameters))
        return encoded

    def _budget(self) -> SearchConfig:
        return replace(SEARCHES[self.search], rate_weight=self.rate.rate_weight)

    def _gain(self, level: int) -> float:
        """From audio of a level to what the model was trained on."""
        return self.model.config.mel.level / bitstream.level_rms(level)

    def _finish(self, audio: Audio, level: int, coded: Coded | None) -> tuple[bytes, int, dict[str, Any]]:
        """Symbols to payload, bits and parameters; None where there is only silence."""
        model = self.model
        parameters: dict[str, Any] = {
            "model": model.config.name,
            "model_id": f"{model.model_id:04x}",
            "channels": self.rate.channels,
            "rate_weight": self.rate.rate_weight,
            "search": self.search,
            "entropy": self.coder,
            "torch": torch.__version__,
            "counted": "whole bitstream: header, symbols" + (" and checksum" if self.checksum else ""),
        }
        symbols = b""
        if coded is not None:
            parameters["iterations"] = coded.iterations
            parameters["objective"] = round(coded.objective, 5)
            parameters["encoder_objective"] = round(coded.encoder_objective, 5)
            # The generator errs on the quiet side where it is unsure: the sender knows by how much.
            louder = float(np.clip(coded.louder, 0.1, 2.0))
            level = max(1, bitstream.level_index(bitstream.level_rms(level) * louder))
            if self.coder == "range":
                symbols = entropy.encode_symbols(coded.symbols, model.contexts)
            else:
                symbols, _ = huffman.encode_symbols(coded.symbols, _words(model, self.rate.channels))
            parameters["bits_per_symbol"] = round(8 * len(symbols) / coded.symbols.size, 4)
        stream = bitstream.Stream(
            model.model_id,
            self.coder,
            level,
            audio.size,
            symbols,
            layer=model.layers.index(self.rate.channels),
            checksum=self.checksum,
        )
        payload = bitstream.pack(stream)
        return payload, 8 * len(payload), parameters

    def _costs(self) -> RateModel:
        """What the coder needs for symbols, for the search."""
        if self.coder == "range":
            return self.model.contexts.rates(self.model.mel.filters.device)
        return HuffmanRates(self.model.marginals.cpu().numpy(), self.model.mel.filters.device)

    def _decode(self, encoded: Encoded) -> Audio:
        return self._decode_with(encoded, no_progress)

    def _decode_with(self, encoded: Encoded, progress: Progress) -> Audio:
        stream = bitstream.unpack(encoded.payload)
        if stream.num_samples != encoded.num_samples:
            raise CodecError(
                f"The bitstream holds {stream.num_samples} samples, not the declared {encoded.num_samples}."
            )
        if not stream.level:
            return np.zeros(stream.num_samples, dtype=np.float32)
        known = stream.model_id == self.model.model_id
        model = self.model if known else model_by_id(stream.model_id)
        symbols = read_symbols(stream, model)
        gain = bitstream.level_rms(stream.level) / model.config.mel.level
        blocks = Blockwise(model, receiver=self.receiver)
        return blocks.decode(symbols, stream.num_samples, gain, progress)


def read_symbols(stream: bitstream.Stream, model: BPGANModel) -> entropy.Symbols:
    """Entropy-decode a stream: uint8 (channels, latent frames).

    Raises:
        CodecError: if it uses a layer that the model lacks, declares more audio than its bytes can hold,
            or ends before its last symbol.
    """
    if stream.layer >= len(model.layers):
        raise CodecError(
            f"The bitstream uses layer {stream.layer}; model {stream.model_id:04x} has {len(model.layers)}."
        )
    channels = model.layers[stream.layer]
    frames = -(-stream.num_samples // model.config.block)
    fewest = model.contexts.fewest_bits(channels) if stream.coder == "range" else channels
    if frames * fewest > 8 * len(stream.symbols) + 32:
        raise CodecError("The bitstream is damaged: it declares more audio than its bytes can hold.")
    if stream.coder == "range":
        return entropy.decode_symbols(stream.symbols, model.contexts, frames, channels)
    return huffman.decode_symbols(stream.symbols, _words(model, channels), frames)


def _words(model: BPGANModel, channels: int) -> NDArray[np.int32]:
    """Frequencies of the first `channels`, from which their Huffman codes follow."""
    words: NDArray[np.int32] = model.marginals[:channels].cpu().numpy()
    return words
