"""Codec 2, the open vocoder for digital radio, through pycodec2."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import pycodec2

from codec.audio import from_pcm16, resample, to_pcm16
from codec.base import WORKING_RATE, Audio, Codec, CodecError, Encoded

_RATE = 8_000
# 20 ms at 8 kHz (320 samples at 16 kHz): the encoder analyses 40 ms around each frame. A vocoder does not
# preserve the waveform, so this is the lag of the envelope, equal for both modes to within a millisecond.
_DELAY = 160


class Codec2(Codec):
    """Codec 2 at 2400 or 3200 bit/s: frames of 20 ms with 48 or 64 bits.

    The decoder synthesises voiced phases and draws unvoiced ones at random, from a generator inside the
    library that carries on from clip to clip: two decodings differ in detail and sound the same.
    """

    #: The modes that Earshot compares: frames of 20 ms that fill whole bytes.
    MODES = (2400, 3200)

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, mode: int) -> None:
        """Make a codec for a `mode` in bit/s."""
        super().__init__(slug, sample_rate)
        if mode not in self.MODES:
            raise CodecError(
                f"Codec 2 runs at {' or '.join(map(str, self.MODES))} bit/s here, not at {mode}."
            )
        self.mode = mode
        coder = pycodec2.Codec2(mode)
        self._frame = coder.samples_per_frame()
        self._frame_bytes = coder.bytes_per_frame()

    def _encode(self, audio: Audio) -> tuple[bytes, int, dict[str, Any]]:
        inside = to_pcm16(resample(audio, self.sample_rate, _RATE))
        frames = self._frames(audio.size, self.sample_rate)
        pcm = np.pad(inside, (0, frames * self._frame - inside.size))
        coder = pycodec2.Codec2(self.mode)  # it has state, so each clip gets a new one
        payload = b"".join(coder.encode(frame) for frame in pcm.reshape(frames, self._frame))
        parameters = {
            "mode": self.mode,
            "counted": "bits of all frames of 20 ms",
            "pycodec2": version("pycodec2"),
        }
        return payload, frames * coder.bits_per_frame(), parameters

    def _decode(self, encoded: Encoded) -> Audio:
        frames = self._frames(encoded.num_samples, encoded.sample_rate)
        if len(encoded.payload) != frames * self._frame_bytes:
            raise CodecError(
                f"The bitstream has {len(encoded.payload)} bytes; {encoded.seconds:.2f} s of Codec 2 at "
                f"{self.mode} bit/s need {frames * self._frame_bytes}."
            )
        coder = pycodec2.Codec2(self.mode)
        step = self._frame_bytes
        pcm = [coder.decode(encoded.payload[i : i + step]) for i in range(0, len(encoded.payload), step)]
        return resample(from_pcm16(np.concatenate(pcm))[_DELAY:], _RATE, encoded.sample_rate)

    def _frames(self, num_samples: int, sample_rate: int) -> int:
        """Frames that bring `num_samples` at `sample_rate` through the delay."""
        length = round(num_samples * _RATE / sample_rate)
        return -(-(length + _DELAY) // int(self._frame))
