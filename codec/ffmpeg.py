"""Opus, Speex, AMR-WB and AMR-NB by the libraries inside a static ffmpeg, run as a subprocess.

The payload is the file that ffmpeg writes (Ogg or AMR), which any player can open; only what a receiver needs
of it counts as payload bits. Before a payload reaches ffmpeg, `codec.framing` takes it apart and checks it
against the length it must have: ffmpeg sees only streams of the expected shape, for a bounded time, and can
return only a bounded amount of audio.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from codec.audio import advance, from_pcm16, resample, resampled_length, to_pcm16
from codec.base import WORKING_RATE, Audio, Codec, CodecError, Encoded, Parameters, fit_length, gettext_noop
from codec.framing import amr_frames, ogg_packets
from codec.programs import run_program
from codec.tool import WHEEL, find_ffmpeg

_FRAME_SECONDS = 0.02  # all four codecs run at 20 ms


class FFmpegCodec(Codec):
    """What the four codecs share: pipes, padding, delay, limits.

    Class attributes:
        encoder, decoder: ffmpeg's names, always given, because its defaults are other implementations.
        muxer: container of the payload.
        library: as named in the readme of the static build.
        encoder_rate, decoder_rate: in Hz.
        delay: of encoder and decoder together, in whole samples at `encoder_rate`.
        rest: by bit rate, how much later than that speech comes out, in samples at `encoder_rate`: by
            correlation over many voices, as the filters inside delay some frequencies more than others.
        trimmed: whether the container makes ffmpeg remove the delay by itself.
        counted: what `payload_bits` counts, in words.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    muxer: ClassVar[str]
    library: ClassVar[str]
    encoder_rate: ClassVar[int]
    decoder_rate: ClassVar[int]
    delay: ClassVar[int]
    rest: ClassVar[Mapping[int, float]] = {}
    trimmed: ClassVar[bool] = False
    counted: ClassVar[str]
    encoder_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, bit_rate: int) -> None:
        """Make a codec for a nominal `bit_rate` in bit/s.

        Raises:
            CodecUnavailable: if ffmpeg is missing here.
        """
        super().__init__(slug, sample_rate)
        self.bit_rate = bit_rate
        self.ffmpeg = find_ffmpeg()

    @abstractmethod
    def _packets(self, payload: bytes) -> list[bytes]:
        """Take `payload` apart, check it, and return one packet per 20 ms."""

    @abstractmethod
    def _count_bits(self, packets: list[bytes]) -> int:
        """The bits of `packets` that a receiver needs."""

    def _trim(self, payload: bytes, frames: int) -> bytes:
        """Remove what ffmpeg appended after the first `frames` packets."""
        return payload

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        length = self._inner_length(audio.size, self.sample_rate)
        frames = self._frames(length)
        # Enough whole frames to get the last sample through the delay. Where the container does the trimming,
        # ffmpeg appends what is needed and records the true length.
        padded = length if self.trimmed else round(frames * _FRAME_SECONDS * self.encoder_rate)
        pcm = to_pcm16(fit_length(resample(audio, self.sample_rate, self.encoder_rate), padded))
        command = self._encoder_command()
        payload = self._trim(self._run(command, pcm.astype("<i2").tobytes(), length), frames)
        packets = self._packets(payload)
        if len(packets) != frames:
            raise CodecError(
                gettext_noop("%(library)s wrote %(packets)s packets instead of %(frames)s."),
                library=self.library,
                packets=len(packets),
                frames=frames,
            )
        parameters = {
            "encoder": " ".join(["ffmpeg", *command]),
            "decoder": " ".join(["ffmpeg", *self._decoder_command()]),
            "counted": self.counted,
            **{
                name: self.ffmpeg.versions[name]
                for name in ("ffmpeg", WHEEL, self.library, self.decoder.replace("_", "-"))
                if name in self.ffmpeg.versions
            },
        }
        return payload, self._count_bits(packets), parameters

    def _decode(self, encoded: Encoded) -> Audio:
        length = self._inner_length(encoded.num_samples, encoded.sample_rate)
        frames = self._frames(length)
        packets = self._packets(encoded.payload)
        if len(packets) != frames:
            raise CodecError(
                gettext_noop(
                    "The bitstream has %(packets)s packets of 20 ms; %(seconds).2f s need %(frames)s."
                ),
                packets=len(packets),
                seconds=encoded.seconds,
                frames=frames,
            )
        output = self._run(self._decoder_command(), encoded.payload, length)
        ratio = self.decoder_rate // self.encoder_rate
        start = 0 if self.trimmed else self.delay * ratio
        end = start + length * ratio
        if len(output) < 2 * end:
            raise CodecError(
                gettext_noop(
                    "The bitstream decodes to %(decoded).2f s, too short for %(seconds).2f s: it is damaged."
                ),
                decoded=len(output) / 2 / self.decoder_rate,
                seconds=encoded.seconds,
            )
        samples = from_pcm16(np.frombuffer(output, dtype="<i2"))
        samples = advance(samples, ratio * self.rest.get(self.bit_rate, 0.0))[start:end]
        return resample(samples, self.decoder_rate, encoded.sample_rate)

    def _inner_length(self, num_samples: int, sample_rate: int) -> int:
        """Samples at the encoder's rate for `num_samples` at `sample_rate`, at least one."""
        return max(1, resampled_length(num_samples, sample_rate, self.encoder_rate))

    def _frames(self, length: int) -> int:
        """Packets of 20 ms for `length` samples at the encoder's rate."""
        frame = round(_FRAME_SECONDS * self.encoder_rate)
        return -(-(length + self.delay) // frame)

    def _encoder_command(self) -> list[str]:
        return [
            *("-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"),
            *("-f", "s16le", "-ar", str(self.encoder_rate), "-channel_layout", "mono", "-i", "pipe:0"),
            *("-c:a", self.encoder, "-b:a", str(self.bit_rate), *self.encoder_options),
            # No random stream numbers, so that the same audio gives the same file.
            *("-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", self.muxer, "pipe:1"),
        ]

    def _decoder_command(self) -> list[str]:
        return [
            *("-hide_banner", "-nostdin", "-loglevel", "error", "-xerror", "-threads", "1"),
            *("-protocol_whitelist", "pipe", "-f", self.muxer, "-c:a", self.decoder, "-i", "pipe:0"),
            *("-f", "s16le", "pipe:1"),
        ]

    def _run(self, command: list[str], data: bytes, length: int) -> bytes:
        """Run ffmpeg on `data`, within a time that depends on `length`, in samples at the encoder's rate."""
        seconds = length / self.encoder_rate
        return run_program([self.ffmpeg.path, *command], data, seconds, f"ffmpeg with {self.library}")


class Opus(FFmpegCodec):
    """Opus at 16 kHz, tuned for voice, variable bit rate, 20 ms."""

    encoder = decoder = library = "libopus"
    muxer = "ogg"
    encoder_rate, decoder_rate = 16_000, 48_000
    delay = 104  # 6.5 ms: the pre-skip of 312 samples at 48 kHz
    rest = {6000: 0.55, 9000: -0.75, 12_000: -0.75}  # its high-pass filter; at 6k also another rate inside
    trimmed = True
    counted = "bytes of the Opus packets, without Ogg pages and headers"
    encoder_options = ("-vbr", "on", "-application", "voip", "-frame_duration", "20")

    def _packets(self, payload: bytes) -> list[bytes]:
        head, packets = split_headers(payload, b"OpusHead", 19)
        _, revision, channels, pre_skip, _, gain, mapping = struct.unpack("<8sBBHIhB", head)
        if (revision, channels, pre_skip, gain, mapping) != (1, 1, 3 * self.delay, 0, 0):
            raise CodecError(gettext_noop("The Opus header asks for something that Earshot does not write."))
        # First byte (RFC 6716, 3.1): configuration, stereo, number of frames.
        if not all(packet and packet[0] >> 3 in OPUS_20_MS and not packet[0] & 0b111 for packet in packets):
            raise CodecError(gettext_noop("The Opus stream has a packet that is not 20 ms of mono."))
        return packets

    def _count_bits(self, packets: list[bytes]) -> int:
        return 8 * sum(map(len, packets))


# Configurations of 20 ms: SILK narrow, medium and wide band, hybrid, CELT in four bandwidths.
OPUS_20_MS = frozenset({1, 5, 9, 13, 15, 19, 23, 27, 31})


class Speex(FFmpegCodec):
    """Speex narrow-band at a constant bit rate, the open codec of the CELP family that is packaged."""

    encoder = decoder = "libspeex"
    library = "libspeex"
    muxer = "ogg"
    encoder_rate = decoder_rate = 8_000
    delay = 80  # 10 ms
    rest = {3950: -0.33, 8000: -0.3}
    counted = "bytes of the Speex packets (frames padded to whole bytes), without Ogg pages and headers"

    #: Bits of a 20 ms frame at each constant bit rate.
    FRAME_BITS: ClassVar[dict[int, int]] = {
        2150: 43, 3950: 79, 5950: 119, 8000: 160, 11000: 220, 15000: 300, 18200: 364, 24600: 492,
    }  # fmt: skip

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, bit_rate: int) -> None:
        """Make a codec for one of the bit rates in `FRAME_BITS`. Raises as `FFmpegCodec`."""
        _check_bit_rate("Speex", bit_rate, self.FRAME_BITS)
        super().__init__(slug, sample_rate, bit_rate=bit_rate)

    def _packets(self, payload: bytes) -> list[bytes]:
        head, packets = split_headers(payload, b"Speex   ", 80)
        rate, mode, _, channels, _, frame_size, vbr, per_packet, extra = struct.unpack_from("<9i", head, 36)
        if (rate, mode, channels, frame_size, vbr, extra) != (8000, 0, 1, 160, 0, 0) or per_packet > 1:
            raise CodecError(gettext_noop("The Speex header asks for something that Earshot does not write."))
        size = -(-self.FRAME_BITS[self.bit_rate] // 8)
        if any(len(packet) != size for packet in packets):
            raise CodecError(
                gettext_noop("The Speex stream has a packet that is not %(size)s bytes long."), size=size
            )
        return packets

    def _count_bits(self, packets: list[bytes]) -> int:
        return 8 * sum(map(len, packets))


class _AMR(FFmpegCodec):
    """AMR: frames of a fixed number of bits, one mode throughout.

    Only speech bits are counted, as if frames were packed without gaps (RFC 4867, bandwidth-efficient mode):
    6.60 kbit/s for AMR-WB and 4.75 for AMR-NB. Whole bytes with a header byte per frame, as in the file,
    would be 7.20 and 5.20.
    """

    muxer = "amr"
    counted = (
        "speech bits of the AMR frames (the mode is agreed once), without the header byte and the padding "
        "that each frame has in a file"
    )
    magic: ClassVar[bytes]
    #: Frame type and speech bits of a 20 ms frame at each bit rate.
    MODES: ClassVar[dict[int, tuple[int, int]]]

    def __init__(self, slug: str, sample_rate: int = WORKING_RATE, *, bit_rate: int) -> None:
        """Make a codec for one of the bit rates in `MODES`. Raises as `FFmpegCodec`."""
        _check_bit_rate("AMR", bit_rate, self.MODES)
        super().__init__(slug, sample_rate, bit_rate=bit_rate)

    def _packets(self, payload: bytes) -> list[bytes]:
        return amr_frames(payload, self.magic, *self.MODES[self.bit_rate])

    def _count_bits(self, packets: list[bytes]) -> int:
        return len(packets) * self.MODES[self.bit_rate][1]

    def _trim(self, payload: bytes, frames: int) -> bytes:
        size = 1 + (self.MODES[self.bit_rate][1] + 7) // 8
        return payload[: len(self.magic) + frames * size]


class AMRWB(_AMR):
    """AMR-WB: VisualOn's encoder, OpenCORE's decoder."""

    encoder, decoder = "libvo_amrwbenc", "libopencore_amrwb"
    library = "libvo-amrwbenc"
    encoder_rate = decoder_rate = 16_000
    delay = 95  # 5 ms of look-ahead and 15 samples of resampling to 12.8 kHz and back
    rest = {6600: -0.75, 8850: -0.15}
    magic = b"#!AMR-WB\n"
    MODES = {
        6600: (0, 132), 8850: (1, 177), 12650: (2, 253), 14250: (3, 285), 15850: (4, 317),
        18250: (5, 365), 19850: (6, 397), 23050: (7, 461), 23850: (8, 477),
    }  # fmt: skip


class AMRNB(_AMR):
    """AMR-NB by OpenCORE, both encoder and decoder; ffmpeg's own decoder scores lower."""

    encoder = decoder = "libopencore_amrnb"
    library = "libopencore-amrnb"
    encoder_rate = decoder_rate = 8_000
    delay = 40  # 5 ms of look-ahead
    rest = {4750: -0.25}
    magic = b"#!AMR\n"
    MODES = {
        4750: (0, 95), 5150: (1, 103), 5900: (2, 118), 6700: (3, 134),
        7400: (4, 148), 7950: (5, 159), 10200: (6, 204), 12200: (7, 244),
    }  # fmt: skip


def split_headers(payload: bytes, magic: bytes, size: int, headers: int = 2) -> tuple[bytes, list[bytes]]:
    """Split an Ogg payload into its first header of `size` bytes and its packets of audio.

    The other `headers` hold comments and, of Vorbis, the codebooks.
    """
    packets = ogg_packets(payload)
    if len(packets) < headers or not packets[0].startswith(magic) or len(packets[0]) != size:
        raise CodecError(gettext_noop("The bitstream has no %(kind)s header."), kind=magic.decode().strip())
    return packets[0], packets[headers:]


def _check_bit_rate(name: str, bit_rate: int, known: dict[int, Any]) -> None:
    if bit_rate not in known:
        raise CodecError(
            gettext_noop("%(name)s has no mode with %(bit_rate)s bit/s. Known: %(known)s."),
            name=name,
            bit_rate=bit_rate,
            known=", ".join(map(str, known)),
        )
