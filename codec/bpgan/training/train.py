"""Runs of training: float autoencoder, levels by k-means, adversary, searched symbols, receiver's networks.

``python -m codec train --preset default --data DIR --out RUN --minutes 60``

Everything random in step n follows from (seed, n), so the state of a run consists of weights, optimiser
states, the step number and the pool of searched batches. A run that is killed and resumed ends exactly like
an uninterrupted one (with ``--steps``; with ``--minutes`` the schedule depends on the clock).
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from codec.base import CodecError
from codec.bpgan.config import ModelConfig, Rate, TrainConfig, preset
from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.base import read_contexts
from codec.bpgan.network.model import DEFAULT_RECEIVER, PLAIN_RECEIVER, BPGANModel
from codec.bpgan.training import data
from codec.bpgan.training.adversary import Adversary
from codec.bpgan.training.learning import Learner
from codec.bpgan.training.stages import ReceiverStage
from codec.bpgan.training.validation import COLUMNS, validate
from codec.threads import use_threads

_COLUMNS = [
    "step",
    "minutes",
    "stage",
    "l1",
    "mse",
    "gradient",
    "discriminator",
    "adversarial",
    "feature",
    "disturbance",
    "dissimilarity",
    "rate",
]
_VALIDATION = ["step", "minutes", "stage", *COLUMNS]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec train``."""
    parser.add_argument(
        "--preset", default="default", help="default, scalable, deep, large or paper (codec/bpgan/presets)"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="changes to the preset, for example latent.channels=8",
    )
    parser.add_argument(
        "--data", nargs="+", type=Path, metavar="DIR", help="folders of audio or manifests (.tsv)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="folder of the run: checkpoint, curves, model"
    )
    parser.add_argument("--hours", type=float, help="train on this many hours of the speech, drawn at random")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="continue an interrupted run")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="MODEL",
        help="start with the weights of a model (.safetensors), which may have fewer latent channels",
    )
    parser.add_argument("--minutes", type=float, help="total training time in minutes (default 60)")
    parser.add_argument("--steps", type=int, help="total number of steps, instead of --minutes")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: cuda where there is one")
    parser.add_argument("--threads", type=int, help="CPU threads (default: of the free cores, up to 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where packed speech is kept")
    parser.add_argument("--save-every", type=float, default=5.0, metavar="MINUTES")
    parser.add_argument("--validate-every", type=float, default=10.0, metavar="MINUTES")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status. Raises `CodecError` for errors that the user can fix."""
    use_threads(args.threads)
    device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if args.resume:
        trainer = Trainer.resume(args.resume, device, args.cache, data_sources=args.data)
    elif args.data and args.out:
        model, recipe = preset(args.preset, args.set)
        if args.hours:
            recipe = replace(recipe, hours=args.hours)
        trainer = Trainer(model, recipe, args.data, args.out, args.seed, device, args.cache)
        if args.start_from:
            trainer.start_from(BPGANModel.load(args.start_from))
    else:
        raise CodecError("Training needs --data DIR... and --out RUN, or --resume RUN.")
    minutes = args.minutes if args.minutes or args.steps else 60.0
    trainer.fit(minutes, args.steps, args.save_every, args.validate_every)
    return 0


class PackedRate(TypedDict):
    """A `Rate`."""

    channels: int
    rate_weight: float


class Calibration(TypedDict, total=False):
    """What a checkpoint keeps of the model that its run started from; empty: nothing."""

    contexts: dict[str, Tensor]
    rates: dict[str, PackedRate]
    notes: dict[str, str]


class Trainer(Learner):
    """One run: a learner, its schedule, and the folder in which it is kept."""

    def __init__(
        self,
        model: ModelConfig,
        recipe: TrainConfig,
        sources: list[Path],
        out: Path,
        seed: int,
        device: torch.device,
        cache: Path,
    ) -> None:
        corpus = data.pack(data.find_utterances(sources), cache, model.mel.sample_rate)
        train, self.validation = corpus.split(24)
        if recipe.hours:
            train = corpus.draw_hours(train, recipe.hours, seed)
        super().__init__(model, recipe, corpus, train, seed, device)
        self.sources = [str(Path(s).resolve()) for s in sources]
        self.out, self.minutes, self.best = out, 0.0, -1.0
        out.mkdir(parents=True, exist_ok=True)

    def enter_stage(self, name: str) -> None:
        super().enter_stage(name)
        if isinstance(self.stages[name], ReceiverStage):
            self.best = -1.0  # from here on, another receiver is validated

    # -- the run's folder

    @property
    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | Adversary]:
        parts: dict[str, nn.Module | torch.optim.Optimizer | Adversary | None] = {
            "model": self.model,
            "averaged": self.averaged,
            "optimiser": self.optimiser,
            "adversary": self.adversary,
            "spectrum_adversary": self.spectrum_adversary,
            "refiner_optimiser": self.refiner_optimiser,
            "spectrum_optimiser": self.spectrum_optimiser,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def save(self) -> None:
        """Write the checkpoint; if the process is killed meanwhile, the previous one remains."""
        counters = {
            k: getattr(self, k) for k in ("step", "minutes", "fitted", "stage", "stage_steps", "best")
        }
        state = {
            **{name: part.state_dict() for name, part in self._parts.items()},
            "counters": counters,
            "searched": self.searched,
            "calibration": self._pack_calibration(),
            "run": {
                "model": self.model.config.to_dict(),
                "recipe": asdict(self.recipe),
                "sources": self.sources,
                "seed": self.seed,
            },
        }
        partial = self.out / "checkpoint.pt.part"
        torch.save(state, partial)
        partial.rename(self.out / "checkpoint.pt")

    @classmethod
    def resume(
        cls, out: Path, device: torch.device, cache: Path, data_sources: list[Path] | None = None
    ) -> Trainer:
        """Restore a run from its folder; `data_sources` replace the speech that it was started with."""
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise CodecError(f"{out} holds no checkpoint.pt to resume.")
        state = torch.load(path, map_location=device, weights_only=True)
        r = state["run"]
        recipe = TrainConfig.from_dict(r["recipe"])
        sources = data_sources or [Path(s) for s in r["sources"]]
        trainer = cls(ModelConfig.from_dict(r["model"]), recipe, sources, out, r["seed"], device, cache)
        if missing := {*trainer._parts, "searched"} - state.keys():
            raise CodecError(
                f"{path} is of an older Earshot and lacks {', '.join(sorted(missing))}: "
                "start a new run from its model with --start-from."
            )
        for name, part in trainer._parts.items():
            part.load_state_dict(state[name])
        for name, value in state["counters"].items():
            setattr(trainer, name, value)
        trainer.searched = state["searched"]
        trainer._unpack_calibration(state.get("calibration", {}))
        # The curves may be ahead of the checkpoint; rows that will be written again are dropped.
        for file in ("train.csv", "validation.csv"):
            trainer._truncate(out / file)
        return trainer

    def _pack_calibration(self) -> Calibration:
        """Tables, rates and notes of the model that the run started from, if what is sent stays as it was."""
        model = self.averaged
        if self.trains_codec or not model.rates:
            return {}
        return {
            "contexts": {name: torch.from_numpy(array) for name, array in model.contexts.arrays().items()},
            "rates": {
                slug: {"channels": rate.channels, "rate_weight": rate.rate_weight}
                for slug, rate in model.rates.items()
            },
            "notes": model.notes,
        }

    def _unpack_calibration(self, packed: Calibration) -> None:
        if packed:
            arrays = {name: tensor.cpu().numpy() for name, tensor in packed["contexts"].items()}
            self.averaged.contexts = read_contexts(arrays)
            self.averaged.rates = {slug: Rate(**rate) for slug, rate in packed["rates"].items()}
            self.averaged.notes = packed["notes"]

    def _truncate(self, path: Path) -> None:
        if not path.is_file():
            return
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        kept = [row for row in rows if int(row.split(",")[0]) <= self.step]
        path.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")

    def _log(self, name: str, columns: list[str], done: float, values: dict[str, float]) -> None:
        path = self.out / name
        new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(columns)
            where = {"step": self.step, "minutes": self.minutes, "stage": self.choose_stage(done)}
            row = [(where | values).get(c, "") for c in columns]
            writer.writerow([f"{v:.5g}" if isinstance(v, float) else v for v in row])

    def measure_progress(self, minutes: float | None, steps: int | None) -> float:
        """The fraction of the run that is done, 0 to 1, on which the schedule depends."""
        return min(1.0, self.step / steps if steps else self.minutes / (minutes or 60.0))

    def fit(self, minutes: float | None, steps: int | None, save_every: float, validate_every: float) -> None:
        """Train until the total of `steps` or `minutes` is reached, then write the model."""
        began, before = time.monotonic(), self.minutes
        saved = validated = self.minutes
        total = steps or round((minutes or 60) * 60)
        start = self.step if steps else round(self.minutes * 60)
        bar = tqdm(total=total, initial=start, unit="step" if steps else "s", desc=self.model.config.name)
        while (done := self.measure_progress(minutes, steps)) < 1.0:
            losses = self.take_step(done)
            self.step += 1
            self.minutes = before + (time.monotonic() - began) / 60
            bar.update(1 if steps else max(0, int(self.minutes * 60) - bar.n))
            if self.step % 50 == 0:
                values = {name: float(loss.detach()) for name, loss in losses.items()}
                values["rate"] = self.choose_rate(done)
                if not np.isfinite(list(values.values())).all():
                    raise CodecError(f"Training diverged at step {self.step}; the last checkpoint is sound.")
                self._log("train.csv", _COLUMNS, done, values)
                bar.set_postfix(stage=self.choose_stage(done), l1=f"{values['l1']:.3f}")
            if self.minutes - validated >= validate_every:
                self.validate(done)
                validated = self.minutes
            if self.minutes - saved >= save_every:
                self.save()
                saved = self.minutes
        bar.close()
        self.validate(1.0)
        self.save()
        self.finish()

    # -- results

    def validate(self, done: float) -> dict[str, float]:
        """Validate the averaged weights on speakers that training never sees, and keep the best ones."""
        latent, r = self.model.config.latent, self.recipe
        sent = self.crops.usual_channels if r.layer_shares else latent.channels
        at_work = self.stages[self.choose_stage(done)]
        receiver = DEFAULT_RECEIVER if isinstance(at_work, ReceiverStage) else PLAIN_RECEIVER
        result = validate(self.averaged, self.corpus, self.validation, sent, self.fitted, receiver)
        self._log("validation.csv", _VALIDATION, done, result)
        if self.fitted and result["pesq_wb"] > self.best:
            self.best = result["pesq_wb"]
            torch.save(self.averaged.state_dict(), self.out / "best.pt")
        return result

    def finish(self) -> None:
        """Write ``model.safetensors`` (end of the run), ``best.safetensors`` (best PESQ-WB) and the curves.

        The two may differ, because PESQ need not keep rising once the adversary has joined.
        """
        self._export("model.safetensors")
        if (best := self.out / "best.pt").is_file():
            end = {name: tensor.clone() for name, tensor in self.averaged.state_dict().items()}
            self.averaged.load_state_dict(torch.load(best, map_location=self.device, weights_only=True))
            self._export("best.safetensors")
            self.averaged.load_state_dict(end)
        from codec.bpgan.training.curves import plot_curves

        plot_curves(self.out)

    def _export(self, name: str) -> None:
        """Write the averaged weights, with the entropy coders' tables."""
        model = self.averaged
        made = {
            "steps": self.step,
            "minutes": round(self.minutes, 1),
            "hours_of_speech": round(self.corpus.hours, 2),
            "seed": self.seed,
            "recipe": asdict(self.recipe),
            "torch": torch.__version__,
        }
        if model.rates and not self.trains_codec:
            model.notes["receiver"] = json.dumps(made)
        else:
            self._fit_tables()
            model.notes = {"trained": json.dumps(made)}
        model.save(self.out / name)

    def _fit_tables(self) -> None:
        """Fit the entropy coders' tables to training speech."""
        model, members = self.averaged, self.crops.members
        codes = []
        with torch.no_grad():
            for index in members[:: max(1, len(members) // 1500)]:
                audio = self.corpus.utterance(int(index), model.config.mel.level)
                padded = np.pad(audio, (0, -audio.size % model.config.block))
                mel = model.mel(torch.from_numpy(padded)[None].to(self.device))
                codes.append(model.quantizer.encode(model.encoder(mel))[0].cpu())
        model.contexts = fitting.fit_tables(codes, model.config.latent.levels)
        model.marginals.copy_(fitting.fit_marginals(codes, model.config.latent.levels))
