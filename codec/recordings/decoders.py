"""libsndfile, and ffmpeg where libsndfile cannot: blocks of samples of a part of a file."""

from __future__ import annotations

import re
import struct
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, BinaryIO, cast

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from codec.base import AudioError, CodecUnavailable, gettext_noop
from codec.recordings.formats import NAMED
from codec.recordings.plans import Source
from codec.recordings.spans import Part, SplicedFile
from codec.tool import run_limited

Block = NDArray[np.float32]

MIN_RATE, MAX_RATE = 4_000, 384_000
MAX_CHANNELS = 64

#: What libsndfile may parse here. Its other parsers (Matlab files, sampler formats) are attack surface that
#: no listener needs.
_PARSED = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "NIST")
#: What ffmpeg may parse here, and decode.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,aac,amr,amrnb,amrwb,wav,w64,aiff,au,caf,ogg,flac,mp3,wv,"
    "mpeg"
)
_DECODERS = (
    "aac,aac_latm,alac,mp1,mp1float,mp2,mp2float,mp3,mp3float,wmav1,wmav2,wmapro,wmalossless,wmavoice,amrnb,"
    "amrwb,libopencore_amrnb,libopencore_amrwb,opus,libopus,vorbis,libvorbis,flac,speex,libspeex,ac3,eac3,"
    "wavpack,pcm_alaw,pcm_mulaw,pcm_s8,pcm_u8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,"
    "pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,g722,g726,g726le,"
    "adpcm_yamaha,gsm,gsm_ms,truespeech,qcelp,evrc,g723_1,g729,ilbc,nellymoser"
)
_MEMORY = 1 << 30
_START_SECONDS = 30.0
# Samples (frames x channels) decoded at a time, which bounds memory whatever a header declares.
_BLOCK = 1 << 18
# libsndfile's count of frames if the header does not state it.
_UNKNOWN_FRAMES = 2**62


#: What libsndfile says where its MP3 decoder finds nothing: the file is there.
_WRONG_REASONS = {"File does not exist or is not a regular file (possibly a pipe?).": "Format not recognised"}


class Undecodable(Exception):
    """A decoder that can do nothing with a file; the message is the decoder's own."""


