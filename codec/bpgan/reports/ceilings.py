"""``python -m codec ceilings``: what each step of the chain costs, and accuracy against naturalness.

In each row the receiver gets another input: the exact mel-spectrogram, what the generator makes of the
encoder's z before and after quantisation, or what it makes of the searched symbols; each is inverted plainly
and by the spectrum network. Varying the network's strength, with and without the postfilter, gives a curve of
accuracy (PESQ) against predicted naturalness (DNSMOS P.808). `bands` shows how even the result is.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from codec.base import WORKING_RATE, Audio
from codec.bpgan.config import Rate, Receiver
from codec.bpgan.network.mel import active_level
from codec.bpgan.network.model import DEFAULT_RECEIVER, PLAIN_RECEIVER, BPGANModel
from codec.bpgan.network.released import load_model
from codec.bpgan.reports.bands import Bands, build_bands_table, measure_bands, plot_bands
from codec.bpgan.reports.search_tables import MEASURES, Row, interval
from codec.bpgan.search import trials
from codec.bpgan.search.search import SEARCHES
from codec.threads import import_with_onnx, use_threads

#: Strengths of the spectrum network on the trade-off curve, with the postfilter and without.
STRENGTHS = "0,0.25,0.5,0.75,1"
SEARCHED = "searched symbols"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec ceilings``."""
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of speech that the model never saw")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where tables and plots go")
    parser.add_argument("--model", type=Path, help="another model (.safetensors) than the one installed")
    parser.add_argument("--limit", type=int, help="only so many of the files, at even distances")
    parser.add_argument(
        "--strengths",
        type=read_strengths,
        default=STRENGTHS,
        metavar="LIST",
        help="of the spectrum network on the trade-off curve, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, help="CPU threads (default: 1 to search, then of the free cores, up to 4)"
    )


def read_strengths(text: str) -> tuple[float, ...]:
    """Read numbers from 0 to 1 between commas. Raises `ValueError` for anything else."""
    strengths = tuple(float(part) for part in text.split(","))
    if not all(0 <= strength <= 1 for strength in strengths):
        raise ValueError(f"a strength of {text} is not from 0 to 1")
    return strengths


