"""Log-mel-spectrogram -> first latent z, from which the search starts."""

from __future__ import annotations

from torch import Tensor, nn

from codec.bpgan.config import ModelConfig
from codec.bpgan.network.blocks import ConvNeXt, frame_mask, run_one_by_one


class Encoder1d(nn.Module):
    """(batch, bands, frames) -> (batch, channels, frames / 4), mel bands as channels.

    In a batch of files of different `lengths` (in latent frames), each file's result is as if it were alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, stride = config.network, config.latent.stride
        width, (before, after) = size.encoder_width, size.encoder_blocks
        self.stride = stride
        self.layers = nn.Sequential(
            nn.Conv1d(config.mel.bands, width, 7, padding=3),
            *(ConvNeXt(width, size.expansion) for _ in range(before)),
            nn.Conv1d(width, width, 2 * stride, stride, padding=stride // 2),
            *(ConvNeXt(width, size.expansion) for _ in range(after)),
            nn.Conv1d(width, config.latent.channels, 1),
        )

    def forward(self, mel: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            whole: Tensor = self.layers(mel)
            return whole
        mask = frame_mask(lengths * self.stride, mel.shape[2])
        x = mel * mask
        for layer in self.layers:
            if isinstance(layer, ConvNeXt):
                x = layer(x, mask)
                continue
            x = layer(x)
            if x.shape[2] != mask.shape[2]:
                mask = frame_mask(lengths, x.shape[2])
            x = x * mask
        return x


class Encoder2d(nn.Module):
    """The paper's encoder. (batch, bands, frames) -> (batch, maps * rows, frames / 16), sigmoid.

    Feature maps and rows of the 2-D latent are merged into one axis of channels, so that quantiser, search
    and entropy coder get the same shape from either network.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, stride = config.network, config.latent.stride
        self.stride = stride
        maps = config.latent.channels * stride // config.mel.bands
        layers: list[nn.Module] = [
            nn.Conv2d(1, size.base, 7, padding=3, padding_mode="reflect"),
            nn.BatchNorm2d(size.base),
            nn.ReLU(),
        ]
        width = size.base
        for _ in range(stride.bit_length() - 1):
            wider = min(2 * width, size.most)
            layers += [nn.Conv2d(width, wider, 3, 2, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
            width = wider
        layers += [nn.Conv2d(width, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, mel: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            return run_one_by_one(self.forward, mel, lengths, self.stride, 1)
        z: Tensor = self.layers(mel.unsqueeze(1))
        return z.flatten(1, 2)


def build_encoder(config: ModelConfig) -> nn.Module:
    return Encoder2d(config) if config.network.kind == "2d" else Encoder1d(config)
