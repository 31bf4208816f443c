"""Makes the recordings that people bring: every format, whole and as programs, pipes and accidents leave it.

What is said in them is known at any rate (`sound`), so that what is read can be compared to a fraction of a
sample. ffmpeg makes all whole files of one rate in one run; the rest are bytes moved about.
"""

from __future__ import annotations

import io
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf

from codec.framing import ogg_checksum
from codec.tool import find_ffmpeg

SECONDS = 1.2
#: At which recordings are read in the tests, Hz.
RATE = 16_000
#: ... of the test sound; below what a telephone passes.
HIGHEST = 3_000


def sound(rate: int, seconds: float = SECONDS) -> np.ndarray:
    """A noise of 160 sines in an envelope, known at every time: float64 (samples,), 0.5 at its loudest."""
    generator = np.random.default_rng(5)
    frequencies = generator.uniform(150, HIGHEST, 160)
    phases = generator.uniform(0, 2 * np.pi, 160)
    time = np.arange(round(seconds * rate)) / rate
    signal = np.zeros(time.size)
    for frequency, phase in zip(frequencies, phases, strict=True):
        signal += np.sin(2 * np.pi * frequency * time + phase)
    envelope = np.sin(np.pi * np.clip(time / seconds, 0, 1)) ** 0.5 * (
        0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)
    )
    return signal * envelope * (0.5 / 40)


