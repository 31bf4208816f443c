"""Codec 2, the open vocoder for digital radio, through pycodec2."""

from __future__ import annotations

import sys
from importlib.metadata import version

import numpy as np
import pycodec2

from codec.audio import from_pcm16, resample, resampled_length, to_pcm16
from codec.base import WORKING_RATE, Audio, Codec, CodecError, Encoded, Parameters, gettext_noop
from codec.programs import run_program

_RATE = 8_000
# 20 ms at 8 kHz (320 samples at 16 kHz): the encoder analyses 40 ms around each frame. A vocoder does not
# preserve the waveform, so this is the lag of the envelope, equal for both modes to within a millisecond.
_DELAY = 160

# The decoder draws unvoiced phases from a generator that belongs to the whole process and that nothing can
# reset: in a new process it starts at its beginning, so a bitstream always decodes to the same samples.
_DECODER = """
import sys
import pycodec2

coder = pycodec2.Codec2(int(sys.argv[1]))
step, stream = coder.bytes_per_frame(), sys.stdin.buffer.read()
for start in range(0, len(stream), step):
    sys.stdout.buffer.write(coder.decode(stream[start : start + step]).astype("<i2").tobytes())
"""


class Codec2(Codec):
    """Codec 2 at 2400 or 3200 bit/s: frames of 20 ms with 48 or 64 bits.

    The decoder synthesises voiced phases and draws unvoiced ones at random. Each decoding runs in a process
    of its own, in which the generator starts afresh: the same bits give the same samples.
    """

    #: The modes that Earshot compares: frames of 20 ms that fill whole bytes.
    MODES = (2400, 3200)

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, mode: int) -> None:
        """Make a codec for a `mode` in bit/s."""
        super().__init__(slug, sample_rate)
        if mode not in self.MODES:
            raise CodecError(
                gettext_noop("Codec 2 runs at %(modes)s bit/s here, not at %(mode)s."),
                modes=" or ".join(map(str, self.MODES)),
                mode=mode,
            )
        self.mode = mode
        coder = pycodec2.Codec2(mode)
        self._frame = coder.samples_per_frame()
        self._frame_bytes = coder.bytes_per_frame()

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        inside = to_pcm16(resample(audio, self.sample_rate, _RATE))
        frames = self._frames(audio.size, self.sample_rate)
        pcm = np.pad(inside, (0, frames * self._frame - inside.size))
        coder = pycodec2.Codec2(self.mode)  # it has state, so each clip gets a new one
        payload = b"".join(coder.encode(frame) for frame in pcm.reshape(frames, self._frame))
        parameters: Parameters = {
            "mode": self.mode,
            "counted": "bits of all frames of 20 ms",
            "pycodec2": version("pycodec2"),
        }
        return payload, frames * coder.bits_per_frame(), parameters

    def _decode(self, encoded: Encoded) -> Audio:
        frames = self._frames(encoded.num_samples, encoded.sample_rate)
        if len(encoded.payload) != frames * self._frame_bytes:
            raise CodecError(
                gettext_noop(
                    "The bitstream has %(size)s bytes; %(seconds).2f s of Codec 2 at %(mode)s bit/s need "
                    "%(needed)s."
                ),
                size=len(encoded.payload),
                seconds=encoded.seconds,
                mode=self.mode,
                needed=frames * self._frame_bytes,
            )
        # -I: nothing but the installed packages, whatever the caller's environment and folder.
        command = [sys.executable, "-I", "-c", _DECODER, str(self.mode)]
        output = run_program(command, encoded.payload, encoded.seconds, "Codec 2's decoder")
        pcm = np.frombuffer(output, dtype="<i2")
        if pcm.size != frames * self._frame:
            raise CodecError(
                gettext_noop("Codec 2's decoder made %(samples)s samples instead of %(needed)s."),
                samples=pcm.size,
                needed=frames * self._frame,
            )
        return resample(from_pcm16(pcm)[_DELAY:], _RATE, encoded.sample_rate)

    def _frames(self, num_samples: int, sample_rate: int) -> int:
        """Frames that bring `num_samples` at `sample_rate` through the delay."""
        length = resampled_length(num_samples, sample_rate, _RATE)
        return -(-(length + _DELAY) // int(self._frame))
