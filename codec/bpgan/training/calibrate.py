"""``python -m codec calibrate``: probability tables of searched symbols, and the price of a bit.

The tables of a freshly trained model describe its encoder's output. What is really sent comes from the
search, with a price on bits. Tables and price depend on each other, so they are found in turns, on training
speech only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from codec.base import CodecError
from codec.bpgan.config import Rate
from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.nade import NadeContexts
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.precision import choose_device
from codec.bpgan.search import trials
from codec.bpgan.search.search import SEARCHES, SearchConfig
from codec.bpgan.training import data
from codec.threads import use_threads

#: Share of sentences, of different speakers, that stay at or below the nominal rate.
SHARE = 0.9


@dataclass(frozen=True)
class Target:
    """A system that a model serves: the number of channels it sends, its nominal kbit/s and its coder."""

    slug: str
    channels: int
    kbps: float
    coder: str = "range"


#: In the order of calibration; the symbols of the first have most weight in the tables.
TARGETS = (
    Target("bpgan-2k", 20, 2.0),
    Target("bpgan-4k", 40, 4.0),
    Target("bpgan-1k", 10, 1.0),
    Target("unified-gan-2k", 16, 2.0, "huffman"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec calibrate``."""
    parser.add_argument("model", type=Path, help="model of a training run (.safetensors)")
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="DIR", help="training speech")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL", help="calibrated model to write")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="training speech to search for the tables (default 30)"
    )
    parser.add_argument("--search", default="realtime", choices=[s for s in SEARCHES if s != "instant"])
    parser.add_argument("--threads", type=int, help="CPU threads (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where packed speech is kept")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command. Raises `CodecError` for errors that the user can fix."""
    use_threads(args.threads, searching=True)
    model = BPGANModel.load(args.model).to(choose_device())
    corpus = data.pack(data.find_utterances(args.data), args.cache, model.config.mel.sample_rate)
    calibration = Calibration(model, corpus, SEARCHES[args.search], args.seed)
    calibration.fit(args.minutes * 60)
    model.notes["calibrated"] = json.dumps(calibration.summary(args.minutes))
    model.save(args.out)
    for slug, rate in model.rates.items():
        print(f"{slug}: {rate.channels} channels, {rate.rate_weight:.4f} per bit and symbol")
    return 0


class Calibration:
    """Finds the tables and rates of a model, and sets them."""

    def __init__(self, model: BPGANModel, corpus: data.Corpus, budget: SearchConfig, seed: int) -> None:
        self.model, self.corpus, self.budget, self.seed = model, corpus, budget, seed
        self.members, _ = corpus.split(24)
        self.targets = [t for t in TARGETS if t.channels in model.layers]
        if not self.targets:
            raise CodecError(f"The model sends {model.layers} channels: no system is known for them.")
        self.measured: dict[str, dict[str, float]] = {}

    def sentence(self, index: int) -> trials.Sentence:
        audio = self.corpus.utterance(index, self.model.config.mel.level)
        return trials.Sentence.from_audio(self.model, str(index), audio)

    def fit(self, seconds: float) -> None:
        """Fit tables to the encoder's symbols, then prices, tables to the searched symbols, and prices again.

        If the model's contexts are a network already, it was calibrated before, and its tables are the start.
        """
        model = self.model
        if not isinstance(model.contexts, NadeContexts):
            self._set_tables(list(self._encode_members(1500)))
        speakers = [self.sentence(i) for i in self._pick_speakers(24)]
        for target in self.targets:
            model.rates[target.slug] = self._find_rate(target, speakers[::2], 0.03)
        searched = {
            target: self._search(target, seconds * share)
            for target, share in zip(self.targets, self._shares(), strict=True)
        }
        self._set_tables([code for codes in searched.values() for code in codes], refine=True)
        for target, codes in searched.items():
            if target.coder == "huffman":
                latent = model.config.latent
                own = fitting.fit_marginals(codes, latent.levels, latent.channels)
                model.marginals[: target.channels] = own[: target.channels]
        for target in self.targets:
            model.rates[target.slug] = self._find_rate(target, speakers, 0.005)

    def _shares(self) -> list[float]:
        # The wide layers contain the symbols of the others; the first target is the most important.
        weights = [0.55, 0.3, 0.1, 0.05][: len(self.targets)]
        return [w / sum(weights) for w in weights]

    def _encode_members(self, count: int) -> Sequence[Tensor]:
        model, codes = self.model, []
        for index in tqdm(self.members[:: max(1, len(self.members) // count)], desc="encoder's symbols"):
            mel = self.sentence(int(index)).mel[None]
            with torch.no_grad():
                codes.append(model.quantizer.encode(model.encoder(mel))[0].cpu())
        return codes

    def _set_tables(self, codes: Sequence[Tensor], refine: bool = False) -> None:
        latent, start = self.model.config.latent, self.model.contexts if refine else None
        # Unlike searched symbols, the encoder's do not depend on how many channels are sent.
        layers = () if refine else self.model.layers
        self.model.contexts = fitting.fit(
            codes,
            latent.levels,
            channels=latent.channels,
            layers=layers,
            start=start,
            steps=600 if refine else 4000,
            seed=self.seed,
        )
        self.model.marginals.copy_(fitting.fit_marginals(codes, latent.levels, latent.channels))

    def _pick_speakers(self, count: int) -> list[int]:
        """Pick one sentence each of `count` speakers."""
        rng = np.random.default_rng([self.seed, 1])
        first: dict[str, int] = {}
        for index in rng.permutation(self.members):
            first.setdefault(self.corpus.speakers[index], int(index))
        return list(first.values())[:count]

    def _search(self, target: Target, seconds: float) -> list[Tensor]:
        """Search random sentences of training speech that last about `seconds`. Returns their symbols."""
        rng = np.random.default_rng([self.seed, 2, target.channels])
        sentences, total = [], 0.0
        for index in rng.permutation(self.members):
            sentences.append(self.sentence(int(index)))
            total += sentences[-1].seconds
            if total >= seconds:
                break
        config = replace(self.budget, rate_weight=self.model.rates[target.slug].rate_weight)
        outcomes = trials.search_all(self.model, sentences, config, target.channels, target.coder)
        bar = tqdm(outcomes, total=len(sentences), desc=f"{target.slug}: symbols")
        return [torch.from_numpy(outcome.symbols.astype(np.int64)) for outcome in bar]

    def _find_rate(self, target: Target, sentences: list[trials.Sentence], precision: float) -> Rate:
        """Find the price of a bit at which the target's rate is met."""
        means: dict[float, tuple[float, float]] = {}

        def measure(weight: float) -> float:
            config = replace(self.budget, rate_weight=weight)
            outcomes = trials.search_all(self.model, sentences, config, target.channels, target.coder)
            rates = np.array([trials.measure_rate(self.model, o, target.coder) for o in outcomes])
            upper = float(np.quantile(rates, SHARE))
            means[weight] = float(rates.mean()), upper
            tqdm.write(f"{target.slug}: at {weight:.4f} mean {rates.mean():.3f}, upper {upper:.3f} kbit/s")
            return upper

        config = self.model.config
        raw = target.channels * config.mel.sample_rate / config.block * np.log2(config.latent.levels) / 1000
        before = self.model.rates.get(target.slug)
        guess = before.rate_weight if before else 0.0 if raw <= target.kbps else 0.05
        weight = find_weight(measure, target.kbps, precision, guess)
        mean, upper = means[weight]
        self.measured[target.slug] = {"mean_kbps": round(mean, 4), "upper_kbps": round(upper, 4)}
        return Rate(target.channels, weight)

    def summary(self, minutes: float) -> dict[str, object]:
        return {"minutes": minutes, "seed": self.seed, "share": SHARE, "rates": self.measured}


