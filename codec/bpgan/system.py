"""BPGAN as a codec of the registry: waveform to bitstream and back, on whatever device there is."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from codec.audio import resample, resampled_length
from codec.base import (
    WORKING_RATE,
    Audio,
    Codec,
    CodecError,
    CodecUnavailable,
    Encoded,
    Json,
    Parameters,
    Progress,
    fit_length,
    gettext_noop,
    no_progress,
)
from codec.bpgan.config import Rate, Receiver
from codec.bpgan.entropy import bitstream
from codec.bpgan.entropy.base import Symbols
from codec.bpgan.network.mel import active_level, without_offset
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import find_model, load_model, read_model
from codec.bpgan.search.blockwise import Blockwise, Coded
from codec.bpgan.search.search import SEARCHES

#: Of a file with a limit: the factor by which the price of a bit rises, the lowest price to begin with, and
#: how many prices and halves of the last step are tried. Above 7 times the usual price nothing more is saved.
_DEARER, _CHEAPEST, _RISES, _HALVINGS = 1.6, 0.01, 4, 2


def choose_rate(model: BPGANModel, slug: str, channels: Sequence[int]) -> Rate:
    """Choose how a system uses a model: as calibrated, else by the first of `channels` that is a layer.

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
        gettext_noop("%(system)s sends %(wanted)s channels; the model %(model)s can send %(there)s."),
        system=slug,
        wanted=" or ".join(map(str, wanted)),
        model=model.config.name,
        there=there,
    )


