"""Runs sentences of speech through search, coder and receiver, for calibration and reports."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from codec.audio import read_audio
from codec.base import WORKING_RATE, Audio, CodecError
from codec.bpgan.config import Receiver
from codec.bpgan.entropy import bitstream
from codec.bpgan.entropy.base import Symbols
from codec.bpgan.network.mel import active_level
from codec.bpgan.network.model import DEFAULT_RECEIVER, BPGANModel
from codec.bpgan.network.vocoder import griffin_lim
from codec.bpgan.search.search import SearchConfig, search
from codec.recordings.formats import NAMED, is_audio


@dataclass(frozen=True)
class Sentence:
    """A recording as the sender gets it.

    Attributes:
        name: path of the file within its folder.
        audio: float32 (samples,) at the model's rate.
        level: index of the header.
        mel: log-mel (bands, frames) of the audio at the model's level.
    """

    name: str
    audio: Audio
    level: int
    mel: Tensor

    @property
    def seconds(self) -> float:
        return self.audio.size / WORKING_RATE

    @classmethod
    def from_audio(cls, model: BPGANModel, name: str, audio: Audio) -> Sentence:
        """Build it from audio. Raises `CodecError` if that is silent: there is nothing to search for."""
        level = bitstream.level_index(active_level(audio))
        if not level:
            raise CodecError(f"{name} is silent.")
        config = model.config
        gain = np.float32(config.mel.level / bitstream.level_rms(level))
        padded = np.pad(audio, (0, -audio.size % config.block)) * gain
        with torch.no_grad():
            mel = model.mel(torch.from_numpy(padded)[None].to(model.mel.filters.device))
        return cls(name, audio, level, mel[0])


def read_folder(folder: Path, model: BPGANModel, limit: int | None = None) -> list[Sentence]:
    """Read the recordings of a folder, sorted by name; with `limit`, only so many at even distances.

    Raises:
        CodecError: there are none, or one of them cannot be read.
    """
    paths = sorted(p for p in folder.rglob("*") if is_audio(p))
    if not paths:
        raise CodecError(f"{folder} holds no audio ({NAMED}).")
    if limit and limit < len(paths):
        paths = [paths[i * len(paths) // limit] for i in range(limit)]
    rate = model.config.mel.sample_rate
    return [
        Sentence.from_audio(model, str(path.relative_to(folder)), read_audio(path, rate=rate).audio)
        for path in paths
    ]


@dataclass(frozen=True)
class Outcome:
    """A sentence after the search.

    Attributes:
        symbols: uint8 (channels, latent frames).
        objective: J + weighted rate.
        encoder_objective: the same for the encoder's own symbols.
        distortion: J alone.
        iterations: steps that the search took.
        cpu_seconds: processor time of the search per second of audio, mean over its batch.
    """

    sentence: Sentence
    symbols: Symbols
    objective: float
    encoder_objective: float
    distortion: float
    iterations: int
    cpu_seconds: float


def group_by_length(sentences: Sequence[Sentence], size: int) -> Iterator[list[Sentence]]:
    """Group sentences of about the same length, so that batches have little padding."""
    ordered = sorted(sentences, key=lambda s: s.mel.shape[1])
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def search_all(
    model: BPGANModel,
    sentences: Sequence[Sentence],
    config: SearchConfig,
    channels: int | None = None,
    coder: str = "range",
    batch: int = 8,
) -> Iterator[Outcome]:
    """Search every sentence, in order of length."""
    rate, stride = model.build_rates(coder), model.config.latent.stride
    for group in group_by_length(sentences, batch):
        longest = group[-1].mel.shape[1]
        mel = torch.stack([pad(s.mel, (0, longest - s.mel.shape[1])) for s in group])
        lengths = torch.tensor([s.mel.shape[1] // stride for s in group], device=mel.device)
        began = time.process_time()
        found = search(model, mel, config, channels=channels, rate=rate, lengths=lengths)
        spent = (time.process_time() - began) / sum(s.seconds for s in group)
        for i, sentence in enumerate(group):
            yield Outcome(
                sentence,
                found.symbols[i, :, : int(lengths[i])].cpu().numpy().astype(np.uint8),
                float(found.objective[i]),
                float(found.encoder_objective[i]),
                float(found.distortion[i]),
                int(found.iterations[i]),
                spent,
            )


def measure_rate(model: BPGANModel, outcome: Outcome, coder: str = "range") -> float:
    """Bit rate of the sentence's whole bitstream in kbit/s, header and checksum included."""
    sentence = outcome.sentence
    stream = bitstream.Stream(
        model_id=model.model_id,
        coder=coder,
        layer=model.layers.index(outcome.symbols.shape[0]),
        level=sentence.level,
        num_samples=sentence.audio.size,
        symbols=model.build_coder(coder).encode(outcome.symbols),
    )
    return 8 * len(bitstream.pack(stream)) / sentence.seconds / 1000


def decode_outcome(model: BPGANModel, outcome: Outcome, receiver: Receiver = DEFAULT_RECEIVER) -> Audio:
    """Decode the symbols as the receiver does: float32 of the sentence's length, at the model's level."""
    symbols = torch.from_numpy(outcome.symbols.astype(np.int64))[None].to(model.mel.filters.device)
    with torch.inference_mode():
        values = model.quantizer.decode(symbols)
        log_mel = model.generator(values)
    return synthesise(model, log_mel, values, outcome.sentence.audio.size, receiver)


def synthesise(
    model: BPGANModel, log_mel: Tensor, values: Tensor, size: int, receiver: Receiver = DEFAULT_RECEIVER
) -> Audio:
    """Synthesise audio (size,) from a log-mel (1, bands, frames) that the generator made of `values`."""
    with torch.inference_mode():
        audio = griffin_lim(model.mel, model.power(log_mel, values, receiver))[0].cpu().numpy()
    return np.asarray(audio[:size], dtype=np.float32)


def measure_quality(reference: Audio, audio: Audio) -> dict[str, float]:
    """Measure PESQ-NB, PESQ-WB (P.862.1, P.862.2) and STOI; PESQ is nan where P.862 finds no speech."""
    from pesq import PesqError, pesq
    from pystoi import stoi

    try:
        narrow, wide = (float(pesq(WORKING_RATE, reference, audio, mode)) for mode in ("nb", "wb"))
    except PesqError:
        narrow = wide = float("nan")
    return {"pesq_nb": narrow, "pesq_wb": wide, "stoi": float(stoi(reference, audio, WORKING_RATE))}