def find_weight(measure: Callable[[float], float], target: float, precision: float, guess: float) -> float:
    """Find the least weight >= 0 at which `measure`, which decreases, is at or just below `target`.

    Args:
        measure: weight -> kbit/s.
        target: kbit/s.
        precision: tolerated distance below the target, relative to it.
        guess: where to begin.

    Raises:
        CodecError: no weight reaches the target.
    """
    low, high = -1.0, guess  # low: a weight that is too small, or -1 if none is known
    at_low, at_high = np.inf, measure(guess)
    while at_high > target:
        if high > 100 * max(guess, 0.01):
            raise CodecError(f"No price of a bit brings the rate below {target} kbit/s.")
        low, at_low, high = high, at_high, 2 * high or 0.01
        at_high = measure(high)
    for attempt in range(12):
        if high == 0 or at_high >= target * (1 - precision):
            break
        if low < 0:
            middle = high / 2 if high > guess / 4 else 0.0
        else:
            # Aim slightly below the target, so that the upper end moves there. Every third time halve the
            # interval, because the straight line is a bad guess where the rate falls steeply.
            aim = target * (1 - precision / 2)
            share = 0.5 if attempt % 3 == 2 else (at_low - aim) / (at_low - at_high)
            middle = low + (high - low) * min(0.9, max(0.1, share))
        now = measure(middle)
        if now > target:
            low, at_low = middle, now
        else:
            high, at_high = middle, now
    return high
