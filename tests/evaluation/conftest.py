"""Recordings made on the spot, and uploads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from numpy.typing import NDArray

from codec.registry import systems_for
from evaluation.models import Clip, Rendition
from listening.site.celery import app
from listening.web.accounts import make_api_token

RATE = 16_000
#: What a clip of speech at `RATE` is put through.
SPEECH_SYSTEMS = systems_for(RATE, 1, speech=True)


def make_speech(seconds: float, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    """Voiced syllables with pauses: enough like speech for codecs and metrics, the same every time."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None) ** 0.5
    audio = 0.15 * voice * syllables + 0.002 * rng.standard_normal(time.size)
    return np.clip(audio, -1, 1).astype(np.float32)


def make_wav(audio: NDArray[Any], rate: int = RATE, subtype: str = "PCM_16", format: str = "WAV") -> bytes:
    content = io.BytesIO()
    soundfile.write(content, audio, rate, subtype=subtype, format=format)
    return content.getvalue()


def script_of(user: User) -> Client:
    """A client that holds an API token of `user` and no cookie."""
    return Client(headers={"Authorization": f"Bearer {make_api_token(user)}"})


def make_upload(content: bytes, name: str = "speech.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="audio/wav")


@pytest.fixture
def make_clip(media: Path) -> Callable[..., Clip]:
    """Make a clip with its files, without renditions."""

    def make(owner: User, audio: NDArray[Any] | None = None, *, rate: int = RATE, **fields: Any) -> Clip:
        audio = make_speech(1.0, rate) if audio is None else audio
        channels = 1 if audio.ndim == 1 else audio.shape[1]
        number = Clip.objects.count()
        clip = Clip(
            owner=owner,
            **{
                "sha256": f"{number:064}",
                "title": f"Clip {number}",
                "original_name": "speech.wav",
                "seconds": len(audio) / rate,
                "rate": rate,
                "channels": channels,
                "source_rate": rate,
                "source_channels": channels,
                "source_format": "WAV, PCM_16",
                **fields,
            },
        )
        wav = make_wav(audio, rate)
        clip.upload.save("speech.wav", ContentFile(wav), save=False)
        clip.audio.save("speech.wav", ContentFile(wav), save=False)
        clip.save()
        return clip

    return make


@pytest.fixture
def rendition(alice: User, make_clip: Callable[..., Clip]) -> Rendition:
    """Alice's clip, queued for a system that is quick."""
    return Rendition.objects.create(clip=make_clip(alice), system="anchor35")


@pytest.fixture
def eager() -> Iterator[None]:
    """Do tasks where they are sent, in place of a worker."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False