def coded(samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


#: What ffmpeg makes of the sound: name -> options. A name begins with its rate in Hz.
WHOLE = {
    "16000.u8.wav": "-c:a pcm_u8", "16000.s24.wav": "-c:a pcm_s24le", "16000.s32.wav": "-c:a pcm_s32le",
    "16000.f32.wav": "-c:a pcm_f32le", "16000.f64.wav": "-c:a pcm_f64le", "16000.alaw.wav": "-c:a pcm_alaw",
    "16000.mulaw.wav": "-c:a pcm_mulaw", "16000.ms.wav": "-c:a adpcm_ms",
    "16000.ima.wav": "-c:a adpcm_ima_wav", "16000.mp3.wav": "-c:a libmp3lame -b:a 64k", "16000.w64": "",
    "16000.rf64": "-f wav -rf64 always", "16000.aiff": "", "16000.s24.aiff": "-c:a pcm_s24be",
    "16000.mulaw.aifc": "-c:a pcm_mulaw -f aiff", "16000.au": "", "16000.mulaw.au": "-c:a pcm_mulaw",
    "16000.f32.au": "-c:a pcm_f32be", "16000.caf": "", "16000.alac.caf": "-c:a alac", "16000.flac": "",
    "16000.s24.flac": "-sample_fmt s32", "16000.pages.ogg": "-c:a libvorbis -q:a 5 -page_duration 100000",
    "16000.pages.opus": "-c:a libopus -b:a 48k -page_duration 100000",
    "16000.pages.oga": "-c:a flac -page_duration 100000", "16000.small.flac": "-frame_size 1024",
    "16000.ogg": "-c:a libvorbis -q:a 5", "16000.opus": "-c:a libopus -b:a 48k", "16000.oga": "-c:a flac",
    "16000.spx": "-c:a libspeex -b:a 24k -f ogg", "16000.mp3": "-b:a 64k", "16000.vbr.mp3": "-q:a 4",
    "16000.bare.mp3": "-b:a 64k -write_xing 0 -id3v2_version 0",
    "16000.barevbr.mp3": "-q:a 4 -write_xing 0 -id3v2_version 0", "16000.mp2": "-b:a 96k",
    "16000.m4a": "-c:a aac -b:a 64k", "16000.alac.m4a": "-c:a alac", "16000.aac": "-c:a aac -b:a 64k",
    "16000.wma": "-b:a 64k", "16000.awb": "-c:a libvo_amrwbenc -b:a 23.85k -f amr", "16000.wv": "",
    "16000.mka": "-c:a libvorbis -q:a 5", "16000.webm": "-c:a libopus -b:a 48k",
    "16000.pcm.mkv": "-c:a pcm_s16le", "16000.pcm.mov": "-c:a pcm_s16le", "16000.pcm.avi": "-c:a pcm_s16le",
    "16000.f32.w64": "-c:a pcm_f32le", "16000.ms.w64": "-c:a adpcm_ms", "16000.alaw.caf": "-c:a pcm_alaw",
    "16000.ima.caf": "-c:a adpcm_ima_qt", "16000.aac.mkv": "-c:a aac -b:a 64k",
    "16000.pieces.mp4": "-c:a aac -b:a 64k -movflags frag_keyframe+empty_moov",
    "16000.mp3.mp4": "-c:a libmp3lame -b:a 64k", "16000.front.m4a": "-c:a aac -b:a 64k -movflags +faststart",
    "8000.wav": "", "8000.amr": "-c:a libopencore_amrnb -b:a 12.2k",
    "8000.3gp": "-c:a libopencore_amrnb -b:a 12.2k", "8000.flac": "", "8000.ogg": "-c:a libvorbis -q:a 5",
    "8000.mp3": "-b:a 32k", "8000.mulaw.wav": "-c:a pcm_mulaw", "8000.ima.wav": "-c:a adpcm_ima_wav",
    "8000.opus": "-c:a libopus -b:a 32k", "8000.m4a": "-c:a aac -b:a 32k", "11025.wav": "",
    "11025.mp3": "-b:a 32k", "22050.wav": "", "22050.ogg": "-c:a libvorbis -q:a 5", "22050.mp3": "-b:a 64k",
    "24000.opus": "-c:a libopus -b:a 64k", "32000.mp3": "-b:a 96k", "44100.wav": "", "44100.flac": "",
    "44100.ogg": "-c:a libvorbis -q:a 5", "44100.mp3": "-b:a 128k", "44100.vbr.mp3": "-q:a 4",
    "44100.m4a": "-c:a aac -b:a 96k", "44100.aiff": "", "44100.caf": "", "44100.wma": "-b:a 96k",
    "44100.webm": "-c:a libopus -b:a 64k", "44100.ima.wav": "-c:a adpcm_ima_wav",
    "44100.ms.wav": "-c:a adpcm_ms", "44100.stereo.wav": "-ac 2",
    "16000.stereo.ima.wav": "-ac 2 -c:a adpcm_ima_wav", "44100.stereo.mp3": "-ac 2 -b:a 128k",
    "44100.stereo.m4a": "-ac 2 -c:a aac -b:a 128k", "48000.wav": "", "48000.flac": "",
    "48000.ogg": "-c:a libvorbis -q:a 5", "48000.mp3": "-b:a 128k", "48000.opus": "-c:a libopus -b:a 64k",
    "48000.stereo.opus": "-ac 2 -c:a libopus -b:a 96k", "48000.stereo.flac": "-ac 2",
    "48000.m4a": "-c:a aac -b:a 96k", "48000.s24.wav": "-c:a pcm_s24le", "48000.mp2": "-b:a 128k",
    "48000.webm": "-c:a libopus -b:a 64k", "48000.wma": "-b:a 96k", "48000.ac3.mkv": "-c:a ac3 -b:a 128k",
    "96000.wav": "", "96000.flac": "", "192000.wav": "",
}  # fmt: skip

#: With a picture, at 48 kHz.
VIDEOS = {
    "video.mp4": "-c:v mpeg4 -c:a aac -b:a 96k", "video.mov": "-c:v mpeg4 -c:a pcm_s16le",
    "video.mkv": "-c:v mpeg4 -c:a flac", "video.webm": "-c:v libvpx -deadline realtime -c:a libopus -b:a 64k",
    "video.avi": "-c:v mpeg4 -c:a mp3 -b:a 128k", "video.wmv": "-c:v wmv2 -c:a wmav2 -b:a 96k",
    "video.mpg": "-c:v mpeg1video -c:a mp2 -b:a 128k",
    "video.ogv": "-c:v libtheora -c:a libvorbis -q:a 5 -f ogg",
}  # fmt: skip
#: As written to a pipe.
PIPED = ("wav", "flac", "w64", "aiff", "au", "caf", "rf64")


@dataclass
class Kit:
    """The whole files, by name, that the others are made of."""

    files: dict[str, bytes] = field(default_factory=dict)

    def __getitem__(self, name: str) -> bytes:
        return self.files[name]


def make_whole(folder: Path) -> Kit:
    """Run ffmpeg: once a rate, and once for videos and pipes each."""
    kit = Kit()
    for rate in sorted({int(name.split(".")[0]) for name in WHOLE}):
        kit.files[f"{rate}.source"] = coded(sound(rate), rate)
        (folder / f"{rate}.source").write_bytes(kit.files[f"{rate}.source"])
        names = {name: options for name, options in WHOLE.items() if name.startswith(f"{rate}.")}
        run(folder, ["-i", f"{rate}.source"], names)
        for name in names:
            kit.files[name] = (folder / name).read_bytes()
    picture = ["-f", "lavfi", "-i", f"color=gray:s=64x48:r=25:d={SECONDS}", "-i", "48000.source"]
    run(folder, picture, VIDEOS)
    for name in VIDEOS:
        kit.files[name] = (folder / name).read_bytes()
    for kind in PIPED:
        options = ["-f", "wav", "-rf64", "always"] if kind == "rf64" else ["-f", kind]
        command = [str(find_ffmpeg().path), "-v", "error", "-i", "16000.source", *options, "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=600)
        kit.files[f"pipe.{kind}"] = done.stdout
    return kit


def run(folder: Path, source: list[str], outputs: dict[str, str]) -> None:
    command = [str(find_ffmpeg().path), "-v", "error", "-y", *source]
    for name, options in outputs.items():
        command += [*options.split(), name]
    subprocess.run(command, cwd=folder, check=True, timeout=600)


# -- Accidents


def flipped(data: bytes, position: int, *values: int) -> bytes:
    return data[:position] + bytes(values) + data[position + len(values) :]


def data_at(wav: bytes) -> int:
    """Where the samples of a WAV file begin."""
    return wav.index(b"data") + 8


def sized(wav: bytes, size: int) -> bytes:
    """A WAV file whose data chunk claims `size` bytes."""
    at = data_at(wav)
    return wav[: at - 4] + struct.pack("<I", size) + wav[at:]


def with_fact(wav: bytes, frames: int) -> bytes:
    at = wav.index(b"fact") + 8
    return wav[:at] + struct.pack("<I", frames) + wav[at + 4 :]


def ogg_pages(data: bytes) -> list[bytes]:
    pages = []
    while data:
        count = data[26]
        size = 27 + count + sum(data[27 : 27 + count])
        pages.append(data[:size])
        data = data[size:]
    return pages


def resealed(page: bytes) -> bytes:
    return page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]


def without_end(data: bytes) -> bytes:
    """An Ogg file whose last page is not marked as the last."""
    *pages, last = ogg_pages(data)
    return b"".join([*pages, resealed(flipped(last, 5, last[5] & ~4))])


def xing(mp3: bytes, frames: int) -> bytes:
    """An MP3 whose tag claims so many frames."""
    at = mp3.index(b"Info") if b"Info" in mp3 else mp3.index(b"Xing")
    return mp3[: at + 8] + struct.pack(">I", frames) + mp3[at + 12 :]


def xing_frames(mp3: bytes) -> int:
    at = mp3.index(b"Info") if b"Info" in mp3 else mp3.index(b"Xing")
    return int(struct.unpack(">I", mp3[at + 8 : at + 12])[0])


# -- Comparing


def lag_and_gain(read: np.ndarray, expected: np.ndarray, reach: int = 3000) -> tuple[float, float, float]:
    """Of two signals: how late `read` is in samples, to a hundredth; its gain in dB; their correlation."""
    size = 1 << int(np.ceil(np.log2(read.size + expected.size + 2 * reach)))
    cross = np.fft.irfft(np.fft.rfft(read, size) * np.conj(np.fft.rfft(expected, size)))
    lags = np.arange(-reach, reach + 1)
    values = cross[lags]
    best = int(np.argmax(values))
    power = float(expected @ expected)
    if 0 < best < len(lags) - 1:
        before, here, after = values[best - 1 : best + 2]
        step = 0.5 * (before - after) / (before - 2 * here + after)
    else:
        step, here = 0.0, values[best]
    lag = int(lags[best])
    shifted = read[max(0, lag) :][: expected.size] if lag >= 0 else read[: expected.size + lag]
    other = expected[max(0, -lag) :][: shifted.size]
    shifted = shifted[: other.size]
    correlation = float(shifted @ other) / max(1e-12, float(np.sqrt((shifted @ shifted) * (other @ other))))
    gain = 10 * np.log10(max(1e-12, float(shifted @ shifted)) / max(1e-12, float(other @ other)))
    return lag + float(step), gain, correlation if power else 0.0
