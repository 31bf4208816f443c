"""What holds for every system, and the tutorial that adds one."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codec.base import CodecError, CodecUnavailable
from codec.container import dumps, loads
from codec.registry import SYSTEMS, System, load
from tests.codec.speech import harvard_sentence
from tests.conftest import ROOT

#: BPGAN has tests of its own: its search takes seconds for each clip. Of the codecs for every kind of sound
#: one of a kind is here; tests/codec/test_general.py has them all.
_GENERAL = {system.target: slug for slug, system in SYSTEMS.items() if system.general}
systems = pytest.mark.parametrize(
    "slug",
    [
        slug
        for slug, system in SYSTEMS.items()
        if "bpgan" not in system.target and (not system.general or slug in _GENERAL.values())
    ],
)


def test_slugs() -> None:
    """They are in databases, bitstreams and papers: none may change or vanish."""
    assert set(SYSTEMS) >= {
        *("original", "anchor35", "anchor70", "opus-6k", "opus-9k", "opus-12k", "celp-8k", "celp-4k"),
        *("amrwb-6.6k", "amrwb-8.85k", "amrnb-4.75k", "codec2-2.4k", "codec2-3.2k"),
        *("unified-gan-2k", "bpgan-2k"),
    }
    assert all(slug == system.slug for slug, system in SYSTEMS.items())


def test_listing_imports_no_codec() -> None:
    heavy = {"torch", "soundfile", "scipy", "pycodec2"}
    script = f"import sys, codec.registry; print({heavy} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_unknown_system_is_named_with_the_known_ones() -> None:
    with pytest.raises(CodecError, match=r"no system 'opus-7k'.*opus-6k"):
        load("opus-7k")


def test_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEMS, "lost", System("lost", "Lost", "x", 1.0, "codec.not_there:Lost"))
    with pytest.raises(
        CodecUnavailable, match=r"Lost is not available here: No module named 'codec\.not_there'"
    ):
        load("lost")


@systems
def test_speech_comes_back_in_place(slug: str) -> None:
    """Through the container, with length, range, a plausible rate and about the same level."""
    system = load(slug)
    speech = harvard_sentence(0)
    encoded = system.encode(speech)
    decoded = system.decode(loads(dumps(encoded)))
    assert decoded.dtype == np.float32
    assert decoded.shape == speech.shape
    assert np.abs(decoded).max() <= 1
    # At a variable rate a sentence in mono may cost more than music does on average.
    assert encoded.kbps <= (1.3 if SYSTEMS[slug].general else 1.1) * SYSTEMS[slug].nominal_kbps
    level = 10 * np.log10(np.mean(decoded**2) / np.mean(speech**2))
    assert abs(level) < 6
    # Loudness over 40 ms follows the original's: something intelligible is at the right place.
    before, after = (np.sqrt(np.convolve(x**2, np.ones(640) / 640, mode="same")) for x in (speech, decoded))
    assert np.corrcoef(before, after)[0, 1] > 0.9


@systems
@pytest.mark.parametrize("size", [1, 100, 4000])
def test_short_clips_and_silence(slug: str, size: int) -> None:
    system = load(slug)
    decoded = system.decode(system.encode(np.zeros(size, dtype=np.float32)))
    assert decoded.shape == (size,)
    assert np.abs(decoded).max() < 0.01


@systems
def test_full_scale_square_wave(slug: str) -> None:
    system = load(slug)
    square = np.where(np.arange(8000) // 40 % 2, 1.0, -1.0).astype(np.float32)
    decoded = system.decode(system.encode(square))
    assert decoded.shape == square.shape
    assert np.isfinite(decoded).all()


@systems
def test_damaged_payloads_and_lies(slug: str) -> None:
    system = load(slug)
    encoded = system.encode(harvard_sentence(0)[:8000])
    with pytest.raises(CodecError, match="was written by"):
        system.decode(replace(encoded, system="another"))
    for damaged in (
        replace(encoded, payload=b""),
        replace(encoded, payload=encoded.payload[: len(encoded.payload) // 2]),
        replace(encoded, num_samples=2**40),
        replace(encoded, channels=2),
    ):
        with pytest.raises(CodecError):
            system.decode(damaged)


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec in docs/adding-a-codec.md works as it stands there."""
    page = (ROOT / "docs" / "adding-a-codec.md").read_text(encoding="utf-8")
    module, line = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    class_body = module[module.index("class ") :].strip().splitlines()
    assert len(class_body) <= 20
    (tmp_path / "mulaw.py").write_text(module, encoding="utf-8")
    # The page puts the module into the package; a test must not write there.
    monkeypatch.syspath_prepend(tmp_path)
    assert line.count("codec.mulaw:MuLaw") == 1
    (system,) = eval("(" + line.replace("codec.mulaw:", "mulaw:") + ")", {"System": System})  # noqa: S307
    monkeypatch.setitem(SYSTEMS, system.slug, system)
    codec = load(system.slug)
    try:
        speech = harvard_sentence(0)
        encoded = codec.encode(speech)
        decoded = codec.decode(loads(dumps(encoded)))
        assert encoded.kbps == system.nominal_kbps
        noise = np.mean((decoded - speech) ** 2) / np.mean(speech**2)
        assert 10 * np.log10(noise) < -30
        with pytest.raises(CodecError, match="one byte for each sample"):
            codec.decode(replace(encoded, payload=encoded.payload[:-1]))
    finally:
        load.cache_clear()
