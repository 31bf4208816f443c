"""Latent z -> log-mel-spectrogram: the receiver runs it, the search differentiates it."""

from __future__ import annotations

from torch import Tensor, nn

from codec.bpgan.config import ModelConfig
from codec.bpgan.network.blocks import ConvNeXt, ResidualBlock2d, frame_mask, run_one_by_one


class Generator1d(nn.Module):
    """(batch, channels, frames / 4) -> (batch, bands, frames), mel bands as channels.

    The input may consist of the first channels only, those of the layer that was sent. In a batch of files of
    different `lengths` (in latent frames), each file's result is as if it were alone; frames after its end
    are undefined.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, stride = config.network, config.latent.stride
        width, (before, after) = size.generator_width, size.generator_blocks
        narrow = width // 2
        self.channels = config.latent.channels
        self.stride = stride
        self.layers = nn.Sequential(
            nn.Conv1d(config.latent.channels, width, 7, padding=3),
            *(ConvNeXt(width, size.expansion) for _ in range(before)),
            nn.ConvTranspose1d(width, narrow, 2 * stride, stride, padding=stride // 2),
            *(ConvNeXt(narrow, size.expansion) for _ in range(after)),
            nn.Conv1d(narrow, config.mel.bands, 1),
        )

    def forward(self, z: Tensor, lengths: Tensor | None = None) -> Tensor:
        x = nn.functional.pad(z, (0, 0, 0, self.channels - z.shape[1]))
        if lengths is None:
            whole: Tensor = self.layers(x)
            return whole
        mask = frame_mask(lengths, z.shape[2])
        x = x * mask
        for layer in self.layers:
            if isinstance(layer, ConvNeXt):
                x = layer(x, mask)
                continue
            if isinstance(layer, nn.ConvTranspose1d):
                mask = frame_mask(lengths * self.stride, z.shape[2] * self.stride)
            x = layer(x) * mask
        return x


class Generator2d(nn.Module):
    """The paper's generator, 15.8 million parameters: residual blocks, then transposed convolutions.

    (batch, maps * rows, frames / 16) -> (batch, bands, frames). The paper's ends in a tanh, for images in
    [-1, 1]; log-mels are not bounded, so the tanh is scaled to their range here.
    """

    _RANGE = 4.0

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, stride = config.network, config.latent.stride
        self.stride = stride
        self.rows = config.mel.bands // stride
        maps = config.latent.channels // self.rows
        width = size.most
        layers: list[nn.Module] = [nn.Conv2d(maps, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [ResidualBlock2d(width) for _ in range(3)]
        for _ in range(stride.bit_length() - 1):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 3, 2, padding=1, output_padding=1),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(),
            ]
            width //= 2
        layers += [nn.Conv2d(width, 1, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is not None:
            # A mask cannot reproduce the reflection at the end of a file.
            return run_one_by_one(self.forward, z, lengths, 1, self.stride)
        mel: Tensor = self.layers(z.reshape(len(z), -1, self.rows, z.shape[2]))
        return self._RANGE * mel.squeeze(1)


def build_generator(config: ModelConfig) -> nn.Module:
    return Generator2d(config) if config.network.kind == "2d" else Generator1d(config)
