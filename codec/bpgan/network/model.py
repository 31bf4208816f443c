"""A trained model as one object, and its file: safetensors with the configuration inside."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from codec.base import CodecError, gettext_noop
from codec.bpgan.config import ModelConfig, Rate, Receiver
from codec.bpgan.entropy.base import TOTAL, ContextModel, RateModel, read_contexts
from codec.bpgan.entropy.coders import HuffmanCoder, RangeCoder, SymbolCoder
from codec.bpgan.entropy.rates import HuffmanRates, build_rates
from codec.bpgan.entropy.tables import TableContexts
from codec.bpgan.network.encoder import build_encoder
from codec.bpgan.network.generator import build_generator
from codec.bpgan.network.hearing import Disturbance, Hearing, Similarity
from codec.bpgan.network.mel import Mel
from codec.bpgan.network.quantizer import Quantizer
from codec.bpgan.network.refiner import Refiner
from codec.bpgan.network.spectrum import SpectrumNetwork
from codec.bpgan.network.vocoder import invert_mel, random_phases

#: The receiver that the model's configuration describes.
DEFAULT_RECEIVER = Receiver()
#: The paper's receiver, which inverts the generated mel-spectrogram as it is.
PLAIN_RECEIVER = Receiver(postfilter=False, network=0.0, refiner=False)
#: Reach of the postfilter's Gaussians to either side, in bands or frames, and the deviation of most.
POSTFILTER_REACH = 8
_DEVIATION = 2.0


class BPGANModel(nn.Module):
    """Encoder, quantiser and generator, with the front end they were trained on.

    `contexts` are the range coder's integer tables. `marginals` are those of the Huffman code: int32
    frequencies (channels, levels), each row summing to ``2 ** 15``.
    """

    marginals: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.mel = Mel(config.mel)
        self.hearing = Hearing(self.mel, config.objective)
        self.disturbance = Disturbance(self.mel)
        self.similarity = Similarity(self.mel, self.disturbance)
        self.encoder = build_encoder(config)
        self.quantizer = Quantizer(config.latent)
        self.generator = build_generator(config)
        #: Corrects the generated log-mel, in the receiver and in the last scoring of the search; or None.
        self.refiner = Refiner(config) if config.refiner.blocks else None
        #: Between the log-mel and Griffin-Lim, or None: the plain inversion of the mel.
        self.spectrum = SpectrumNetwork(config, self.mel) if config.spectrum.blocks else None
        channels, levels = config.latent.channels, config.latent.levels
        self.contexts: ContextModel = TableContexts.uniform(channels, levels)
        self.register_buffer("marginals", torch.full((channels, levels), TOTAL // levels, dtype=torch.int32))
        #: First two bytes of the SHA-256 of the model file, by which bitstreams name the model.
        self.model_id = 0
        #: How systems get their bit rate from this model, by slug, as found by calibration.
        self.rates: dict[str, Rate] = {}
        #: What the file says about how the model was made: JSON texts by subject.
        self.notes: dict[str, str] = {}

    @property
    def layers(self) -> tuple[int, ...]:
        """The numbers of channels that may be sent, in the order of the bitstream's field."""
        return self.config.latent.layers or (self.config.latent.channels,)

    def build_coder(self, name: str) -> SymbolCoder:
        """The coder of this name in `bitstream.CODERS`, with this model's tables."""
        return RangeCoder(self.contexts) if name == "range" else HuffmanCoder(self.marginals.cpu().numpy())

    def build_rates(self, coder: str = "range") -> RateModel:
        """What the coder of this name charges for symbols, on the model's device."""
        device = self.mel.filters.device
        if coder == "range":
            return build_rates(self.contexts, device)
        return HuffmanRates(self.marginals.cpu().numpy(), device)

    def refine(self, log_mel: Tensor, values: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Correct a generated log-mel (batch, bands, frames), if the model has a network for that.

        `values` (batch, channels sent, frames / stride) are the generator's input; `lengths`, in latent
        frames, are those of the files of a batch.
        """
        if self.refiner is None:
            return log_mel
        refined: Tensor = self.refiner(log_mel, values, lengths)
        return refined

    def power(
        self,
        log_mel: Tensor,
        values: Tensor,
        receiver: Receiver = DEFAULT_RECEIVER,
        start: int = 0,
    ) -> Tensor:
        """Generated log-mel (batch, bands, frames) -> STFT power (batch, bins, frames), for Griffin-Lim.

        `values` (batch, channels sent, frames / stride) are the generator's input. `receiver` determines the
        steps; `start` is the index of the first frame within its file.
        """
        if receiver.refiner:
            log_mel = self.refine(log_mel, values)
        # The network sees what it was trained on; its change is added to the postfilter's result.
        sharpened = self.sharpen(log_mel) if receiver.postfilter else log_mel
        strength = self.config.spectrum.strength if receiver.network is None else receiver.network
        if self.spectrum is None or not strength:
            power = invert_mel(self.mel, sharpened)
        else:
            power = self.spectrum(log_mel, values, start, strength, sharpened)
        return self.extend(power, start) if receiver.postfilter and self.config.postfilter.top else power

    def sharpen(self, log_mel: Tensor) -> Tensor:
        """Log-mel (batch, bands, frames) with more contrast along bands and frames, by `PostfilterConfig`.

        Differences from a Gaussian blur of the surroundings are amplified, because an uncertain generator
        draws harmonics and onsets too flat. CELP codecs have postfilters for the same reason.
        """
        amounts = self.config.postfilter
        sharpened = log_mel + amounts.bands * (log_mel - _blur(log_mel, 1))
        if amounts.kept:
            before, after = (_blur(self.mel.expand(x), 1, amounts.kept) for x in (log_mel, sharpened))
            sharpened = sharpened + self.mel.compress(before) - self.mel.compress(after)
        return sharpened + amounts.frames * (log_mel - _blur(log_mel, 2))

    def extend(self, power: Tensor, start: int = 0) -> Tensor:
        """STFT power (batch, bins, frames) with noise from `PostfilterConfig.top` Hz on, where there is less.

        Its level is that of the kilohertz below, falling by 3 dB per kilohertz as fricatives do. Each bin of
        each frame has the exponential distribution of noise, and is the same in every decoder; `start` is the
        index of the first frame within its file.
        """
        rate, n_fft = self.config.mel.sample_rate, self.config.mel.n_fft
        per_khz = round(1000 * n_fft / rate)
        first = round(self.config.postfilter.top * n_fft / rate)
        below = power[:, first - per_khz : first].mean(dim=1, keepdim=True)
        above = torch.arange(power.shape[1] - first, device=power.device)
        fall = 10 ** (-0.3 * above / per_khz)
        chance = random_phases(len(above), start, power.shape[2]).to(power) / (2 * torch.pi)
        noise = below * fall[:, None] * -torch.log(chance.clamp_min(1e-4))
        return torch.cat([power[:, :first], torch.maximum(power[:, first:], noise)], dim=1)

    def save(self, path: Path, like: BPGANModel | None = None) -> None:
        """Write weights as float16, tables and levels exactly; configuration, rates and notes as metadata.

        Parts that are the same in the model `like`, such as its encoder, are left out.

        Raises:
            OSError: the file cannot be written.
        """
        tensors = self._pack()
        if like is not None:
            theirs = like._pack()
            parts = {
                _part(name)
                for name, tensor in tensors.items()
                if name not in theirs or not torch.equal(tensor, theirs[name])
            }
            tensors = {name: tensor for name, tensor in tensors.items() if _part(name) in parts}
        metadata = {**self.notes, "config": json.dumps(self.config.to_dict())}
        if self.rates:
            metadata["rates"] = json.dumps({slug: asdict(rate) for slug, rate in self.rates.items()})
        partial = path.with_name(path.name + ".part")
        try:
            save_file(tensors, partial, metadata=metadata)
            partial.rename(path)
        except SafetensorError as error:  # what safetensors makes of an OSError
            raise OSError(f"The model {path} cannot be written: {error}") from error

    def _pack(self) -> dict[str, Tensor]:
        """The tensors of a model file."""
        weights = {
            name: tensor.half().contiguous()
            if tensor.dtype == torch.float32 and "centres" not in name
            else tensor.contiguous()
            for name, tensor in self.state_dict().items()
        }
        tables = {f"contexts.{name}": torch.from_numpy(a) for name, a in self.contexts.arrays().items()}
        return weights | tables

    @classmethod
    def load(cls, path: Path, like: BPGANModel | None = None) -> BPGANModel:
        """Read a model for inference; parts that the file leaves out are those of the model `like`.

        Raises:
            CodecError: the file is missing or damaged, or lacks a part.
        """
        try:
            model = cls._read(path, like)
            model.model_id = model_id(path)
        # What json, numpy and torch raise for a file that is damaged or holds another network.
        except (
            OSError,
            SafetensorError,
            LookupError,
            TypeError,
            ValueError,
            RuntimeError,
            AttributeError,
            ArithmeticError,
        ) as error:
            raise CodecError(
                gettext_noop("The model %(name)s cannot be read: %(error)s"), name=path.name, error=str(error)
            ) from error
        return model.eval().requires_grad_(False)

    @classmethod
    def _read(cls, path: Path, like: BPGANModel | None) -> BPGANModel:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            config = ModelConfig.from_dict(json.loads(metadata["config"]))
            rates = {slug: Rate(**r) for slug, r in json.loads(metadata.get("rates", "{}")).items()}
            names = file.keys()
            state = {name: file.get_tensor(name) for name in names}
        if like is not None:
            parts = {_part(name) for name in state}
            state |= {name: tensor for name, tensor in like._pack().items() if _part(name) not in parts}
        model = cls(config)
        model.rates = rates
        model.notes = {name: text for name, text in metadata.items() if name not in ("config", "rates")}
        tables = {n: state.pop(n) for n in list(state) if n.startswith("contexts.") or n == "frequencies"}
        # The first release calls its only table `frequencies` (`released`).
        model.contexts = read_contexts(
            {name.removeprefix("contexts."): tensor.numpy() for name, tensor in tables.items()}
        )
        if (model.contexts.channels, model.contexts.levels) != (config.latent.channels, config.latent.levels):
            raise CodecError(
                gettext_noop("The model %(name)s cannot be read: its tables are for another latent."),
                name=path.name,
            )
        model.load_state_dict({n: t.float() if t.dtype == torch.float16 else t for n, t in state.items()})
        return model


def _part(name: str) -> str:
    """The part of a model that a tensor belongs to, such as the encoder."""
    return name.partition(".")[0]


def model_id(path: Path) -> int:
    """The number of a model file in bitstreams: the first two bytes of its SHA-256."""
    with path.open("rb") as file:
        return int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:2], "big")


def _blur(x: Tensor, dim: int, deviation: float = _DEVIATION) -> Tensor:
    """Blur (batch, bands, frames) along one of the last two axes by a Gaussian; end values are repeated."""
    offsets = torch.arange(-POSTFILTER_REACH, POSTFILTER_REACH + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-offsets.square() / (2 * deviation**2))
    lines = x.movedim(dim, -1)
    padded = nn.functional.pad(lines.flatten(0, 1)[:, None], (POSTFILTER_REACH,) * 2, mode="replicate")
    blurred = nn.functional.conv1d(padded, (kernel / kernel.sum())[None, None])
    return blurred.reshape(lines.shape).movedim(-1, dim)