class Decoder(ABC):
    """A part of a file as it is decoded.

    Attributes:
        rate: in Hz.
        channels: how many.
        container, encoding: the format, in short words.
        declared: samples per channel by the decoder's own reading of the headers; None: unknown.
        broken: whether it gave up before the end; known when all blocks are read.
        damaged: whether it went on after damage, likewise.
        delayed: whether the file does not say by how much its sound is late.
        tail: samples that it had decoded when it gave up, and did not hand out.
    """

    rate = channels = 0
    container = encoding = ""
    declared: int | None = None
    broken = damaged = delayed = False
    tail = 0

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """float32 of shape (samples, channels)."""

    def close(self) -> None:  # noqa: B027 -- some open nothing
        """Let go of what was opened."""

    def check(self) -> None:
        """Refuse rates and numbers of channels that are no recording's."""
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise AudioError(
                gettext_noop("The sample rate is %(rate)s Hz; %(min_rate)s to %(max_rate)s Hz can be read."),
                rate=self.rate,
                min_rate=MIN_RATE,
                max_rate=MAX_RATE,
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(
                gettext_noop("The file has %(channels)s channels; up to %(max_channels)s can be read."),
                channels=self.channels,
                max_channels=MAX_CHANNELS,
            )


def open_part(source: Source, part: Part, max_seconds: float | None) -> Decoder:
    """Begin to decode a part of a file.

    Raises:
        Undecodable: nothing here can.
        AudioError: it is of a format, a rate or a number of channels that is not taken.
    """
    kind = FFmpeg if part.foreign else LibSndFile
    decoder: Decoder = kind(source, part, max_seconds)
    try:
        decoder.check()
    except AudioError:
        decoder.close()
        raise
    return decoder


class LibSndFile(Decoder):
    def __init__(self, source: Source, part: Part, max_seconds: float | None) -> None:
        source.file.seek(0)
        try:
            if part.pieces:
                self._sound = sf.SoundFile(cast(BinaryIO, SplicedFile(source.file, part.pieces)))
            else:
                # The descriptor, not the name: that would make libsndfile believe in suffixes.
                self._sound = sf.SoundFile(source.file.fileno(), closefd=False)
        except (sf.LibsndfileError, TypeError) as error:
            reason = getattr(error, "error_string", "") or str(error)
            raise Undecodable(_WRONG_REASONS.get(reason, reason).strip().rstrip(".")) from error
        sound = self._sound
        if sound.format not in _PARSED:
            self.close()
            raise AudioError(
                gettext_noop("%(format)s files are not taken. Use one of these: %(formats)s."),
                format=sound.format,
                formats=NAMED,
            )
        self.rate, self.channels = sound.samplerate, sound.channels
        self.container, self.encoding = sound.format, sound.subtype
        self.declared = sound.frames if sound.frames < _UNKNOWN_FRAMES else None

    def blocks(self) -> Iterator[Block]:
        given = 0
        while True:
            try:
                block = self._sound.read(max(1, _BLOCK // self.channels), dtype="float32", always_2d=True)
            except sf.LibsndfileError:
                self.broken = True
                # Of the block that failed libsndfile keeps the samples before the damage to itself.
                self.tail = max(0, self._sound.tell() - given)
                return
            if not len(block):
                return
            given += len(block)
            yield block

    def close(self) -> None:
        self._sound.close()


class FFmpeg(Decoder):
    """ffmpeg on the file alone, limited in time and memory; its output is an AU file of 32-bit floats."""

    def __init__(self, source: Source, part: Part, max_seconds: float | None) -> None:
        self._stack = ExitStack()
        self._words = ""
        try:
            file = self._file(source, part)
            seconds = _START_SECONDS + (3600 if max_seconds is None else max_seconds) / 10
            self._limit = seconds
            self._run = self._stack.enter_context(
                run_limited(_arguments(max_seconds), file, seconds=seconds, memory=_MEMORY)
            )
            head = _read(self._run.output, 24)
            if len(head) == 24 and head[:4] == b".snd":
                offset, _, _, self.rate, self.channels = struct.unpack(">5I", head[4:])
                _read(self._run.output, offset - 24)
        except CodecUnavailable as error:
            self._stack.close()
            raise Undecodable(str(error)) from error
        except BaseException:
            self._stack.close()
            raise
        if not self.rate or not self.channels:
            self.close()
            self._refuse_late(0.0)
            if ": Video:" in self._words and ": Audio:" not in self._words:
                raise AudioError(gettext_noop("The file holds pictures, but no sound."))
            raise Undecodable(self._reason())

    def _file(self, source: Source, part: Part) -> BinaryIO:
        if not part.pieces:
            return source.file
        copy = self._stack.enter_context(tempfile.TemporaryFile(prefix="earshot-part-"))  # noqa: SIM115
        SplicedFile(source.file, part.pieces).copy_to(copy)
        copy.flush()
        return copy

    def blocks(self) -> Iterator[Block]:
        frame = 4 * self.channels
        size = max(1, _BLOCK // self.channels) * frame
        given = 0
        while data := _read(self._run.output, size):
            whole = len(data) // frame * frame
            given += whole // frame
            if whole:
                samples = np.frombuffer(data[:whole], dtype=">f4").reshape(-1, self.channels)
                yield samples.astype(np.float32)
        self.close()
        self._refuse_late(given / self.rate)
        self.broken = self._run.status < 0 or bool(_BROKEN.search(self._words))
        # Pictures are not decoded, which it says as an error.
        self.damaged = any(
            "[error]" in line and "whitelist" not in line and "timestamp" not in line
            for line in self._words.splitlines()
        )

    def close(self) -> None:
        self._stack.close()
        if hasattr(self, "_run") and not self._words:
            self._words = self._run.words
            self._understand()

    def _refuse_late(self, at: float) -> None:
        """Refuse a file that took too long: what it holds beyond that is not known."""
        if self._run.out_of_time:
            raise AudioError(
                gettext_noop(
                    "Decoding the recording took more than %(limit).0f s and was stopped at %(at).2f s of "
                    "it. Try again when the server has less to do, or send it as WAV or FLAC."
                ),
                limit=self._limit,
                at=at,
            )

    def _understand(self) -> None:
        container = re.search(r"Input #0, ([\w,]+), from", self._words)
        names = container[1].split(",") if container else [""]
        self.container = _CONTAINERS.get(names[0], names[0].upper())
        encoding = re.search(r"Stream #0:\d+.*?: Audio: (\w+)", self._words)
        self.encoding = encoding[1].upper() if encoding else ""
        self.delayed = not _EXACT.get(self.container, _LOSSLESS).match(self.encoding)
        length = re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", self._words)
        # Others state no length of their own: ffmpeg guesses it from the bit rate.
        if length and self.container in _CONTAINERS.values() and ": Video:" not in self._words:
            hours, minutes, seconds = map(float, length.groups())
            self.declared = round((3600 * hours + 60 * minutes + seconds) * self.rate)

    def _reason(self) -> str:
        said = [
            re.sub(r"^(\[[^\]]*\] )+", "", line).strip()
            for line in self._words.splitlines()
            if "[error]" in line or "[fatal]" in line
        ]
        return said[0].rstrip(".") if said else "ffmpeg finds no sound in it"


#: ffmpeg's names of containers that state their length, and what people call them.
_CONTAINERS = {"mov": "MP4", "matroska": "MATROSKA", "avi": "AVI", "asf": "ASF", "wv": "WAVPACK"}

#: Encodings whose delay is none, or stated by the container.
_LOSSLESS = re.compile("PCM|ADPCM|GSM|FLAC|ALAC|WAVPACK")
_EXACT = {
    "MP4": re.compile("PCM|ADPCM|FLAC|ALAC|AAC|MP3"),
    "MATROSKA": re.compile("PCM|FLAC|ALAC|WAVPACK|OPUS|VORBIS"),
    "OGG": re.compile("FLAC|OPUS|VORBIS"),
}

#: What ffmpeg says of a file that ends too early.
_BROKEN = re.compile("File ended prematurely|corrupt input packet|partial file")


def _arguments(max_seconds: float | None) -> list[str]:
    return [
        *("-hide_banner", "-nostdin", "-loglevel", "level+info", "-nostats", "-threads", "1"),
        *("-protocol_whitelist", "fd", "-format_whitelist", _DEMUXERS),
        *("-codec_whitelist", _DECODERS, "-fd", "0", "-i", "fd:"),
        *("-map", "0:a:0", "-vn", "-sn", "-dn"),
        *(() if max_seconds is None else ("-t", f"{max_seconds + 1:g}")),
        *("-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
    ]


def _read(stream: IO[bytes], count: int) -> bytes:
    """`count` bytes of a pipe, fewer only at its end."""
    found = bytearray()
    while len(found) < count and (more := stream.read(count - len(found))):
        found += more
    return bytes(found)
