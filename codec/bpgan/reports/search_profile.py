"""Where the time of encoding and decoding is spent, by part."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.network.frozen import FrozenGenerator
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.vocoder import griffin_lim
from codec.bpgan.search.objective import Problem
from codec.bpgan.search.search import SearchConfig, search

#: Methods in which the search spends its time, and their titles. Time that one of them spends in another
#: counts for the other only.
_PARTS: tuple[tuple[type, str, str], ...] = (
    (FrozenGenerator, "forward", "generator, forward"),
    (FrozenGenerator, "gradient", "generator, backward"),
    (Problem, "encode", "encoder"),
    (Problem, "gradient", "objective's gradient"),
    (Problem, "score", "scoring of candidates"),
    (Problem, "frame_scores", "scoring of moves"),
    (Problem, "bits", "rate of candidates"),
    (Problem, "alternatives", "rate of alternatives"),
    (Problem, "project", "projection"),
)


class _Clock:
    """Measures processor time by part; every second counts once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._since = time.process_time()

    def switch(self) -> None:
        now = time.process_time()
        if self._inside:
            self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self.switch()
        self._inside.append(name)
        try:
            yield
        finally:
            self.switch()
            self._inside.pop()

    def time_calls(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return method(*args, **kwargs)

        return call


def profile_chain(
    model: BPGANModel, audio: Tensor, config: SearchConfig, channels: int | None = None
) -> dict[str, float]:
    """Measure processor seconds per second of audio for each part of encoding and decoding.

    `audio` (batch, samples) is normalised to the model's level and padded to whole blocks. No other search
    may run in the same process, because it would be measured as well.
    """
    clock, coder = _Clock(), model.build_coder("range")
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in _PARTS]
    for owner, name, title in _PARTS:
        setattr(owner, name, clock.time_calls(title, getattr(owner, name)))
    try:
        with clock.part("mel-spectrogram"), torch.no_grad():
            mel = model.mel(audio)
        with clock.part("rest of the search"):
            symbols = search(model, mel, config, channels=channels).symbols
    finally:
        for owner, name, method in originals:
            setattr(owner, name, method)
    with clock.part("entropy coder, sender"):
        codes = symbols.cpu().numpy().astype(np.uint8)
        payloads = [coder.encode(row) for row in codes]
    with clock.part("entropy coder, receiver"):
        count, frames = codes.shape[1:]
        for payload in payloads:
            coder.decode(payload, frames, count)
    with torch.inference_mode():
        with clock.part("receiver's generator"):
            values = model.quantizer.decode(symbols)
            generated = model.generator(values)
        with clock.part("refiner, postfilter, spectrum network"):
            power = model.power(generated, values)
        with clock.part("inverse STFT"):
            griffin_lim(model.mel, power)
    duration = audio.numel() / model.config.mel.sample_rate
    return {name: seconds / duration for name, seconds in clock.seconds.items()}
