"""``python -m codec search-report``: the gains of search and entropy coder on a folder of speech.

Each part writes a CSV with a row per sentence. A part is not measured again if its CSV exists for the same
model and sentences. The tables are in ``report.md``, the plots next to it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from codec.bpgan.config import Rate
from codec.bpgan.entropy import bitstream, fitting
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.precision import choose_device
from codec.bpgan.network.released import load_model
from codec.bpgan.reports import search_plots, search_profile, search_tables
from codec.bpgan.reports.search_tables import MEASURES, Row, gains, interval, plain_table, table
from codec.bpgan.search import trials
from codec.bpgan.search.search import SEARCHES, SearchConfig
from codec.threads import use_threads

#: Budgets of the curves, in steps.
ITERATIONS = (0, 6, 12, 24, 48, 96)
#: The constants of the 2020 algorithm are meant for its own number of steps.
PAPER_ITERATIONS = (24, 250)
#: Prices of a bit for the curve of quality against rate, relative to the calibrated one.
WEIGHTS = (0.0, 0.5, 1.0, 2.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec search-report``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of speech")
    parser.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder to write")
    parser.add_argument("--model", type=Path, help="a model file; default: the one of this installation")
    parser.add_argument(
        "--limit", type=int, default=24, help="sentences for the curves and `best` (default 24)"
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="TABLE",
        help="draw other systems beside the rates: a table of `manage.py benchmark` over the same folder",
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--threads", type=int, help="CPU threads (default 1)")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command. Raises `CodecError` for errors that the user can fix."""
    use_threads(args.threads, searching=True)
    model = BPGANModel.load(args.model).to(choose_device()) if args.model else load_model()
    others = search_tables.read_systems(args.beside) if args.beside else []
    report = Report(model, trials.read_folder(args.folder, model), args.limit, args.out, others)
    for part in args.parts:
        report.measure(part)
    report.write(" ".join(["python -m codec search-report", str(args.folder), "--out", str(args.out)]))
    print(f"{args.out / 'report.md'}: written")
    return 0


