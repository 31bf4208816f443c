"""Validation of a model in training, on speakers that training never sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.config import Receiver
from codec.bpgan.entropy import fitting
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.vocoder import griffin_lim
from codec.bpgan.training.data import Corpus

COLUMNS = ["log_mel_db", "pesq_nb", "pesq_wb", "bits_per_symbol"]


@torch.no_grad()
def validate(
    model: BPGANModel,
    corpus: Corpus,
    utterances: Sequence[int],
    channels: int,
    quantised: bool,
    receiver: Receiver,
) -> dict[str, float]:
    """Measure log-mel error in dB, PESQ of decoded audio, and entropy of the encoder's symbols; no search.

    Args:
        model: to be measured.
        corpus: contains the utterances.
        utterances: their indices.
        channels: number of the latent's channels that are sent.
        quantised: whether the levels have been fitted.
        receiver: turns the generated mel-spectrogram into audio.
    """
    from pesq import PesqError, pesq

    config, device = model.config, model.mel.filters.device
    errors, narrow, wide = [], [], []
    symbols: list[Tensor] = []
    for index in utterances:
        audio = corpus.utterance(index, config.mel.level)
        padded = np.pad(audio, (0, -audio.size % config.block))
        mel = model.mel(torch.from_numpy(padded)[None].to(device))
        z = model.encoder(mel)[:, :channels]
        if quantised:
            codes = model.quantizer.encode(z)
            symbols.append(codes[0].cpu())
            z = model.quantizer.decode(codes)
        generated = model.generator(z)
        errors.append(float((generated - mel).abs().mean()) * 4 * 10 / np.log(10))
        power = model.power(generated, z, receiver)
        degraded = griffin_lim(model.mel, power)[0, : audio.size].cpu().numpy()
        try:
            narrow.append(pesq(config.mel.sample_rate, audio, degraded, "nb"))
            wide.append(pesq(config.mel.sample_rate, audio, degraded, "wb"))
        except PesqError:
            continue  # P.862 finds no speech in this utterance
    return {
        "log_mel_db": float(np.mean(errors)),
        "pesq_nb": float(np.mean(narrow)) if narrow else float("nan"),
        "pesq_wb": float(np.mean(wide)) if wide else float("nan"),
        "bits_per_symbol": fitting.measure_entropy(symbols, config.latent.levels)
        if symbols
        else float("nan"),
    }