class BPGAN(Codec):
    """BPGAN (range coder) or the 2020 Unified GAN codec (Huffman).

    Args:
        slug: of the system; the model's calibration may say how to meet its rate.
        sample_rate: of the audio on either side, in Hz; what is sent is the audio at the model's rate.
        entropy: one of `bitstream.CODERS`.
        search: a budget of `SEARCHES`.
        channels: numbers of channels to send, in order of preference, for a model that was not calibrated
            for `slug`; empty: all channels.
        checksum: whether to spend two bytes on detecting damaged streams.
        model: to encode with, or its file; None: the default of this installation.
        postfilter, network, refiner: what the receiver does, see `Receiver`. The symbols do not depend on it,
            but the level in the bitstream is right for this receiver.
        like: slug of the system whose calibration to use, if not this one's.

    Raises:
        CodecUnavailable: the model is missing, or cannot send any of these numbers of channels.
    """

    def __init__(
        self,
        slug: str,
        sample_rate: int = WORKING_RATE,
        entropy: str = "range",
        search: str = "realtime",
        channels: Sequence[int] = (),
        checksum: bool = True,
        model: BPGANModel | Path | None = None,
        postfilter: bool = True,
        network: float | None = None,
        refiner: bool = True,
        like: str = "",
    ) -> None:
        super().__init__(slug, sample_rate)
        self.model = read_model(model) if isinstance(model, Path) else model or load_model()
        self.rate = choose_rate(self.model, like or slug, channels)
        self.coder = entropy
        self.search = search
        self.receiver = Receiver(postfilter, network, refiner)
        self.checksum = checksum
        #: No file has more kbit/s; None: as `calibrate` made it, nine of ten are below the nominal rate.
        self.max_kbps: float | None = None

    def limit_rate(self, max_kbps: float) -> BPGAN:
        """See `Codec.limit_rate`: a file that would be above is searched again at a higher price of a bit."""
        limited = copy(self)
        limited.max_kbps = max_kbps
        return limited

    def hasten(self) -> BPGAN:
        """See `Codec.hasten`: the search that is named instant."""
        hasty = copy(self)
        hasty.search = "instant"
        return hasty

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        return self._encode_with(audio, no_progress)

    def _encode_with(self, audio: Audio, progress: Progress) -> tuple[bytes, int, Parameters]:
        seconds, inside = audio.size / self.sample_rate, self.model.config.mel.sample_rate
        if inside != self.sample_rate:
            progress = _count_outside(progress, inside, self.sample_rate)
            audio = np.clip(resample(audio, self.sample_rate, inside), -1.0, 1.0)
            audio = fit_length(audio, max(1, audio.size))
        audio = without_offset(audio)
        level = bitstream.level_index(active_level(audio))
        price, channels = self.rate.rate_weight, self.rate.channels
        coded = self._search(audio, level, price, channels, progress) if level else None
        return self._enforce_limit(audio, seconds, level, coded, progress)

    def _search(self, audio: Audio, level: int, price: float, channels: int, progress: Progress) -> Coded:
        budget = replace(SEARCHES[self.search], rate_weight=price)
        rates = self.model.build_rates(self.coder)
        blocks = Blockwise(self.model, receiver=self.receiver)
        return blocks.encode(audio, self._gain(level), budget, channels, rates, progress)

    def _enforce_limit(
        self, audio: Audio, seconds: float, level: int, first: Coded | None, progress: Progress
    ) -> tuple[bytes, int, Parameters]:
        """What is sent: `first` if it keeps the limit, else what is found by paying more for bits.

        Prices rise until the limit is kept, and then go back by halves of the last step. Where the highest
        price is not enough, the next smaller layer is sent, from the usual price on.

        Raises:
            CodecError: no price and no layer will do, or silence is too short for its header.
        """
        sent = self._finish(audio, level, first, self.rate.rate_weight)
        least = sent[1] / seconds / 1000
        if self.max_kbps is None or least <= self.max_kbps:
            return sent

        def attempt(price: float, channels: int) -> tuple[bytes, int, Parameters] | None:
            """What is sent at a price, if it keeps the limit."""
            nonlocal least
            tried = self._finish(audio, level, self._search(audio, level, price, channels, progress), price)
            kbps = tried[1] / seconds / 1000
            least = min(least, kbps)
            return tried if kbps <= limit else None

        limit, usual = self.max_kbps, max(self.rate.rate_weight, _CHEAPEST)
        smaller = [n for n in reversed(self.model.layers) if n <= self.rate.channels]
        for channels in smaller if first else ():
            low = usual if channels == self.rate.channels else 0.0
            high = _DEARER * low or usual
            for _ in range(_RISES):
                if kept := attempt(high, channels):
                    for _ in range(_HALVINGS if low else 0):
                        middle = float(np.sqrt(low * high))
                        if better := attempt(middle, channels):
                            kept, high = better, middle
                        else:
                            low = middle
                    return kept
                low, high = high, _DEARER * high
        raise CodecError(
            gettext_noop("%(system)s cannot send this recording at %(limit)g kbit/s: it needs %(least).2f."),
            system=self.slug,
            limit=limit,
            least=least,
        )

    def _gain(self, level: int) -> float:
        """The gain that takes audio of a level to the level that the model was trained on."""
        return self.model.config.mel.level / bitstream.level_rms(level)

    def _finish(
        self, audio: Audio, level: int, coded: Coded | None, price: float
    ) -> tuple[bytes, int, Parameters]:
        """Turn symbols found at `price` into payload, bits and parameters; `coded` is None for silence."""
        model = self.model
        channels = self.rate.channels if coded is None else len(coded.symbols)
        parameters: dict[str, Json] = {
            "model": model.config.name,
            "model_id": f"{model.model_id:04x}",
            "channels": channels,
            "rate_weight": price,
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
            # Where the generator is uncertain, it is too quiet; the sender knows by how much.
            louder = float(np.clip(coded.louder, 0.1, 2.0))
            level = max(1, bitstream.level_index(bitstream.level_rms(level) * louder))
            symbols = model.build_coder(self.coder).encode(coded.symbols)
            parameters["bits_per_symbol"] = round(8 * len(symbols) / coded.symbols.size, 4)
        stream = bitstream.Stream(
            model.model_id,
            self.coder,
            level,
            audio.size,
            symbols,
            layer=model.layers.index(channels),
            checksum=self.checksum,
        )
        payload = bitstream.pack(stream)
        return payload, 8 * len(payload), parameters

    def _decode(self, encoded: Encoded) -> Audio:
        return self._decode_with(encoded, no_progress)

    def _decode_with(self, encoded: Encoded, progress: Progress) -> Audio:
        stream = bitstream.unpack(encoded.payload)
        known = stream.model_id == self.model.model_id
        # Silence needs no model: its stream can be decoded where its model is missing.
        model = self.model if known or not stream.level else find_model(stream.model_id)
        inside = model.config.mel.sample_rate
        declared = max(1, resampled_length(encoded.num_samples, encoded.sample_rate, inside))
        if stream.num_samples != declared:
            raise CodecError(
                gettext_noop("The bitstream holds %(samples)s samples, not the declared %(declared)s."),
                samples=stream.num_samples,
                declared=declared,
            )
        if not stream.level:
            return np.zeros(encoded.num_samples, dtype=np.float32)
        symbols = read_symbols(stream, model)
        gain = bitstream.level_rms(stream.level) / model.config.mel.level
        blocks = Blockwise(model, receiver=self.receiver)
        progress = _count_outside(progress, inside, encoded.sample_rate)
        decoded = blocks.decode(symbols, stream.num_samples, gain, progress)
        return resample(decoded, inside, encoded.sample_rate)


def _count_outside(progress: Progress, inside: int, outside: int) -> Progress:
    """`progress` in samples at `outside` Hz, for work that counts them at `inside` Hz."""

    def count(done: int, total: int) -> None:
        progress(resampled_length(done, inside, outside), resampled_length(total, inside, outside))

    return progress if inside == outside else count


def read_symbols(stream: bitstream.Stream, model: BPGANModel) -> Symbols:
    """Entropy-decode a stream: uint8 (channels, latent frames).

    Raises:
        CodecError: it uses a layer that the model lacks, declares more audio than its bytes can hold, or
            ends before its last symbol.
    """
    if stream.layer >= len(model.layers):
        raise CodecError(
            gettext_noop("The bitstream uses layer %(layer)s; model %(model)04x has %(layers)s."),
            layer=stream.layer,
            model=stream.model_id,
            layers=len(model.layers),
        )
    channels = model.layers[stream.layer]
    frames = -(-stream.num_samples // model.config.block)
    coder = model.build_coder(stream.coder)
    if frames * coder.fewest_bits(channels) > 8 * len(stream.symbols) + 32:
        raise CodecError(
            gettext_noop("The bitstream is damaged: it declares more audio than its bytes can hold.")
        )
    return coder.decode(stream.symbols, frames, channels)
