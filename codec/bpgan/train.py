"""Training: float autoencoder, then levels by k-means, then the adversary; resumable to the bit.

``python -m codec train --preset default --data DIR --out RUN --minutes 60``

Everything random in step n follows from (seed, n), so weights, optimiser states and the step number
are the whole state of a run: killed and resumed equals uninterrupted (given ``--steps``; with
``--minutes`` the schedule follows the clock).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from codec.base import CodecError
from codec.bpgan import data, fitting
from codec.bpgan.adversary import Adversary
from codec.bpgan.blocks import ConvNeXt
from codec.bpgan.config import ModelConfig, TrainConfig, preset
from codec.bpgan.model import BPGANModel
from codec.bpgan.precision import autocast
from codec.bpgan.rates import HuffmanRates
from codec.bpgan.search import SearchConfig, search
from codec.bpgan.spectrum import FLOOR, SpectrumNetwork
from codec.bpgan.validation import COLUMNS, validate

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
    "rate",
]
_VALIDATION = ["step", "minutes", "stage", *COLUMNS]
#: Searched batches that the decoder learns from in turn.
_POOL = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec train``."""
    parser.add_argument(
        "--preset", default="default", help="default, scalable or paper (codec/bpgan/presets)"
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
    parser.add_argument("--hours", type=float, help="train on so much of the speech, all speakers' alike")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="MODEL",
        help="begin with the weights of a model (.safetensors) that may have fewer latent channels",
    )
    parser.add_argument("--minutes", type=float, help="how long to train in all (default 60)")
    parser.add_argument("--steps", type=int, help="how many steps to train in all, instead of --minutes")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="default: cuda where there is one")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where packed speech is kept")
    parser.add_argument("--save-every", type=float, default=5.0, metavar="MINUTES")
    parser.add_argument("--validate-every", type=float, default=10.0, metavar="MINUTES")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command; returns the exit status. Raises `CodecError` for what its user can mend."""
    if args.threads:
        torch.set_num_threads(args.threads)
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


class Trainer:
    """One run: networks, their optimisers, an average of the weights, and a folder that holds it all."""

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
        torch.manual_seed(seed)
        self.recipe, self.out, self.seed, self.device = recipe, out, seed, device
        self.sources = [str(Path(s).resolve()) for s in sources]
        out.mkdir(parents=True, exist_ok=True)
        self.corpus = data.pack(data.find_utterances(sources), cache, model.mel.sample_rate)
        train, self.validation = self.corpus.split(24)
        if recipe.hours:
            train = self.corpus.some(train, recipe.hours, seed)
        self.members: NDArray[np.int64] = np.array(train, dtype=np.int64)
        self.model = BPGANModel(model).to(device)
        self.averaged = BPGANModel(model).to(device).requires_grad_(False).eval()
        self.averaged.load_state_dict(self.model.state_dict())
        self.adversary = Adversary(recipe, device)
        self.optimiser = self._adam([*self.model.encoder.parameters(), *self.model.generator.parameters()])
        self.spectrum_adversary = Adversary(recipe, device)
        spectrum = self.model.spectrum
        self.spectrum_optimiser = self._adam(spectrum.parameters()) if spectrum else None
        self.step, self.minutes, self.fitted, self.stage_steps, self.best = 0, 0.0, False, 0, -1.0
        if recipe.spectrum_at < 1:
            self._spectrum()  # refused now, not at the end of a long run
        #: Batches that were searched: the steps whose crops they are, and their symbols.
        self.searched: dict[int, Tensor] = {}

    def start_from(self, other: BPGANModel) -> None:
        """Take over `other`'s weights; where this run's networks are larger, they begin as `other`'s do.

        Latent channels that `other` lacks start unheard by the generator, and blocks that follow the last of
        a stage start as identities. The run begins in the quantised stage: `other` has been through the
        float one.

        Raises:
            CodecError: if the networks differ in more than channels of the latent and numbers of blocks.
        """
        _take(self.model.encoder, other.encoder)
        _take(self.model.generator, other.generator)
        if self.model.config.latent == other.config.latent:
            self.model.quantizer.load_state_dict(other.quantizer.state_dict())
            self.fitted = True
        if self.model.spectrum and other.spectrum:
            self.model.spectrum.load_state_dict(other.spectrum.state_dict())
        self.averaged.load_state_dict(self.model.state_dict())
        self.recipe = replace(self.recipe, quantise_at=0.0)

    def _adam(self, parameters: Any) -> torch.optim.AdamW:
        r = self.recipe
        return torch.optim.AdamW(list(parameters), r.learning_rate, r.betas, weight_decay=r.weight_decay)

    # -- the run's folder

    @property
    def _parts(self) -> dict[str, Any]:
        parts = {
            "model": self.model,
            "averaged": self.averaged,
            "optimiser": self.optimiser,
            "adversary": self.adversary,
            "spectrum_adversary": self.spectrum_adversary,
        }
        return parts | ({"spectrum_optimiser": self.spectrum_optimiser} if self.spectrum_optimiser else {})

    def save(self) -> None:
        """Write the checkpoint; a kill in the middle leaves the previous one."""
        counters = {k: getattr(self, k) for k in ("step", "minutes", "fitted", "stage_steps", "best")}
        state = {
            **{name: part.state_dict() for name, part in self._parts.items()},
            "counters": counters,
            "searched": self.searched,
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
        """Rebuild a run from its folder; `data_sources` replaces the speech it was started with."""
        path = out / "checkpoint.pt"
        if not path.is_file():
            raise CodecError(f"{out} holds no checkpoint.pt to resume.")
        state = torch.load(path, map_location=device, weights_only=True)
        r = state["run"]
        recipe = TrainConfig.from_dict(r["recipe"])
        sources = data_sources or [Path(s) for s in r["sources"]]
        trainer = cls(ModelConfig.from_dict(r["model"]), recipe, sources, out, r["seed"], device, cache)
        for name, part in trainer._parts.items():
            part.load_state_dict(state[name])
        for name, value in state["counters"].items():
            setattr(trainer, name, value)
        trainer.searched = state["searched"]
        # The curves may be ahead of the checkpoint: rows that will be made again are dropped.
        for file in ("train.csv", "validation.csv"):
            trainer._truncate(out / file)
        return trainer

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
            where = {"step": self.step, "minutes": self.minutes, "stage": self._stage(done)}
            row = [(where | values).get(c, "") for c in columns]
            writer.writerow([f"{v:.5g}" if isinstance(v, float) else v for v in row])

    # -- the steps

    def progress(self, minutes: float | None, steps: int | None) -> float:
        """How much of the run is done, 0 to 1: the schedule's only clock."""
        return min(1.0, self.step / steps if steps else self.minutes / (minutes or 60.0))

    def fit(self, minutes: float | None, steps: int | None, save_every: float, validate_every: float) -> None:
        """Train until `steps` or `minutes` in all are reached, then write the model."""
        began, before = time.monotonic(), self.minutes
        saved = validated = self.minutes
        total = steps or round((minutes or 60) * 60)
        start = self.step if steps else round(self.minutes * 60)
        bar = tqdm(total=total, initial=start, unit="step" if steps else "s", desc=self.model.config.name)
        while (done := self.progress(minutes, steps)) < 1.0:
            losses = self._one_step(done)
            self.step += 1
            self.minutes = before + (time.monotonic() - began) / 60
            bar.update(1 if steps else max(0, int(self.minutes * 60) - bar.n))
            if self.step % 50 == 0:
                values = {name: float(loss.detach()) for name, loss in losses.items()}
                values["rate"] = self._rate(done)
                if not np.isfinite(list(values.values())).all():
                    raise CodecError(f"Training diverged at step {self.step}; the last checkpoint is sound.")
                self._log("train.csv", _COLUMNS, done, values)
                bar.set_postfix(stage=self._stage(done), l1=f"{values['l1']:.3f}")
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

    def _stage(self, done: float) -> str:
        r = self.recipe
        # What comes last in this list has the last word where stages begin together.
        begins = {
            "float": 0.0,
            "quantised": r.quantise_at,
            "adversarial": r.adversarial_at,
            "search": r.search_at,
            "spectrum": r.spectrum_at,
        }
        return [name for name, at in begins.items() if done >= at][-1]

    def _rate(self, done: float) -> float:
        """Warm-up and cosine: once for encoder and generator, once for the spectrum network."""
        r = self.recipe
        last = done >= r.spectrum_at
        part = (done - r.spectrum_at) / (1 - r.spectrum_at) if last else done / min(1.0, r.spectrum_at)
        warm = min(1.0, ((self.stage_steps if last else self.step) + 1) / r.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * part))
        return r.learning_rate * warm * (r.final_rate + (1 - r.final_rate) * cosine)

    def _power(self, step: int) -> Tensor:
        """STFT power of one step's crops (batch, bins, frames)."""
        audio = data.batch(self.corpus, self.members, self.model.config.mel, self.recipe, self.seed, step)
        return self.model.mel.power(torch.from_numpy(audio).to(self.device))

    def _mel(self, step: int) -> Tensor:
        """Log-mels of one step's crops (batch, bands, frames)."""
        mel = self.model.mel
        return mel.compress(mel.filters @ self._power(step))

    def _crops(self, step: int) -> Tensor:
        """Target mels of one step (batch, bands, frames), with a random spectral tilt and equaliser."""
        model, r = self.model, self.recipe
        mel = self._mel(step)
        if r.tilt:
            rng = np.random.default_rng([self.seed, step, 1])
            slopes = torch.from_numpy(rng.uniform(-r.tilt, r.tilt, (r.batch, 1, 1)).astype(np.float32)).to(
                self.device
            )
            lowest = float(model.mel.compress(torch.zeros(())))
            mel = (mel + slopes * torch.linspace(-1, 1, mel.shape[1], device=self.device)[:, None]).clamp_min(
                lowest
            )
        if r.equaliser:
            rng = np.random.default_rng([self.seed, step, 4])
            gains = torch.from_numpy(rng.uniform(-1, 1, (r.batch, 3)).astype(np.float32) * r.equaliser)
            where = torch.linspace(0, torch.pi, mel.shape[1]) * torch.arange(1, 4)[:, None]
            curves = (gains @ torch.cos(where)).to(self.device)[..., None]
            mel = (mel + curves).clamp_min(float(model.mel.compress(torch.zeros(()))))
        return mel

    def _one_step(self, done: float) -> dict[str, Tensor]:
        self.model.train()
        if done >= self.recipe.quantise_at and not self.fitted:
            self._fit_levels()
        step = self._spectrum_step if done >= self.recipe.spectrum_at else self._codec_step
        losses = step(done)
        self._average()
        return losses

    def _codec_step(self, done: float) -> dict[str, Tensor]:
        """One step of encoder and generator, or of the generator on what the search sends."""
        r, model = self.recipe, self.model
        commitment = torch.zeros((), device=self.device)
        if done >= r.search_at:
            step, values = self._found(self._crops, self.step)
            mel = self._crops(step)
        else:
            mel = self._crops(self.step)
            values, commitment = self._values(mel, done >= r.quantise_at)
        with autocast(self.device):
            generated = model.generator(values)
        generated = generated.float()
        losses = self._distortion(generated, mel)
        loss = self._objective(losses) + r.w_commitment * commitment
        if done >= r.adversarial_at:
            loss = loss + self.adversary.loss(mel, generated, r.w_adversarial, r.w_feature, losses)
        parameters = [*model.encoder.parameters(), *model.generator.parameters()]
        self._update(self.optimiser, loss, self._rate(done), parameters)
        return losses

    def _values(self, mel: Tensor, quantised: bool) -> tuple[Tensor, Tensor]:
        """What the generator gets of the encoder's z, and the commitment loss."""
        r, model = self.recipe, self.model
        with autocast(self.device):
            z = model.encoder(mel)
        z = z.float()
        if not quantised:
            rng = np.random.default_rng([self.seed, self.step, 2])
            noise = torch.from_numpy(rng.uniform(-1, 1, z.shape).astype(np.float32)).to(self.device)
            values = z + noise * r.latent_noise * z.detach().std(dim=(0, 2), keepdim=True)
            return values * self._sent(), z.new_zeros(())
        values, _ = model.quantizer(z)
        commitment = ((z - values.detach()) / model.quantizer.spread()).square().mean()
        model.quantizer.adapt(z, 0.02)
        return values * self._sent(), commitment

    def _found(self, target: Callable[[int], Tensor], use: int) -> tuple[int, Tensor]:
        """A step of the past and the values that the search sends for its `target`: the receiver's real diet.

        `use` counts the calls. Every few of them a new batch is searched by the averaged model; a pool of the
        latest is drawn from.
        """
        r, model = self.recipe, self.averaged
        if not self.searched:
            codes = model.quantizer.encode(self._latents(model, 24, salt=1 << 41))
            model.marginals.copy_(fitting.fit_marginals(list(codes.cpu()), model.config.latent.levels))
            self.model.marginals.copy_(model.marginals)
        if use % r.search_reuse == 0 or not self.searched:
            config = SearchConfig(iterations=r.search_steps, rate_weight=r.search_price)
            rates = HuffmanRates(model.marginals.cpu().numpy(), self.device)
            found = search(model, target(self.step), config, channels=self._commonest(), rate=rates)
            self.searched[self.step] = found.symbols.to(torch.uint8)
            while len(self.searched) > _POOL:
                del self.searched[min(self.searched)]
        steps = sorted(self.searched)
        step = steps[int(np.random.default_rng([self.seed, self.step, 6]).integers(len(steps)))]
        return step, self.model.quantizer.decode(self.searched[step].long())

    def _spectrum_step(self, done: float) -> dict[str, Tensor]:
        """One step of the spectrum network, after encoder and generator as they are."""
        r, model = self.recipe, self.model
        spectrum, optimiser = self._spectrum()
        if not self.stage_steps:
            model.load_state_dict(self.averaged.state_dict())
            self.searched.clear()
        with torch.no_grad():
            # What is searched is of one layer; the encoder's symbols keep the others alive.
            if r.search_at < 1 and self.stage_steps % 2:
                step, values = self._found(self._mel, self.stage_steps // 2)
            else:
                step = self.step
                with autocast(self.device):
                    z = model.encoder(self._mel(step))
                values = model.quantizer.decode(model.quantizer.encode(z.float())) * self._sent()
            power = self._power(step)
            mel, target = model.mel.compress(model.mel.filters @ power), torch.log(power + FLOOR)
            with autocast(self.device):
                generated = model.generator(values)
            generated = generated.float()
        with autocast(self.device):
            out = spectrum.log_power(generated, start=self.step * r.frames)
        out = out.float()
        heard = model.mel.compress(model.mel.filters @ (out.exp() - FLOOR).clamp_min(0.0))
        losses = self._distortion(heard, mel)
        loss = self._objective(losses) + r.w_spectrum * (out - target).abs().mean()
        loss = loss + self.spectrum_adversary.loss(
            _scaled(target), _scaled(out), r.w_spectrum_adversarial, r.w_spectrum_feature, losses
        )
        self._update(optimiser, loss, self._rate(done), list(spectrum.parameters()))
        self.stage_steps += 1
        return losses

    def _spectrum(self) -> tuple[SpectrumNetwork, torch.optim.AdamW]:
        if self.model.spectrum is None or self.spectrum_optimiser is None:
            raise CodecError("The model has no spectrum network to train: set spectrum.blocks.")
        return self.model.spectrum, self.spectrum_optimiser

    def _objective(self, losses: dict[str, Tensor]) -> Tensor:
        r = self.recipe
        return r.w_l1 * losses["l1"] + r.w_mse * losses["mse"] + r.w_gradient * losses["gradient"]

    def _distortion(self, generated: Tensor, mel: Tensor) -> dict[str, Tensor]:
        """Parts of J (`objective.frame_distortion`): means of values, weighted by how they are heard."""
        hearing = self.model.hearing
        here = torch.ones_like(mel) if hearing.plain else hearing(mel)
        up, on = (here[:, 1:] * here[:, :-1]).sqrt(), (here[:, :, 1:] * here[:, :, :-1]).sqrt()
        error = generated - mel
        return {
            "l1": (here * error.abs()).mean(),
            "mse": (here * error.square()).mean(),
            "gradient": (up * error.diff(dim=1).abs()).mean() + (on * error.diff(dim=2).abs()).mean(),
        }

    def _sent(self) -> Tensor:
        """Which channels each crop of this step sends: 1 or 0, (batch, channels, 1)."""
        latent = self.model.config.latent
        if not latent.layers:
            return torch.ones(1, 1, 1, device=self.device)
        shares = np.array(self.recipe.layer_shares or [1] * len(latent.layers), dtype=np.float64)
        rng = np.random.default_rng([self.seed, self.step, 3])
        counts = torch.from_numpy(rng.choice(latent.layers, self.recipe.batch, p=shares / shares.sum()))
        sent = torch.arange(latent.channels) < counts[:, None]
        return sent[..., None].float().to(self.device)

    def _update(
        self, optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, parameters: list[nn.Parameter]
    ) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        optimiser.step()

    @torch.no_grad()
    def _average(self) -> None:
        # Early in the run a long memory would only remember the random start.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for mine, theirs in zip(
            self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    @torch.no_grad()
    def _latents(self, model: BPGANModel, batches: int, salt: int) -> Tensor:
        """Encoder outputs for random training crops, (batches * batch, channels, frames)."""
        with autocast(self.device):
            return torch.cat([model.encoder(self._crops(salt + i)).float() for i in range(batches)])

    def _fit_levels(self) -> None:
        self.model.eval()
        z = self._latents(self.model, 24, salt=1 << 40)
        self.model.quantizer.fit(z.transpose(0, 1).flatten(1))
        self.averaged.quantizer.centres.copy_(self.model.quantizer.centres)
        self.model.train()
        self.fitted = True

    # -- what comes out

    def validate(self, done: float) -> dict[str, float]:
        """Averaged weights on speakers that training never sees, and the best of them kept."""
        latent, r = self.model.config.latent, self.recipe
        sent = self._commonest() if r.layer_shares else latent.channels
        result = validate(
            self.averaged, self.corpus, self.validation, sent, self.fitted, done >= r.spectrum_at
        )
        self._log("validation.csv", _VALIDATION, done, result)
        if self.fitted and result["pesq_wb"] > self.best:
            self.best = result["pesq_wb"]
            torch.save(self.averaged.state_dict(), self.out / "best.pt")
        return result

    def _commonest(self) -> int:
        """The number of channels that most crops send."""
        latent = self.model.config.latent
        layers = latent.layers or (latent.channels,)
        return layers[int(np.argmax(self.recipe.layer_shares or [1] * len(layers)))]

    def finish(self) -> None:
        """Write ``model.safetensors`` (end of the run), ``best.safetensors`` (best PESQ-WB) and the curves.

        They need not be the same: PESQ does not rise to the end once the adversary is at work.
        """
        self._export("model.safetensors")
        if (best := self.out / "best.pt").is_file():
            end = {name: tensor.clone() for name, tensor in self.averaged.state_dict().items()}
            self.averaged.load_state_dict(torch.load(best, map_location=self.device, weights_only=True))
            self._export("best.safetensors")
            self.averaged.load_state_dict(end)
        from codec.bpgan.curves import plot_curves

        plot_curves(self.out)

    def _export(self, name: str) -> None:
        """Fit the entropy tables of the averaged weights to training speech and write both."""
        model = self.averaged
        codes = []
        with torch.no_grad():
            for index in self.members[:: max(1, len(self.members) // 1500)]:
                audio = self.corpus.utterance(int(index), model.config.mel.level)
                padded = np.pad(audio, (0, -audio.size % model.config.block))
                mel = model.mel(torch.from_numpy(padded)[None].to(self.device))
                codes.append(model.quantizer.encode(model.encoder(mel))[0].cpu())
        model.contexts = fitting.fit_tables(codes, model.config.latent.levels)
        model.marginals.copy_(fitting.fit_marginals(codes, model.config.latent.levels))
        model.notes = {
            "trained": json.dumps(
                {
                    "steps": self.step,
                    "minutes": round(self.minutes, 1),
                    "hours_of_speech": round(self.corpus.hours, 2),
                    "seed": self.seed,
                    "recipe": asdict(self.recipe),
                    "torch": torch.__version__,
                }
            )
        }
        model.save(self.out / name)


def _scaled(log_power: Tensor) -> Tensor:
    """About N(0, 1), for the discriminators."""
    return (log_power + 2.0) / 4.0


@torch.no_grad()
def _take(mine: nn.Module, theirs: nn.Module) -> None:
    """Copy the layers of a network into one that has as many of them, or more blocks in a stage."""
    layers = list(mine.get_submodule("layers").children())
    waiting = list(theirs.get_submodule("layers").children())
    for layer in layers:
        if isinstance(layer, ConvNeXt) and not (waiting and isinstance(waiting[0], ConvNeXt)):
            nn.init.zeros_(layer.down.weight)
            nn.init.zeros_(layer.down.bias)
            continue
        other = waiting.pop(0) if waiting else None
        if type(other) is not type(layer):
            raise CodecError("The weights to start from are of another kind of network, or of a deeper one.")
        for (name, target), source in zip(layer.named_parameters(), other.parameters(), strict=True):
            # Only the ends of the networks face the latent: there it may have more channels.
            end = layer in (layers[0], layers[-1])
            fits = [min(a, b) for a, b in zip(target.shape, source.shape, strict=True)]
            if list(source.shape) != (fits if end else list(target.shape)):
                raise CodecError(f"The weights to start from do not fit: {name} is {tuple(source.shape)}.")
            if layer is layers[0]:
                target.zero_()
            target[tuple(slice(n) for n in fits)] = source
