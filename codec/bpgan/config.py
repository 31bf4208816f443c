"""A model's sizes and its training recipe, read from a preset: a small TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from itertools import pairwise
from typing import Any

from codec.base import CodecError
from codec.bpgan.bitstream import MAX_LAYERS


@dataclass(frozen=True)
class MelConfig:
    """Front end. Hop 128 and 128 bands keep the harmonics that PESQ listens for."""

    sample_rate: int = 16_000
    n_fft: int = 512
    hop: int = 128
    bands: int = 128
    #: Added to the power before the logarithm, of audio that was brought to `level`.
    floor: float = 1e-5
    #: RMS of active speech that audio is brought to, linear.
    level: float = 0.08


@dataclass(frozen=True)
class LatentConfig:
    """z: `channels` values every `stride` mel frames, each quantised to one of `levels`.

    Raises:
        CodecError: `layers` are not what a bitstream can name.
    """

    channels: int = 16
    stride: int = 4
    levels: int = 16
    #: One set of levels per channel, or one for all as in the 2020 code.
    codebook: str = "channel"
    #: How many of the channels, from the first on, may be sent: one number per rate, ascending, the last all
    #: of them. Empty: all of them.
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        layers = self.layers
        ascending = all(a < b for a, b in pairwise((0, *layers)))
        if layers and not (ascending and len(layers) <= MAX_LAYERS and layers[-1] == self.channels):
            raise CodecError(
                f"A model's layers are 1 to {MAX_LAYERS} ascending numbers of channels, "
                f"the last of them all {self.channels}; not {', '.join(map(str, layers))}."
            )


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of encoder and generator: ``1d`` (ConvNeXt over time) or ``2d`` (the paper's image network)."""

    kind: str = "1d"
    encoder_width: int = 128
    encoder_blocks: tuple[int, int] = (2, 3)
    generator_width: int = 256
    generator_blocks: tuple[int, int] = (5, 2)
    expansion: int = 3
    #: Only for ``2d``: channels of the first layer and the most that a layer has.
    base: int = 32
    most: int = 512


@dataclass(frozen=True)
class ModelConfig:
    name: str = "default"
    mel: MelConfig = field(default_factory=MelConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)

    @property
    def block(self) -> int:
        """Samples per latent frame: audio is padded to a multiple of it."""
        return self.mel.hop * self.latent.stride

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        latent = dict(data.get("latent", {}))
        latent["layers"] = tuple(latent.get("layers", ()))
        network = dict(data.get("network", {}))
        for key in ("encoder_blocks", "generator_blocks"):
            if key in network:
                network[key] = tuple(network[key])
        return cls(
            name=data["name"],
            mel=MelConfig(**data.get("mel", {})),
            latent=LatentConfig(**latent),
            network=NetworkConfig(**network),
        )


@dataclass(frozen=True)
class Rate:
    """How a system gets its bit rate from a model: `channels` that are sent, and what a bit is worth.

    `rate_weight` is `SearchConfig.rate_weight`, in units of J per bit and symbol.
    """

    channels: int
    rate_weight: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """The recipe. Stages are fractions of the whole run, so any budget gives a complete model."""

    batch: int = 16
    #: Length of a training crop, mel frames.
    frames: int = 128
    learning_rate: float = 6e-4
    #: Of the cosine, relative to `learning_rate`.
    final_rate: float = 0.03
    warmup: int = 200
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    #: Where k-means fits the levels and symbols become discrete, fraction of the run.
    quantise_at: float = 0.25
    #: Where the discriminators join.
    adversarial_at: float = 0.75
    #: Steps in which the discriminators learn before the generator listens to them.
    discriminator_warmup: int = 200
    discriminator_rate: float = 2e-4
    discriminator_width: int = 24
    discriminator_scales: int = 2
    #: In how many of the crops each of the latent's layers is sent alone, relative to each other: the
    #: others' channels are dropped, so that one model serves every rate. The commonest is validated.
    layer_shares: tuple[int, ...] = ()
    #: Uniform noise on the float latent, in its standard deviations, that prepares it for quantisation.
    latent_noise: float = 0.2
    w_l1: float = 1.0
    w_mse: float = 0.5
    #: L1 of the differences along mel and along time: blur loses harmonics, and PESQ with them.
    w_gradient: float = 0.5
    w_commitment: float = 0.25
    w_adversarial: float = 0.02
    w_feature: float = 0.2
    #: Random gain, dB either way; speed, fraction either way; spectral tilt, log-mel units at the band edge.
    gain_db: float = 4.0
    speed: float = 0.08
    tilt: float = 0.1

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def preset(name: str) -> tuple[ModelConfig, TrainConfig]:
    """Read ``presets/<name>.toml``. Raises `CodecError` naming the presets there are."""
    folder = files("codec.bpgan") / "presets"
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
        raise CodecError(f"There is no preset {name!r}. Known: {', '.join(known)}.")
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    training = dict(data.pop("training", {}))
    return ModelConfig.from_dict({"name": name, **data}), TrainConfig.from_dict(training)
