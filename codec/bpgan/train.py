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
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from tqdm import tqdm

from codec.base import CodecError
from codec.bpgan import data, fitting
from codec.bpgan.config import ModelConfig, TrainConfig, preset
from codec.bpgan.discriminators import Discriminators, adversarial_loss, discriminator_loss, feature_loss
from codec.bpgan.model import BPGANModel
from codec.bpgan.vocoder import griffin_lim

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
_VALIDATION = ["step", "minutes", "stage", "log_mel_db", "pesq_nb", "pesq_wb", "bits_per_symbol"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec train``."""
    parser.add_argument("--preset", default="default", help="default or paper (codec/bpgan/presets)")
    parser.add_argument(
        "--data", nargs="+", type=Path, metavar="DIR", help="folders of audio or manifests (.tsv)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="folder of the run: checkpoint, curves, model"
    )
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
        model, recipe = preset(args.preset)
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
        self.members: NDArray[np.int64] = np.array(train, dtype=np.int64)
        self.model = BPGANModel(model).to(device)
        self.averaged = BPGANModel(model).to(device).requires_grad_(False).eval()
        self.averaged.load_state_dict(self.model.state_dict())
        self.critics = Discriminators(recipe.discriminator_scales, recipe.discriminator_width).to(device)
        self.optimiser = self._adam([*self.model.encoder.parameters(), *self.model.generator.parameters()])
        self.critic_optimiser = self._adam(self.critics.parameters())
        self.step, self.minutes, self.fitted, self.adversarial_steps, self.best = 0, 0.0, False, 0, -1.0

    def start_from(self, other: BPGANModel) -> None:
        """Take over `other`'s weights; latent channels that it lacks start unheard by the generator.

        The run begins in the quantised stage: `other` has been through the float one.

        Raises:
            CodecError: if the networks differ in more than the number of latent channels.
        """
        mine, theirs = self.model.state_dict(), other.state_dict()
        first = "generator.layers.0.weight"
        last = [name for name in mine if name.startswith("encoder.")][-1].rpartition(".")[0]
        mine[first].zero_()
        for name, tensor in theirs.items():
            if name in ("marginals", "quantizer.centres"):
                continue  # fitted anew
            grows = name == first or name.startswith(last)
            target = mine[name][:, : tensor.shape[1]] if name == first else mine[name][: len(tensor)]
            if target.shape != tensor.shape or (not grows and mine[name].shape != tensor.shape):
                raise CodecError(f"The weights to start from do not fit: {name} is {tuple(tensor.shape)}.")
            target.copy_(tensor)
        self.averaged.load_state_dict(self.model.state_dict())
        self.recipe = replace(self.recipe, quantise_at=0.0)

    def _adam(self, parameters: Any) -> torch.optim.AdamW:
        r = self.recipe
        return torch.optim.AdamW(list(parameters), r.learning_rate, r.betas, weight_decay=r.weight_decay)

    # -- the run's folder

    @property
    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "averaged": self.averaged,
            "critics": self.critics,
            "optimiser": self.optimiser,
            "critic_optimiser": self.critic_optimiser,
        }

    def save(self) -> None:
        """Write the checkpoint; a kill in the middle leaves the previous one."""
        counters = {k: getattr(self, k) for k in ("step", "minutes", "fitted", "adversarial_steps", "best")}
        state = {
            **{name: part.state_dict() for name, part in self._parts.items()},
            "counters": counters,
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
        return (
            "adversarial" if done >= r.adversarial_at else "quantised" if done >= r.quantise_at else "float"
        )

    def _rate(self, done: float) -> float:
        r = self.recipe
        warm = min(1.0, (self.step + 1) / r.warmup)
        return (
            r.learning_rate
            * warm
            * (r.final_rate + (1 - r.final_rate) * 0.5 * (1 + math.cos(math.pi * done)))
        )

    def _autocast(self) -> AbstractContextManager[Any]:
        """bf16 where the hardware has it: twice the speed on such CPUs, no loss scaling needed."""
        if self.device.type == "cuda" or torch.backends.mkldnn.is_available():
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _crops(self, step: int) -> Tensor:
        """Target mels of one step (batch, bands, frames), with a random spectral tilt."""
        model, r = self.model, self.recipe
        audio = data.batch(self.corpus, self.members, model.config.mel, r, self.seed, step)
        mel = model.mel(torch.from_numpy(audio).to(self.device))
        if r.tilt:
            rng = np.random.default_rng([self.seed, step, 1])
            slopes = torch.from_numpy(rng.uniform(-r.tilt, r.tilt, (r.batch, 1, 1)).astype(np.float32)).to(
                self.device
            )
            lowest = float(model.mel.compress(torch.zeros(())))
            mel = (mel + slopes * torch.linspace(-1, 1, mel.shape[1], device=self.device)[:, None]).clamp_min(
                lowest
            )
        return mel

    def _one_step(self, done: float) -> dict[str, Tensor]:
        r, model = self.recipe, self.model
        model.train()
        quantised = done >= r.quantise_at
        if quantised and not self.fitted:
            self._fit_levels()
        mel = self._crops(self.step)
        with self._autocast():
            z = model.encoder(mel)
        z = z.float()
        commitment = z.new_zeros(())
        if quantised:
            values, _ = model.quantizer(z)
            commitment = ((z - values.detach()) / model.quantizer.spread()).square().mean()
            model.quantizer.adapt(z, 0.02)
        else:
            rng = np.random.default_rng([self.seed, self.step, 2])
            noise = torch.from_numpy(rng.uniform(-1, 1, z.shape).astype(np.float32)).to(self.device)
            values = z + noise * r.latent_noise * z.detach().std(dim=(0, 2), keepdim=True)
        values = values * self._sent()
        with self._autocast():
            generated = model.generator(values)
        generated = generated.float()
        losses: dict[str, Tensor] = {
            "l1": l1_loss(generated, mel),
            "mse": mse_loss(generated, mel),
            "gradient": l1_loss(generated.diff(dim=1), mel.diff(dim=1))
            + l1_loss(generated.diff(dim=2), mel.diff(dim=2)),
        }
        loss = r.w_l1 * losses["l1"] + r.w_mse * losses["mse"] + r.w_gradient * losses["gradient"]
        loss = loss + r.w_commitment * commitment
        if done >= r.adversarial_at:
            loss = loss + self._adversarial(mel, generated, losses)
        rate = self._rate(done)
        self._update(self.optimiser, loss, rate, [*model.encoder.parameters(), *model.generator.parameters()])
        self._average()
        return losses

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

    def _adversarial(self, mel: Tensor, generated: Tensor, losses: dict[str, Tensor]) -> Tensor:
        """One step of the critics; returns what they add to the generator's loss."""
        r = self.recipe
        with self._autocast():
            real, fake = self.critics(mel), self.critics(generated.detach())
        verdict = discriminator_loss(real, fake)
        self._update(self.critic_optimiser, verdict, r.discriminator_rate, list(self.critics.parameters()))
        losses["discriminator"] = verdict.detach()
        self.adversarial_steps += 1
        if self.adversarial_steps <= r.discriminator_warmup:
            return mel.new_zeros(())
        self.critics.requires_grad_(False)
        with self._autocast():
            with torch.no_grad():
                real = self.critics(mel)
            fake = self.critics(generated)
        self.critics.requires_grad_(True)
        losses["adversarial"], losses["feature"] = adversarial_loss(fake), feature_loss(real, fake)
        return r.w_adversarial * losses["adversarial"] + r.w_feature * losses["feature"]

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
        with self._autocast():
            return torch.cat([model.encoder(self._crops(salt + i)).float() for i in range(batches)])

    def _fit_levels(self) -> None:
        self.model.eval()
        z = self._latents(self.model, 24, salt=1 << 40)
        self.model.quantizer.fit(z.transpose(0, 1).flatten(1))
        self.averaged.quantizer.centres.copy_(self.model.quantizer.centres)
        self.model.train()
        self.fitted = True

    # -- what comes out

    @torch.no_grad()
    def validate(self, done: float) -> dict[str, float]:
        """Averaged weights on speakers that training never sees: log-mel error, PESQ and symbol entropy."""
        from pesq import PesqError, pesq

        model, config = self.averaged, self.averaged.config
        sent = config.latent.channels
        if config.latent.layers and self.recipe.layer_shares:
            sent = config.latent.layers[int(np.argmax(self.recipe.layer_shares))]
        errors, narrow, wide, symbols = [], [], [], []
        for index in self.validation:
            audio = self.corpus.utterance(index, config.mel.level)
            padded = np.pad(audio, (0, -audio.size % config.block))
            mel = model.mel(torch.from_numpy(padded)[None].to(self.device))
            z = model.encoder(mel)[:, :sent]
            if self.fitted:
                codes = model.quantizer.encode(z)
                symbols.append(codes[0].cpu())
                z = model.quantizer.decode(codes)
            generated = model.generator(z)
            errors.append(float((generated - mel).abs().mean()) * 4 * 10 / np.log(10))
            degraded = griffin_lim(model.mel, generated)[0, : audio.size].cpu().numpy()
            try:
                narrow.append(pesq(config.mel.sample_rate, audio, degraded, "nb"))
                wide.append(pesq(config.mel.sample_rate, audio, degraded, "wb"))
            except PesqError:
                continue  # an utterance that P.862 finds no speech in says nothing
        bits = fitting.order0_bits(symbols, config.latent.levels) if symbols else float("nan")
        result = {
            "log_mel_db": float(np.mean(errors)),
            "pesq_nb": float(np.mean(narrow)) if narrow else float("nan"),
            "pesq_wb": float(np.mean(wide)) if wide else float("nan"),
            "bits_per_symbol": bits,
        }
        self._log("validation.csv", _VALIDATION, done, result)
        if self.fitted and result["pesq_wb"] > self.best:
            self.best = result["pesq_wb"]
            torch.save(self.averaged.state_dict(), self.out / "best.pt")
        return result

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
