"""The sizes of a model and the recipe for training it, read from a preset, which is a small TOML file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.resources import files
from itertools import pairwise
from typing import Any

from codec.base import CodecError
from codec.bpgan.entropy.bitstream import MAX_LAYERS


@dataclass(frozen=True)
class MelConfig:
    """Front end. A hop of 128 samples and 128 bands preserve the harmonics that PESQ is sensitive to."""

    sample_rate: int = 16_000
    n_fft: int = 512
    hop: int = 128
    bands: int = 128
    #: Added to the power before the logarithm, for audio scaled to `level`.
    floor: float = 1e-5
    #: RMS to which active speech is scaled, linear.
    level: float = 0.08


@dataclass(frozen=True)
class LatentConfig:
    """z: `channels` values every `stride` mel frames, each quantised to one of `levels`.

    Raises:
        CodecError: a bitstream cannot express `layers`.
    """

    channels: int = 16
    stride: int = 4
    levels: int = 16
    #: ``channel``: one set of levels per channel; ``global``: one for all, as in the 2020 code.
    codebook: str = "channel"
    #: The numbers of channels, counted from the first, that may be sent: one per rate, ascending, the last of
    #: them all channels. Empty: all channels.
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
    #: Only for ``2d``: channels of the first layer, and the largest number in any layer.
    base: int = 32
    most: int = 512


@dataclass(frozen=True)
class RefinerConfig:
    """Sizes of the network that corrects the generated log-mel; there is none if `blocks` is 0."""

    width: int = 256
    blocks: int = 0
    expansion: int = 3


@dataclass(frozen=True)
class SpectrumConfig:
    """Sizes of the network between mel-spectrogram and Griffin-Lim; there is none if `blocks` is 0."""

    width: int = 192
    blocks: int = 0
    expansion: int = 3
    #: Rows of noise beside the mel bands.
    noise: int = 16
    #: Whether its input includes the values of the symbols.
    latent: bool = False
    #: The share of the network's change, in decibels, that the receiver applies; 1: all of it, as trained.
    strength: float = 1.0


@dataclass(frozen=True)
class PostfilterConfig:
    """How strongly the receiver sharpens the generated log-mel (`BPGANModel.sharpen`); 0: not at all.

    Sharpening along the bands gives peaks more power than it takes from valleys, and makes whole formants
    louder. With `kept`, the Gaussian mean of the power over so many bands (standard deviation) is put back to
    what it was, so that only what is finer gets more contrast.

    From `top` Hz on it continues the spectrum with noise (`BPGANModel.extend`), because the generator learnt
    from speech that ended there; 0: as generated.
    """

    bands: float = 0.0
    kept: float = 0.0
    frames: float = 0.0
    top: float = 0.0


@dataclass(frozen=True)
class Receiver:
    """What a receiver does between the generator's log-mel and Griffin-Lim.

    Attributes:
        refiner: whether it corrects the log-mel, if the model has a network for that.
        postfilter: whether it sharpens the log-mel, as strongly as the model says.
        network: the share of the spectrum network's change that it applies, 1: as trained; 0: none, the plain
            inversion; None: as the model says (`SpectrumConfig.strength`), if it has such a network.
    """

    postfilter: bool = True
    network: float | None = None
    refiner: bool = True


@dataclass(frozen=True)
class ObjectiveConfig:
    """How much an error of each log-mel value counts, in training and in the search (`hearing.Hearing`).

    With the defaults all errors count alike, as in the 2020 code.
    """

    #: Exponent of the value's power. By Stevens' law, loudness grows with the power 0.23 of sound power.
    loudness: float = 0.0
    #: Whether a mel band counts by its width in ERB, the ear's resolution, rather than like any other.
    erb: bool = False
    #: Weight of how audibly the loudness differs (`hearing.Disturbance`), besides the errors of values.
    disturbance: float = 0.0
    #: Weight of how unlike the pattern of levels is (`hearing.Similarity`), likewise.
    similarity: float = 0.0


@dataclass(frozen=True)
class ModelConfig:
    name: str = "default"
    mel: MelConfig = field(default_factory=MelConfig)
    latent: LatentConfig = field(default_factory=LatentConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    refiner: RefinerConfig = field(default_factory=RefinerConfig)
    spectrum: SpectrumConfig = field(default_factory=SpectrumConfig)
    postfilter: PostfilterConfig = field(default_factory=PostfilterConfig)

    @property
    def block(self) -> int:
        """Samples per latent frame: audio is padded to a multiple of it."""
        return self.mel.hop * self.latent.stride

    def to_dict(self) -> dict[str, object]:
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
            objective=ObjectiveConfig(**data.get("objective", {})),
            refiner=RefinerConfig(**data.get("refiner", {})),
            spectrum=SpectrumConfig(**data.get("spectrum", {})),
            postfilter=PostfilterConfig(**data.get("postfilter", {})),
        )


@dataclass(frozen=True)
class Rate:
    """How a system gets its bit rate from a model: the number of channels sent, and the price of a bit.

    `rate_weight` is `SearchConfig.rate_weight`, in units of J per bit and symbol.
    """

    channels: int
    rate_weight: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """The recipe. Stages begin at fractions of the whole run, so any budget gives a complete model."""

    #: How much of the training speech to use; 0: all of it.
    hours: float = 0.0
    batch: int = 16
    #: Length of a training crop, mel frames.
    frames: int = 128
    learning_rate: float = 6e-4
    #: Where the cosine ends, relative to `learning_rate`.
    final_rate: float = 0.03
    warmup: int = 200
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    #: Fraction of the run at which k-means fits the levels and symbols become discrete.
    quantise_at: float = 0.25
    #: The same at which the discriminators join.
    adversarial_at: float = 0.75
    #: The same from which the generator learns from what the search sends, instead of from the encoder.
    search_at: float = 1.0
    #: The same from which only the refiner learns.
    refiner_at: float = 1.0
    #: The same from which only the spectrum network learns.
    spectrum_at: float = 1.0
    #: Number of steps that the discriminators learn before the generator takes notice of them.
    discriminator_warmup: int = 200
    discriminator_rate: float = 2e-4
    discriminator_width: int = 24
    discriminator_scales: int = 2
    #: Number of crops per batch that the discriminators judge; 0: all of them.
    discriminator_crops: int = 0
    #: Relative shares of crops in which each of the latent's layers is sent. Channels beyond the layer are
    #: dropped, so that one model serves every rate. The most frequent layer is validated.
    layer_shares: tuple[int, ...] = ()
    #: Uniform noise added to the float latent to prepare it for quantisation, in its standard deviations.
    latent_noise: float = 0.2
    w_l1: float = 1.0
    w_mse: float = 0.5
    #: L1 of the differences along mel and along time: blur would cost harmonics, and with them PESQ.
    w_gradient: float = 0.5
    w_commitment: float = 0.25
    w_adversarial: float = 0.02
    w_feature: float = 0.2
    #: Of the spectrum network: the L1 of the bins of the linear-frequency log-spectrogram, and adversary and
    #: feature matching on it; J of its mel-spectrogram has weight 1.
    w_spectrum: float = 0.1
    w_spectrum_adversarial: float = 0.1
    w_spectrum_feature: float = 1.0
    #: The same of how audibly its loudness differs (`hearing.Disturbance`), besides its share of J.
    w_disturbance: float = 0.0
    #: Of the search in training: steps of back-propagation, the price of a bit, the number of training steps
    #: between two searches, and the number of searched batches that are kept to learn from.
    search_steps: int = 10
    search_price: float = 0.02
    search_reuse: int = 4
    search_pool: int = 64
    #: Every how many steps of the search stage one learns from the encoder's own symbols instead; 0: none.
    encoder_every: int = 0
    #: Augmentation, at most so much in either direction: gain in dB, speed as a fraction, spectral tilt in
    #: log-mel units at the band edge, equaliser in log-mel units for each of three cosines over the bands.
    gain_db: float = 4.0
    speed: float = 0.08
    tilt: float = 0.1
    equaliser: float = 0.0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        values: Mapping[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def preset(name: str, changes: Iterable[str] = ()) -> tuple[ModelConfig, TrainConfig]:
    """Read ``presets/<name>.toml`` and apply `changes` such as ``latent.channels=8`` (values as in TOML).

    Raises:
        CodecError: there is no such preset (the message lists the existing ones), or no such setting.
    """
    folder = files("codec.bpgan") / "presets"
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))
        raise CodecError(f"There is no preset {name!r}. Known: {', '.join(known)}.")
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    for change in changes:
        _apply(data, change)
    training = dict(data.pop("training", {}))
    return ModelConfig.from_dict({"name": name, **data}), TrainConfig.from_dict(training)


#: What may be changed in a trained model: what its receiver does. All else is what it was trained with.
RECEIVER_SETTINGS = (
    *(f"postfilter.{each.name}" for each in fields(PostfilterConfig)),
    "spectrum.strength",
)


def change_receiver(config: ModelConfig, changes: Iterable[str]) -> ModelConfig:
    """The configuration of a model with other settings of its receiver, each given as ``section.key=value``.

    Raises:
        CodecError: a setting is not among `RECEIVER_SETTINGS`, or its value is no number from 0 on.
    """
    data = config.to_dict()
    for change in changes:
        name = change.partition("=")[0].strip()
        if name not in RECEIVER_SETTINGS:
            known = ", ".join(RECEIVER_SETTINGS)
            raise CodecError(f"A trained model keeps its {name}; what can be changed is {known}.")
        _apply(data, change)
    changed = ModelConfig.from_dict(data)
    for name in RECEIVER_SETTINGS:
        section, _, key = name.partition(".")
        value = getattr(getattr(changed, section), key)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise CodecError(f"{name} is a number from 0 on, not {value!r}.")
    return changed


def _apply(data: dict[str, Any], change: str) -> None:
    """Set one value of a preset or model, given as ``section.key=value``."""
    sections = {
        "mel": MelConfig,
        "latent": LatentConfig,
        "network": NetworkConfig,
        "objective": ObjectiveConfig,
        "refiner": RefinerConfig,
        "spectrum": SpectrumConfig,
        "postfilter": PostfilterConfig,
        "training": TrainConfig,
    }
    where, _, text = change.partition("=")
    section, _, key = where.strip().partition(".")
    if section not in sections or key not in {f.name for f in fields(sections[section])}:
        raise CodecError(f"There is no setting {where.strip()!r}; write section.key=value as in a preset.")
    try:
        data.setdefault(section, {})[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise CodecError(f"The value of {change!r} cannot be read: write it as in TOML.") from error