class Report:
    """Measurements of a model on a set of sentences, kept in a folder.

    `others` are rows of other systems, of which those of the same sentences are drawn beside the model's.
    """

    def __init__(
        self,
        model: BPGANModel,
        sentences: list[trials.Sentence],
        limit: int | None,
        out: Path,
        others: Sequence[Row] = (),
    ) -> None:
        self.model, self.sentences, self.out = model, sentences, out
        count = min(limit or len(sentences), len(sentences))
        self.few = [sentences[i * len(sentences) // count] for i in range(count)]
        names = {Path(sentence.name).as_posix() for sentence in self.few}
        self.others = [row for row in others if row["sentence"] in names]
        self.rate = model.rates.get("bpgan-2k", Rate(model.layers[-1]))
        out.mkdir(parents=True, exist_ok=True)

    # -- parts

    def measure(self, part: str) -> None:
        """Measure a part, unless its rows exist; an interrupted part is measured again."""
        path, key = self.out / f"{part}.csv", self.out / f"{part}.key"
        if key.is_file() and key.read_text() == self._key():
            return
        key.unlink(missing_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer: csv.DictWriter[str] | None = None
            for row in PARTS[part](self):
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
                file.flush()
        key.write_text(self._key())

    def _key(self) -> str:
        """A hash of what the rows depend on: model, sentences, and every setting of the search."""
        settings = (SEARCHES, ITERATIONS, PAPER_ITERATIONS, WEIGHTS, self.model.rates, len(self.few))
        names = [s.name for s in self.sentences]
        return hashlib.sha256(repr((self.model.model_id, names, settings)).encode()).hexdigest()

    def rows(self, part: str) -> list[Row]:
        """The rows of a part, with numbers as floats; empty if it has not been measured."""
        path = self.out / f"{part}.csv"
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: _parse_number(v) for k, v in row.items()} for row in csv.DictReader(file)]

    def curves(self) -> Iterator[Row]:
        """Every method at every budget, without the flips of the presets: J, rate and quality."""
        configs = [SearchConfig(method="encoder", rate_weight=self.rate.rate_weight)]
        for method in ("round", "ste", "admm", "paper"):
            budgets = PAPER_ITERATIONS if method == "paper" else ITERATIONS[1:]
            configs += [SearchConfig(method=method, iterations=n) for n in budgets]
        for config in configs:
            raw = config.method in ("round", "paper")
            config = replace(config, rate_weight=self.rate.rate_weight, keep_best=not raw)
            labels = {
                "method": config.method,
                "iterations": config.iterations if config.method != "encoder" else 0,
            }
            yield from self._measure_outcomes(self.few, config, self.rate.channels, labels)

    def rates(self) -> Iterator[Row]:
        """Quality against rate: the encoder at every layer, the search at several prices of a bit."""
        for channels in self.model.layers:
            config = SearchConfig(method="encoder")
            yield from self._measure_outcomes(
                self.few, config, channels, {"method": "encoder", "weight": 0.0}
            )
        for channels in self.model.layers:
            known = [r.rate_weight for r in self.model.rates.values() if r.channels == channels]
            step = max(known, default=0.0) or self.rate.rate_weight or 0.05
            for factor in WEIGHTS:
                config = replace(SEARCHES["realtime"], rate_weight=factor * step)
                labels = {"method": config.method, "weight": factor * step}
                yield from self._measure_outcomes(self.few, config, channels, labels)

    def presets(self) -> Iterator[Row]:
        """The named budgets, on all sentences; the slowest one on the sentences of the curves."""
        for name, config in SEARCHES.items():
            config = replace(config, rate_weight=self.rate.rate_weight)
            sentences = self.few if name == "best" else self.sentences
            labels = {"preset": name, "method": config.method}
            yield from self._measure_outcomes(sentences, config, self.rate.channels, labels)

    def coders(self) -> Iterator[Row]:
        """Bits per searched symbol for coders with more and more context."""
        config = replace(SEARCHES["realtime"], rate_weight=self.rate.rate_weight)
        found = self._search(self.few, config, self.rate.channels, "coders")
        codes = [torch.from_numpy(o.symbols) for o in found]
        bits = fitting.compare_coders(codes, self.model.config.latent.levels, self.model.contexts)
        yield from ({"coder": name, "bits per symbol": value} for name, value in bits.items())

    def speed(self) -> Iterator[Row]:
        """Time for sixteen sentences of about the same length, one at a time and in one batch."""
        sentences = self._pick_median_sentences(16)
        seconds = sum(s.seconds for s in sentences)
        config = replace(SEARCHES["realtime"], rate_weight=self.rate.rate_weight)
        for batch in (1, 16):
            wall, cpu = time.perf_counter(), time.process_time()
            list(trials.search_all(self.model, sentences, config, self.rate.channels, batch=batch))
            yield {
                "realtime, files at once": batch,
                "cpu, s per s of audio": (time.process_time() - cpu) / seconds,
                "clock, s per s of audio": (time.perf_counter() - wall) / seconds,
            }

    def profile(self) -> Iterator[Row]:
        """Where sender and receiver spend their time, one file at a time."""
        sentences = self._pick_median_sentences(8)
        total = sum(s.seconds for s in sentences)
        config = replace(SEARCHES["realtime"], rate_weight=self.rate.rate_weight)
        spent: dict[str, float] = {}
        for sentence in tqdm(sentences, desc="profile", unit="file"):
            gain = np.float32(self.model.config.mel.level / bitstream.level_rms(sentence.level))
            padded = np.pad(sentence.audio, (0, -sentence.audio.size % self.model.config.block)) * gain
            audio = torch.from_numpy(padded)[None].to(self.model.mel.filters.device)
            parts = search_profile.profile_chain(self.model, audio, config, self.rate.channels)
            for name, seconds in parts.items():
                spent[name] = spent.get(name, 0.0) + seconds * sentence.seconds / total
        whole = sum(spent.values())
        for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
            yield {"part": name, "cpu, s per s of audio": seconds, "share": f"{seconds / whole:.0%}"}

    def _pick_median_sentences(self, count: int) -> list[trials.Sentence]:
        """Pick sentences of about the median length."""
        ordered = sorted(self.sentences, key=lambda s: s.mel.shape[1])
        start = max(0, (len(ordered) - count) // 2)
        return ordered[start : start + count]

    def _search(
        self, sentences: Sequence[trials.Sentence], config: SearchConfig, channels: int, name: str
    ) -> Iterable[trials.Outcome]:
        outcomes = trials.search_all(self.model, sentences, config, channels)
        bar: Iterable[trials.Outcome] = tqdm(outcomes, total=len(sentences), desc=name, unit="file")
        return bar

    def _measure_outcomes(
        self, sentences: Sequence[trials.Sentence], config: SearchConfig, channels: int, labels: Row
    ) -> Iterator[Row]:
        name = " ".join(str(v) for v in labels.values()) + f", {channels} channels"
        for outcome in self._search(sentences, config, channels, name):
            yield {
                **labels,
                "channels": channels,
                "sentence": outcome.sentence.name,
                "seconds": outcome.sentence.seconds,
                "objective": outcome.objective,
                "encoder_objective": outcome.encoder_objective,
                "distortion": outcome.distortion,
                "kbps": trials.measure_rate(self.model, outcome),
                **trials.measure_quality(outcome.sentence.audio, trials.decode_outcome(self.model, outcome)),
                "steps": outcome.iterations,
                "cpu_seconds": outcome.cpu_seconds,
            }

    # -- the report

    def write(self, command: str) -> None:
        """Write ``report.md`` and the plots from the existing rows."""
        text = [
            "# Search report",
            f"`{command}`",
            f"Model {self.model.model_id:04x} ({self.model.config.name}), {len(self.sentences)} sentences, "
            f"{sum(s.seconds for s in self.sentences) / 60:.1f} minutes; curves on {len(self.few)} of them. "
            f"{torch.get_num_threads()} thread(s), torch {torch.__version__}, {platform.machine()}. "
            "Mean ± half the 95 % interval over sentences (Student's t). PESQ is of the receiver's audio, "
            "the rate that of whole bitstreams, header and checksum included; `cpu` is processor time per "
            "second of audio.",
        ]
        if rows := self.rows("presets"):
            text += ["## Presets", table(rows, ("preset",)), self._compare_presets(rows)]
        if rows := self.rows("curves"):
            text += ["## Methods and budgets", table(rows, ("method", "iterations")), "![](iterations.svg)"]
            search_plots.plot_iterations(rows, self.out / "iterations.svg")
        if rows := self.rows("rates"):
            text += ["## Quality against rate", table(rows, ("method", "channels", "weight"))]
            text += [gains(rows), "![](rates.svg)"]
            search_plots.plot_rates(rows, self.out / "rates.svg", self.others)
        titles = {"coders": "Entropy coding", "speed": "Batches", "profile": "Where the time goes"}
        for part, title in titles.items():
            if rows := self.rows(part):
                text += [f"## {title}", plain_table(rows)]
        (self.out / "report.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")

    def _compare_presets(self, rows: list[Row]) -> str:
        worse = [r for r in rows if r["objective"] > r["encoder_objective"] + 1e-6]
        lines = [f"J + weighted rate is above the encoder's own on {len(worse)} of {len(rows)} searches."]
        instant = {r["sentence"]: r for r in rows if r["preset"] == "instant"}
        for name in SEARCHES:
            own = [r for r in rows if r["preset"] == name]
            if name == "instant" or not own or not instant:
                continue
            parts = [
                f"{metric} {interval([r[key] - instant[r['sentence']][key] for r in own], '+.3f')}"
                for key, metric in MEASURES.items()
            ]
            lines.append(f"`{name}` minus `instant`, paired: " + ", ".join(parts) + ".")
        return " ".join(lines)


PARTS: dict[str, Callable[[Report], Iterator[Row]]] = {
    "presets": Report.presets,
    "curves": Report.curves,
    "rates": Report.rates,
    "coders": Report.coders,
    "speed": Report.speed,
    "profile": Report.profile,
}


def _parse_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
