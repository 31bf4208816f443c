"""Files of any length, processed in blocks: memory for a few blocks, results as for the whole file.

Mel-spectrogram, encoder, generator, postfilter, spectrum network and Griffin-Lim each depend on a known
number of frames to either side. A block computed with that many frames around it, which are then cut off, is
what it would be within the whole, up to rounding, because sums of other shapes are taken in another order.
The networks hardly show the difference (1e-6 of a generated log-mel); Griffin-Lim amplifies it, in some files
to 4e-4 of full scale. The reach of the search has no such bound: it proceeds from block to block, with the
symbols decided so far as fixed context, and with a look-ahead that is searched as well but not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from codec.base import Audio, Progress, no_progress
from codec.bpgan.config import Receiver
from codec.bpgan.entropy.base import RateModel, Symbols
from codec.bpgan.network import vocoder
from codec.bpgan.network.model import DEFAULT_RECEIVER, POSTFILTER_REACH, BPGANModel
from codec.bpgan.search.search import SearchConfig, search

#: Length of a block in seconds. Longer ones cost memory, shorter ones time for the frames around them.
SECONDS = 12.0
#: Latent frames of look-ahead in the search, and of decided symbols whose error still counts (the default
#: `reach` of `objective.Problem`); 16 are half a second.
AHEAD = COUNTED = 16


def split_into_blocks(frames: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut 0..frames into blocks (start, end) of about equal size, 2/3 to 3/2 of `length` or all at once."""
    count = max(1, round(frames / length))
    edges = [frames * i // count for i in range(count + 1)]
    yield from pairwise(edges)


def reach(network: nn.Module, step: int, stride: int = 1) -> int:
    """The largest number of mel frames to either side that an output frame of a network depends on.

    Args:
        network: only its convolutions, in the order of its modules, may connect frames.
        step: mel frames per frame of its input.
        stride: mel frames to which blocks are aligned; the result is a multiple of it.
    """
    total = 0
    for module in network.modules():
        if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            continue
        kernel, padding, by = module.kernel_size[-1], int(module.padding[-1]), module.stride[-1]
        if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d):
            step //= by
            total += max(padding, kernel - 1 - padding) * step
        else:
            total += max(padding, kernel - 1 - padding) * step
            step *= by
    return -(-total // stride) * stride


@dataclass(frozen=True)
class Coded:
    """The result of a search for a whole file.

    Attributes:
        symbols: uint8 (channels, latent frames).
        objective: J + weighted rate, as minimised. For a file in several blocks, the mean over their windows,
            which include context and look-ahead, weighted by the lengths of the blocks.
        encoder_objective: the same for the encoder's own symbols, in each window after the symbols decided
            before it. `objective` is no larger in any window, and so on average; this says nothing about J of
            the whole file, or about the encoder's symbols throughout.
        iterations: the largest number of steps that the search took in any block.
        louder: the level of the original relative to what the receiver hands to Griffin-Lim.
    """

    symbols: Symbols
    objective: float
    encoder_objective: float
    iterations: int
    louder: float


class Blockwise:
    """Codes and decodes files of any length with a model, on the device of its weights.

    Args:
        model: encoder, generator, and what `receiver` needs.
        seconds: approximate length of a block.
        receiver: decodes, and is the one for which the sender finds the level.
    """

    def __init__(
        self, model: BPGANModel, seconds: float = SECONDS, receiver: Receiver = DEFAULT_RECEIVER
    ) -> None:
        self.model, self.receiver = model, receiver
        self.block, self.stride = model.config.block, model.config.latent.stride
        self.length = max(1, round(seconds * model.config.mel.sample_rate / self.block))
        stride = self.stride
        #: Latent frames to either side that the results of encoder and generator depend on.
        self.encoder_reach = reach(model.encoder, 1, stride) // stride
        self.generator_reach = reach(model.generator, stride, stride) // stride
        before = sum(reach(network, 1) for network in (model.refiner, model.spectrum) if network)
        if model.config.postfilter.frames:
            before += POSTFILTER_REACH
        #: The same for what the receiver hands to Griffin-Lim, and for decoded audio.
        self.power_reach = self.generator_reach - (-before // stride)
        self.audio_reach = self.generator_reach - (-(before + vocoder.reach(model.mel)) // stride)
        #: Frames that the search is given from the preceding blocks, and from the following one. The error
        #: counts in the last `COUNTED` decided frames, which depend on frames before them.
        self.context = self.generator_reach + COUNTED
        self.ahead = max(AHEAD, self.encoder_reach)
        self.device = model.mel.filters.device

    def frames(self, num_samples: int) -> int:
        """The number of latent frames for that many samples."""
        return -(-num_samples // self.block)

    def spectrum(self, audio: Audio, gain: float, start: int, end: int) -> Tensor:
        """STFT power (1, bins, frames) of latent frames start..end of ``audio * gain``."""
        margin = -(-self.model.config.mel.n_fft // (2 * self.block))
        first, last = (start - margin) * self.block, (end + margin) * self.block
        part = audio[max(0, first) : last] * np.float32(gain)
        # Beyond the ends of the file there are zeros, as in `Mel`.
        before = max(0, -first)
        padded = np.pad(part, (before, last - first - before - part.size))
        power: Tensor = self.model.mel.power(torch.from_numpy(padded)[None].to(self.device))
        return power[:, :, margin * self.stride : (margin + end - start) * self.stride]

    def mel(self, audio: Audio, gain: float, start: int, end: int) -> Tensor:
        """Log-mel (1, bands, frames) of latent frames start..end of ``audio * gain``."""
        mel = self.model.mel
        return mel.compress(mel.filters @ self.spectrum(audio, gain, start, end))

    def power(self, symbols: Symbols, start: int, end: int) -> Tensor:
        """The receiver's STFT power (1, bins, frames) of latent frames start..end of a file's symbols."""
        first = max(0, start - self.power_reach)
        around = self._tensor(symbols[:, first : end + self.power_reach])
        values = self.model.quantizer.decode(around)
        power = self.model.power(
            self.model.generator(values), values, self.receiver, start=first * self.stride
        )
        return power[:, :, (start - first) * self.stride : (end - first) * self.stride]

    def encode(
        self,
        audio: Audio,
        gain: float,
        config: SearchConfig,
        channels: int,
        rate: RateModel,
        progress: Progress = no_progress,
    ) -> Coded:
        """Search the symbols of ``audio * gain`` in the model's first `channels`.

        `rate` prices them; `progress` is called with numbers of samples.

        Raises:
            CodecError: the audio has no finite mel-spectrogram.
        """
        frames = self.frames(audio.size)
        symbols = np.zeros((channels, frames), dtype=np.uint8)
        objective = encoder_objective = original = generated = 0.0
        measured = iterations = 0
        for start, end in split_into_blocks(frames, self.length):

            def part(done: int, total: int, start: int = start, end: int = end) -> None:
                progress(
                    min(audio.size, int((start + (end - start) * done / total) * self.block)), audio.size
                )

            first, ahead = max(0, start - self.context), min(self.ahead, frames - end)
            with torch.no_grad():
                mel = self.mel(audio, gain, first, end + ahead)
            decided = self._tensor(symbols[:, first:start]) if start else None
            found = search(
                self.model, mel, config, part, channels=channels, rate=rate, context=decided, ahead=ahead
            )
            symbols[:, start:end] = found.symbols[0].cpu().numpy()
            iterations = max(iterations, int(found.iterations))
            share = (end - start) / frames
            objective += share * float(found.objective)
            encoder_objective += share * float(found.encoder_objective)
            # Frames this close to the end depend on the next block, so their power is measured after it.
            known = end if end == frames else max(measured, end - self.power_reach)
            with torch.no_grad():
                original += float(self.spectrum(audio, gain, measured, known).sum())
                generated += float(self.power(symbols, measured, known).sum())
            measured = known
            progress(min(audio.size, end * self.block), audio.size)
        louder = (original / max(generated, 1e-9)) ** 0.5
        return Coded(symbols, objective, encoder_objective, iterations, louder)

    def decode(
        self,
        symbols: Symbols,
        num_samples: int,
        gain: float,
        progress: Progress = no_progress,
    ) -> Audio:
        """Decode symbols (channels, latent frames) to audio (num_samples,).

        Blocks of another length give the same audio, up to rounding errors that Griffin-Lim amplifies.
        `progress` is called with numbers of samples.
        """
        out = np.empty(num_samples, dtype=np.float32)
        frames = symbols.shape[1]
        for start, end in split_into_blocks(frames, self.length):
            first = max(0, start - self.audio_reach)
            around = self._tensor(symbols[:, first : end + self.audio_reach])
            with torch.inference_mode():
                values = self.model.quantizer.decode(around)
                log_mel = self.model.generator(values)
                power = self.model.power(log_mel, values, self.receiver, start=first * self.stride)
                audio = vocoder.griffin_lim(self.model.mel, power, start=first * self.stride)[0]
                own = audio[(start - first) * self.block : (end - first) * self.block].cpu().numpy()
            at = start * self.block
            here = out[at : end * self.block]
            np.multiply(own[: here.size], np.float32(gain), out=here)
            progress(at + here.size, num_samples)
        return out

    def _tensor(self, symbols: Symbols) -> Tensor:
        return torch.from_numpy(symbols.astype(np.int64))[None].to(self.device)
