"""Codecs for every kind of sound: Opus, AAC-LC, MP3 and Vorbis, in mono or stereo, by the same ffmpeg.

They run at 48 kHz, and all but Opus at 44.1 kHz too. As in `codec.ffmpeg`, a payload is taken apart and
checked before it reaches ffmpeg, which may return only as much audio as it must.
"""

from __future__ import annotations

import struct
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from codec.audio import from_pcm16, resample, to_pcm16
from codec.base import (
    FULL_BAND,
    OPUS_BAND,
    Audio,
    CodecError,
    Encoded,
    Parameters,
    channels_of,
    fit_length,
    gettext_noop,
)
from codec.ffmpeg import OPUS_20_MS, FFmpegCodec, split_headers
from codec.framing import adts_frames, last_granule, mp3_frames


class GeneralCodec(FFmpegCodec):
    """What the codecs for every kind of sound share: channels, pipes, delay, limits.

    Class attributes:
        demuxer: ffmpeg's name of the container on its way in.
        frame: samples of a packet; 0 if packets differ in length and the container knows the end.
        delay: of encoder and decoder together, in samples; 0 where the container makes ffmpeg take it out.
        least: samples that it encodes at least, with silence behind shorter recordings.
    """

    takes = FULL_BAND
    encoder_rate = decoder_rate = 48_000
    demuxer: ClassVar[str] = "ogg"
    frame: ClassVar[int]
    delay: ClassVar[int] = 0
    least: ClassVar[int] = 1

    @property
    def inner_rate(self) -> int:
        """The rate at which it encodes, Hz."""
        return self.takes.fit(self.sample_rate, 1)[0]

    @abstractmethod
    def _read(self, payload: bytes, rate: int, channels: int, length: int) -> list[bytes]:
        """Return the packets of `payload`; refuse anything but `length` samples of that format."""

    def _packets(self, payload: bytes) -> list[bytes]:
        raise NotImplementedError  # `_read` knows rate and channels, too

    def _count_bits(self, packets: list[bytes]) -> int:
        return 8 * sum(map(len, packets))

    def _frames(self, length: int) -> int:
        """Packets that bring `length` samples through the delay."""
        return -(-(length + self.delay) // self.frame)

    def _encode(self, audio: Audio) -> tuple[bytes, int, Parameters]:
        rate, channels = self.inner_rate, channels_of(audio)
        inside = resample(audio, self.sample_rate, rate)
        length = max(1, len(inside))
        padded = self._frames(length) * self.frame if self.frame and self.delay else max(length, self.least)
        command = self._encode_as(rate, channels)
        pcm = to_pcm16(fit_length(inside, padded)).astype("<i2").tobytes()
        payload = self._cut(self._run(command, pcm, length), length)
        packets = self._read(payload, rate, channels, length)
        parameters = {
            "encoder": " ".join(["ffmpeg", *command]),
            "decoder": " ".join(["ffmpeg", *self._decode_to(length)]),
            "counted": self.counted,
            **{
                name: self.ffmpeg.versions[name]
                for name in ("ffmpeg", self.library)
                if name in self.ffmpeg.versions
            },
        }
        return payload, self._count_bits(packets), parameters

    def _cut(self, payload: bytes, length: int) -> bytes:
        """`payload` without the packets that only flush the encoder."""
        return payload

    def _decode(self, encoded: Encoded) -> Audio:
        rate, channels = self.takes.fit(encoded.sample_rate, encoded.channels)
        length = max(1, round(encoded.num_samples * rate / encoded.sample_rate))
        self._read(encoded.payload, rate, channels, length)
        output = np.frombuffer(self._run(self._decode_to(length), encoded.payload, length), dtype="<i2")
        if output.size != length * channels:
            raise CodecError(
                gettext_noop(
                    "The bitstream decodes to %(decoded).3f s, not to %(seconds).3f s: it is damaged."
                ),
                decoded=output.size / channels / rate,
                seconds=encoded.seconds,
            )
        pcm = output if channels == 1 else output.reshape(-1, channels)
        return resample(from_pcm16(pcm), rate, encoded.sample_rate)

    def _encode_as(self, rate: int, channels: int) -> list[str]:
        layout = "mono" if channels == 1 else "stereo"
        return [
            *("-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"),
            *("-f", "s16le", "-ar", str(rate), "-channel_layout", layout, "-i", "pipe:0"),
            *("-c:a", self.encoder, "-b:a", str(self.bit_rate), *self.encoder_options),
            *("-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", self.muxer, "pipe:1"),
        ]

    def _decode_to(self, length: int) -> list[str]:
        """The command that decodes `length` samples behind the delay, and no more."""
        cut = f"atrim=start_sample={self.delay}:end_sample={self.delay + length}"
        return [
            *("-hide_banner", "-nostdin", "-loglevel", "error", "-xerror", "-threads", "1"),
            *("-protocol_whitelist", "pipe", "-f", self.demuxer, "-c:a", self.decoder, "-i", "pipe:0"),
            *("-af", cut, "-f", "s16le", "pipe:1"),
        ]


class FullBandOpus(GeneralCodec):
    """Opus at 48 kHz, tuned for audio, variable bit rate, 20 ms."""

    takes = OPUS_BAND
    encoder = decoder = library = "libopus"
    muxer = "ogg"
    frame = 960
    counted = "bytes of the Opus packets, without Ogg pages and headers"
    encoder_options = ("-vbr", "on", "-application", "audio", "-frame_duration", "20")

    #: Samples that the decoder skips, by the header: 6.5 ms.
    PRE_SKIP: ClassVar[int] = 312

    def _frames(self, length: int) -> int:
        return -(-(length + self.PRE_SKIP) // self.frame)

    def _read(self, payload: bytes, rate: int, channels: int, length: int) -> list[bytes]:
        head, packets = split_headers(payload, b"OpusHead", 19)
        _, revision, has, pre_skip, _, gain, mapping = struct.unpack("<8sBBHIhB", head)
        if (revision, has, pre_skip, gain, mapping) != (1, channels, self.PRE_SKIP, 0, 0):
            raise CodecError(gettext_noop("The Opus header asks for something that Earshot does not write."))
        # First byte (RFC 6716, 3.1): configuration, stereo, number of frames.
        if not all(packet and packet[0] >> 3 in OPUS_20_MS and not packet[0] & 0b11 for packet in packets):
            raise CodecError(gettext_noop("The Opus stream has a packet that is not 20 ms."))
        if len(packets) != self._frames(length):
            raise CodecError(
                gettext_noop(
                    "The bitstream has %(packets)s packets of 20 ms; %(seconds).2f s need %(needed)s."
                ),
                packets=len(packets),
                seconds=length / rate,
                needed=self._frames(length),
            )
        return packets


class Vorbis(GeneralCodec):
    """Vorbis by libvorbis, at an average bit rate."""

    encoder = decoder = library = "libvorbis"
    muxer = "ogg"
    frame = 0
    counted = "bytes of the Vorbis packets with audio, without Ogg pages and headers"
    # ffmpeg takes what the last page is short of from the beginning if that page is the first one, too.
    encoder_options = ("-page_duration", "20000")
    least = 8192

    def _read(self, payload: bytes, rate: int, channels: int, length: int) -> list[bytes]:
        head, packets = split_headers(payload, b"\x01vorbis", 30, headers=3)
        version, has, its_rate = struct.unpack_from("<IBI", head, 7)
        if (version, has, its_rate) != (0, channels, rate):
            raise CodecError(
                gettext_noop("The Vorbis header asks for something that Earshot does not write.")
            )
        if (end := last_granule(payload)) != max(length, self.least):
            raise CodecError(
                gettext_noop("The Vorbis stream ends after %(end)s samples, not after %(length)s."),
                end=end,
                length=length,
            )
        return packets


class AAC(GeneralCodec):
    """AAC-LC by ffmpeg's own encoder and decoder, at a constant bit rate, in ADTS."""

    encoder = decoder = "aac"
    library = "ffmpeg"
    muxer, demuxer = "adts", "aac"
    frame = 1024
    delay = 1024
    counted = "bytes of the AAC frames, without ADTS headers"
    encoder_options = ("-profile:a", "aac_low")

    def _cut(self, payload: bytes, length: int) -> bytes:
        return b"".join(adts_frames(payload)[: self._frames(length)])

    def _read(self, payload: bytes, rate: int, channels: int, length: int) -> list[bytes]:
        frames = adts_frames(payload, rate, channels)
        return _check_number(frames, self._frames(length), length / rate)

    def _count_bits(self, packets: list[bytes]) -> int:
        return 8 * sum(len(packet) - 7 for packet in packets)


class MP3(GeneralCodec):
    """MP3 by LAME at a constant bit rate, as a bare row of frames."""

    encoder, decoder, library = "libmp3lame", "mp3float", "libmp3lame"
    muxer = demuxer = "mp3"
    frame = 1152
    delay = 1105  # LAME's 576 and the decoder's 529
    counted = "bytes of the MP3 frames, headers included: they are part of the format"
    encoder_options = ("-write_xing", "0", "-id3v2_version", "0")

    def _frames(self, length: int) -> int:
        return max(3, super()._frames(length))  # ffmpeg does not believe in fewer

    def _cut(self, payload: bytes, length: int) -> bytes:
        frames = mp3_frames(payload, self.bit_rate)
        return b"".join(frames[: self._frames(length)])

    def _read(self, payload: bytes, rate: int, channels: int, length: int) -> list[bytes]:
        frames = mp3_frames(payload, self.bit_rate, rate, channels)
        return _check_number(frames, self._frames(length), length / rate)


def _check_number(frames: list[bytes], needed: int, seconds: float) -> list[bytes]:
    if len(frames) != needed:
        raise CodecError(
            gettext_noop("The bitstream has %(frames)s frames; %(seconds).2f s need %(needed)s."),
            frames=len(frames),
            seconds=seconds,
            needed=needed,
        )
    return frames