def run(args: argparse.Namespace) -> int:
    """Run the sub-command. Raises `CodecError` for errors that the user can fix."""
    use_threads(args.threads, searching=True)
    model = BPGANModel.load(args.model) if args.model else load_model()
    sentences = trials.read_folder(args.data, model, args.limit)
    args.out.mkdir(parents=True, exist_ok=True)
    rate = model.rates.get("bpgan-2k", Rate(model.layers[-1]))
    config = replace(SEARCHES["realtime"], rate_weight=rate.rate_weight)
    outcomes = list(trials.search_all(model, sentences, config, rate.channels))
    use_threads(args.threads)
    rows = measure(model, outcomes, args.strengths)
    with (args.out / "ceilings.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (args.out / "ceilings.md").write_text(build_table(rows), encoding="utf-8")
    plot_tradeoff(rows, args.out / "tradeoff.svg")
    plot_mels(model, outcomes[0], args.out / "mels.png")
    measured = measure_receivers(model, outcomes)
    (args.out / "bands.md").write_text(build_bands_table(model.mel, measured), encoding="utf-8")
    plot_bands(model.mel, measured, args.out / "bands.svg")
    return 0


def measure_receivers(model: BPGANModel, outcomes: Sequence[trials.Outcome]) -> dict[str, Bands]:
    """The bands of the originals, and of what the plain receiver and the model's own make of the symbols."""
    originals = [outcome.sentence.audio for outcome in outcomes]
    receivers = {"plain receiver": PLAIN_RECEIVER, "the model's receiver": DEFAULT_RECEIVER}
    return {"original": measure_bands(model.mel, originals, originals)} | {
        name: measure_bands(
            model.mel, originals, [trials.decode_outcome(model, each, receiver) for each in outcomes]
        )
        for name, receiver in receivers.items()
    }


def measure(model: BPGANModel, outcomes: Sequence[trials.Outcome], strengths: Sequence[float]) -> list[Row]:
    """Measure the quality of every sentence for each input of the receiver."""
    rows: list[Row] = []
    for outcome in tqdm(outcomes, unit="file", disable=None):
        sentence = outcome.sentence
        for name, log_mel, values, receiver in _generate_versions(model, outcome, strengths):
            audio = trials.synthesise(model, log_mel, values, sentence.audio.size, receiver)
            # At the level of a real system, because DNSMOS depends on it.
            audio *= np.float32(active_level(sentence.audio) / max(active_level(audio), 1e-9))
            row = {
                "receiver's input": name,
                "refiner": int(receiver.refiner),
                "postfilter": int(receiver.postfilter),
                "network": receiver.network,
                "sentence": sentence.name,
                "log_mel_db": float((log_mel - sentence.mel).abs().mean()) * 40 / np.log(10),
            }
            rows.append(row | trials.measure_quality(sentence.audio, audio) | measure_naturalness(audio))
    return rows


@torch.no_grad()
def _generate_versions(
    model: BPGANModel, outcome: trials.Outcome, strengths: Sequence[float]
) -> Iterator[tuple[str, Tensor, Tensor, Receiver]]:
    """Generate inputs of the receiver: name, log-mel (1, bands, frames), values, and the receiver to use."""
    mel, channels = outcome.sentence.mel[None], len(outcome.symbols)
    z = model.encoder(mel)
    quantizer = model.quantizer
    own = {
        "every channel, without levels": z,
        "encoder's z, without levels": z[:, :channels],
        "encoder's z on its levels": quantizer.decode(quantizer.encode(z[:, :channels])),
    }
    networks = (0.0, 1.0) if model.spectrum else (0.0,)
    for strength in networks:
        yield "exact mel", mel, z, Receiver(postfilter=False, network=strength, refiner=False)
    for name, values in own.items():
        for strength in networks:
            yield name, model.generator(values), values, Receiver(postfilter=False, network=strength)
    symbols = torch.from_numpy(outcome.symbols.astype(np.int64))[None].to(mel.device)
    values = quantizer.decode(symbols)
    searched = model.generator(values)
    if model.refiner:
        for strength in networks:
            yield SEARCHED, searched, values, Receiver(postfilter=False, network=strength, refiner=False)
    for strength in strengths if model.spectrum else networks:
        for postfilter in (False, True):
            yield SEARCHED, searched, values, Receiver(postfilter, strength)


def measure_naturalness(audio: Audio) -> dict[str, float]:
    """Measure DNSMOS P.808 (Reddy et al. 2021), if the package ``speechmos`` is installed."""
    try:
        dnsmos = import_with_onnx("speechmos.dnsmos")
    except ImportError:
        return {}
    return {"dnsmos": float(dnsmos.run(np.clip(audio, -1, 1).astype(np.float64), WORKING_RATE)["p808_mos"])}


def build_table(rows: Sequence[Row]) -> str:
    """Build a Markdown table: mean over sentences ± half the 95 % interval in each row."""
    groups: dict[tuple[str, int, int, float], list[Row]] = {}
    for row in sorted(rows, key=lambda r: r["sentence"]):
        group = (row["receiver's input"], row["refiner"], row["postfilter"], row["network"])
        groups.setdefault(group, []).append(row)
    titles = {"log_mel_db": "log-mel error of the input, dB", **MEASURES, "dnsmos": "DNSMOS P.808"}
    shown = [name for name in titles if name in rows[0]]
    lines = [
        f"| receiver's input | refiner | postfilter | network | n | {' | '.join(titles[n] for n in shown)} |"
    ]
    lines.append("|---" * (5 + len(shown)) + "|")
    for (name, refiner, postfilter, strength), own in groups.items():
        cells = [interval([r[n] for r in own]) for n in shown]
        lines.append(
            f"| {name} | {refiner or '-'} | {postfilter or '-'} | {strength or '-'} "
            f"| {len(own)} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def plot_tradeoff(rows: Sequence[Row], path: Path) -> None:
    """Plot predicted naturalness against PESQ-WB for all strengths of the spectrum network."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    searched = [r for r in rows if r["receiver's input"] == SEARCHED and r["refiner"] and "dnsmos" in r]
    for postfilter, name in enumerate(("as generated", "after the postfilter")):
        by_strength: dict[float, list[Row]] = {}
        for row in searched:
            if row["postfilter"] == postfilter:
                by_strength.setdefault(row["network"], []).append(row)
        points = [
            (float(np.nanmean([r["pesq_wb"] for r in own])), float(np.mean([r["dnsmos"] for r in own])))
            for own in by_strength.values()
        ]
        axis.plot(*zip(*points, strict=True) if points else ([], []), marker="o", label=name)
        for strength, at in zip(by_strength, points, strict=True):
            axis.annotate(f"{strength:g}", at, textcoords="offset points", xytext=(6, 4))
    axis.legend(title="by the network's strength", loc="best")
    axis.set(xlabel="PESQ-WB (accuracy)", ylabel="DNSMOS P.808 (predicted naturalness)")
    axis.margins(0.15)
    axis.grid(alpha=0.3)
    figure.savefig(path)
    plt.close(figure)


@torch.no_grad()
def plot_mels(model: BPGANModel, outcome: trials.Outcome, path: Path) -> None:
    """Plot mel-spectrograms of the original and after each receiver step (the paper's figures 6 to 8)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    mel = outcome.sentence.mel[None]
    symbols = torch.from_numpy(outcome.symbols.astype(np.int64))[None].to(mel.device)
    values = model.quantizer.decode(symbols)
    generated = model.generator(values)
    refined = model.refine(generated, values)
    shown = {"original": mel, "generated": generated}
    if model.refiner:
        shown["after the refiner"] = refined
    shown["after the postfilter"] = model.sharpen(refined)
    if model.spectrum:
        power = model.power(generated, values)
        shown["after the spectrum network"] = model.mel.compress(model.mel.filters @ power)
    figure, axes = plt.subplots(
        len(shown), 1, figsize=(9, 2.6 * len(shown)), sharex=True, layout="constrained"
    )
    seconds = mel.shape[2] * model.config.mel.hop / model.config.mel.sample_rate
    decibels = 40 / np.log(10)
    for axis, (title, image) in zip(axes, shown.items(), strict=True):
        drawn = axis.imshow(
            image[0].cpu().numpy() * decibels,
            origin="lower",
            aspect="auto",
            extent=(0, seconds, 0, mel.shape[1]),
            vmin=float(mel.min()) * decibels,
            vmax=float(mel.max()) * decibels,
        )
        axis.set(title=title, ylabel="mel band")
    axes[-1].set(xlabel="s")
    figure.colorbar(drawn, ax=axes, label="dB")
    figure.savefig(path, dpi=110)
    plt.close(figure)
