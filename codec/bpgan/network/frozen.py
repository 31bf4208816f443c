"""The generator as the search needs it: frozen, with its gradient by z only, and faster.

Activations are stored as (batch, frames, width), so that the perceptrons of the ConvNeXt blocks need no
transposition; the LayerNorm's scale and shift are merged into the matrix that follows. Forward passes that
score are in float32, as at the receiver. The backward pass is written by hand and computes no gradient of any
weight. It, and the forward passes that only serve it, use matrix products in bfloat16 where the hardware has
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec.bpgan.network.blocks import ConvNeXt, frame_mask
from codec.bpgan.network.generator import Generator1d
from codec.bpgan.network.precision import has_bfloat16

#: Of a block: normalised input, the norm's scale, hidden layer.
_Saved = tuple[Tensor, Tensor, Tensor]


@dataclass
class _Matrix:
    """``y = x @ forward + bias``, the same with less precision, and its gradient by x."""

    forward: Tensor
    bias: Tensor
    quick: Tensor
    quick_bias: Tensor
    backward: Tensor

    @classmethod
    def from_weight(cls, weight: Tensor, bias: Tensor, precision: torch.dtype) -> _Matrix:
        """Build it from (out, in) weights."""
        forward = weight.T.contiguous()
        return cls(
            forward, bias, forward.to(precision), bias.to(precision), weight.contiguous().to(precision)
        )

    def __call__(self, x: Tensor, exact: bool) -> Tensor:
        flat = x.flatten(0, -2)
        if exact:
            y = torch.addmm(self.bias, flat, self.forward)
        else:
            y = torch.addmm(self.quick_bias, flat.to(self.quick.dtype), self.quick)
        return y.view(*x.shape[:-1], -1)

    def gradient(self, y: Tensor) -> Tensor:
        return y.to(self.backward.dtype) @ self.backward


class _Block:
    """A ConvNeXt block."""

    def __init__(self, block: ConvNeXt, precision: torch.dtype) -> None:
        depthwise, norm = block.depthwise, block.norm
        kernel = depthwise.weight[:, :, None]
        self.kernel = kernel.contiguous(memory_format=torch.channels_last)
        self.flipped = kernel.flip(3).contiguous(memory_format=torch.channels_last)
        self.bias, self.width, self.floor = depthwise.bias, depthwise.in_channels, norm.eps
        self.padding = (0, kernel.shape[3] // 2)
        up, down = block.up, block.down
        self.up = _Matrix.from_weight(up.weight * norm.weight, up.bias + up.weight @ norm.bias, precision)
        self.down = _Matrix.from_weight(down.weight, down.bias, precision)

    def _convolve(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        # (batch, frames, width) is (batch, width, 1, frames) with channels last, so nothing is copied.
        image = x.transpose(1, 2)[:, :, None]
        y = F.conv2d(image, kernel, bias, padding=self.padding, groups=self.width)
        return y[:, :, 0].transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor | None, exact: bool) -> tuple[Tensor, _Saved]:
        convolved = self._convolve(x, self.kernel, self.bias).contiguous()
        normed, _, scale = torch.native_layer_norm(convolved, [self.width], None, None, self.floor)
        hidden = self.up(normed, exact)
        y = self.down(F.gelu(hidden), exact)
        return x + (y if mask is None else y * mask), (normed, scale, hidden)

    def backward(self, outer: Tensor, saved: _Saved, mask: Tensor | None) -> Tensor:
        normed, scale, hidden = saved
        inner = self.down.gradient(outer if mask is None else outer * mask)
        inner = torch.ops.aten.gelu_backward(inner.to(hidden.dtype), hidden)
        inner = self.up.gradient(inner).float()
        # The LayerNorm: remove the components that would change the mean or the variance.
        inner = (
            inner - inner.mean(dim=-1, keepdim=True) - normed * (inner * normed).mean(dim=-1, keepdim=True)
        )
        return self._convolve(inner * scale, self.flipped, None) + outer


class FrozenGenerator:
    """A `Generator1d` for inference and its gradient by z. The weights are copied.

    Args:
        channels: number of the latent's channels that z has.
        exact: compute gradients in float32, too, whatever the hardware offers.
    """

    def __init__(self, generator: Generator1d, channels: int, exact: bool = False) -> None:
        layers = list(generator.layers)
        quick = not exact and has_bfloat16(next(generator.parameters()).device)
        precision = torch.bfloat16 if quick else torch.float32
        first, last = layers[0], layers[-1]
        at, raising = next((i, m) for i, m in enumerate(layers) if isinstance(m, nn.ConvTranspose1d))
        if not (isinstance(first, nn.Conv1d) and isinstance(last, nn.Conv1d)) or last.bias is None:
            raise TypeError("The generator does not begin and end in convolutions.")
        self.before = [_Block(m, precision) for m in layers[:at] if isinstance(m, ConvNeXt)]
        self.after = [_Block(m, precision) for m in layers[at:] if isinstance(m, ConvNeXt)]
        self.first_weight, self.first_bias = first.weight[:, :channels].contiguous(), first.bias
        self.first_padding = first.weight.shape[2] // 2
        self.raising_weight, self.raising_bias = raising.weight, raising.bias
        self.last = _Matrix.from_weight(last.weight[:, :, 0], last.bias, torch.float32)
        self.stride = generator.stride

    def forward(self, z: Tensor, lengths: Tensor | None, exact: bool = True) -> tuple[Tensor, list[_Saved]]:
        """z (batch, channels, frames) -> log-mel (batch, bands, frames * stride), and what `gradient` needs.

        Unless `exact`, it is less precise where that is faster: good enough for a gradient, not for a score.
        """
        low, high = self._masks(lengths, z.shape[2])
        saved: list[_Saved] = []
        if low is not None:
            z = z * low.transpose(1, 2)
        x = F.conv1d(z, self.first_weight, self.first_bias, padding=self.first_padding)
        x = _apply_mask(x.transpose(1, 2).contiguous(), low)
        for block in self.before:
            x, kept = block.forward(x, low, exact)
            saved.append(kept)
        x = F.conv_transpose1d(
            x.transpose(1, 2), self.raising_weight, self.raising_bias, self.stride, self.stride // 2
        )
        x = _apply_mask(x.transpose(1, 2).contiguous(), high)
        for block in self.after:
            x, kept = block.forward(x, high, exact)
            saved.append(kept)
        return self.last(x, True).transpose(1, 2), saved

    def gradient(self, outer: Tensor, saved: list[_Saved], lengths: Tensor | None) -> Tensor:
        """Gradient by z from that by the log-mel, which must be 0 in the padding. Empties `saved`."""
        low, high = self._masks(lengths, outer.shape[2] // self.stride)
        x = self.last.gradient(outer.transpose(1, 2).contiguous())
        for block in reversed(self.after):
            x = block.backward(x, saved.pop(), high)
        x = _apply_mask(x, high).transpose(1, 2)
        x = F.conv1d(x, self.raising_weight, None, self.stride, self.stride // 2)
        x = _apply_mask(x.transpose(1, 2).contiguous(), low)
        for block in reversed(self.before):
            x = block.backward(x, saved.pop(), low)
        x = _apply_mask(x, low).transpose(1, 2)
        z = F.conv_transpose1d(x, self.first_weight, None, padding=self.first_padding)
        return z if low is None else z * low.transpose(1, 2)

    def _masks(self, lengths: Tensor | None, frames: int) -> tuple[Tensor | None, Tensor | None]:
        """1 within a file, 0 in its padding: (batch, frames, 1) for latent frames and for mel frames."""
        if lengths is None:
            return None, None
        latent, mel = frame_mask(lengths, frames), frame_mask(lengths * self.stride, frames * self.stride)
        return latent.transpose(1, 2), mel.transpose(1, 2)


def _apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask
