"""A second decoder of symbols, by what docs/bitstream.md says: numpy, float64, and nothing of the codec."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file

FOLDER = Path(__file__).parent / "golden"
Array = NDArray[np.float64]


def convolution(x: Array, weight: Array, bias: Array, padding: int) -> Array:
    wide = np.pad(x, ((0, 0), (padding, padding)))
    frames = x.shape[1]
    return bias[:, None] + sum(weight[:, :, u] @ wide[:, u : u + frames] for u in range(weight.shape[2]))


def transposed(x: Array, weight: Array, bias: Array, stride: int) -> Array:
    frames, padding = x.shape[1], stride // 2
    y = np.repeat(bias[:, None], stride * frames, axis=1)
    for before in range(frames):
        for u in range(weight.shape[2]):
            t = stride * before + u - padding
            if 0 <= t < stride * frames:
                y[:, t] += weight[:, :, u].T @ x[:, before]
    return y


def block(x: Array, of: dict[str, Array]) -> Array:
    wide = np.pad(x, ((0, 0), (3, 3)))
    y = of["depthwise.bias"][:, None] + sum(
        of["depthwise.weight"][:, :, u] * wide[:, u : u + x.shape[1]] for u in range(7)
    )
    y = (y - y.mean(axis=0)) / np.sqrt(y.var(axis=0) + 1e-5)
    y = y * of["norm.weight"][:, None] + of["norm.bias"][:, None]
    y = of["up.weight"] @ y + of["up.bias"][:, None]
    y = y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
    return x + of["down.weight"] @ y + of["down.bias"][:, None]


def generate(z: Array, tensors: dict[str, Array], blocks: list[int], stride: int) -> Array:
    for i in range(sum(blocks) + 3):
        prefix = f"generator.layers.{i}."
        of = {name.removeprefix(prefix): a for name, a in tensors.items() if name.startswith(prefix)}
        if i == blocks[0] + 1:
            z = transposed(z, of["weight"], of["bias"], stride)
        elif i in (0, sum(blocks) + 2):
            z = convolution(z, of["weight"], of["bias"], 0 if i else 3)
        else:
            z = block(z, of)
    return z


def triangles(bands: int) -> Array:
    edges = np.linspace(0, 15 + 27 * math.log(8) / math.log(6.4), bands + 2)
    e = [m * 200 / 3 if m < 15 else 1000 * math.exp((m - 15) * math.log(6.4) / 27) for m in edges]
    filters = np.zeros((bands, 257))
    for b in range(bands):
        for k in range(257):
            f = k * 16_000 / 512
            rising, falling = (f - e[b]) / (e[b + 1] - e[b]), (e[b + 2] - f) / (e[b + 2] - e[b + 1])
            filters[b, k] = 2 / (e[b + 2] - e[b]) * max(0.0, min(rising, falling))
    return filters.astype(np.float32).astype(np.float64)


def linear(mel_power: Array, iterations: int) -> Array:
    a = triangles(len(mel_power))
    s = a.T @ (mel_power / np.maximum((a**2).sum(axis=1), 1e-12)[:, None]) + 1e-8
    for _ in range(iterations):
        s = s * (a.T @ mel_power) / np.maximum(a.T @ (a @ s), 1e-12)
    return s


def blurred(x: Array, axis: int, sigma: float = 2.0) -> Array:
    weights = np.exp(-(np.arange(-8, 9) ** 2) / (2 * sigma**2))
    wide = np.pad(x, [(8, 8) if a == axis else (0, 0) for a in range(2)], mode="edge")
    parts = [w * np.take(wide, np.arange(x.shape[axis]) + i, axis) for i, w in enumerate(weights)]
    return np.sum(parts, axis=0) / weights.sum()


def network(x: Array, tensors: dict[str, Array], name: str, blocks: int) -> Array:
    x = convolution(x, tensors[f"{name}.layers.0.weight"], tensors[f"{name}.layers.0.bias"], 3)
    for i in range(1, blocks + 1):
        prefix = f"{name}.layers.{i}."
        x = block(x, {n.removeprefix(prefix): a for n, a in tensors.items() if n.startswith(prefix)})
    last = f"{name}.layers.{blocks + 1}."
    return convolution(x, tensors[last + "weight"], tensors[last + "bias"], 0)


def hold(z: Array, frames: int) -> Array:
    return z[:, np.arange(frames) * z.shape[1] // frames]


def network_change(m: Array, z: Array, tensors: dict[str, Array], config: dict[str, Any]) -> Array:
    frames, rows = m.shape[1], config["noise"]
    noise = [[math.cos(first_phase(k, f, rows)) for f in range(frames)] for k in range(rows)]
    shown = [m, np.array(noise), *([hold(z, frames)] if config["latent"] else [])]
    return 4 * np.tanh(network(np.concatenate(shown), tensors, "spectrum", config["blocks"]) / 4)


def first_phase(k: int, f: int, rows: int = 257) -> float:
    x = k + rows * (f % 1024)
    x = (x ^ x >> 16) * 0x7FEB352D % 2**32
    x = (x ^ x >> 15) * 0x846CA68B % 2**32
    return 2 * math.pi * (x ^ x >> 16) / 2**32


def with_noise(q: Array, first: int) -> Array:
    q, rows, frames = q.copy(), 257 - first, q.shape[1]
    for f in range(frames):
        below = q[first - 32 : first, f].mean()
        for j in range(rows):
            chance = max(1e-4, first_phase(j, f, rows) / (2 * math.pi))
            q[first + j, f] = max(q[first + j, f], -(10 ** (-0.3 * j / 32)) * math.log(chance) * below)
    return q


def griffin_lim(r: Array) -> Array:
    frames = r.shape[1]
    w = np.sin(np.pi * np.arange(512) / 512) ** 2

    def overlap_add(parts: Array) -> Array:
        out = np.zeros(128 * (frames - 1) + 512)
        for f in range(frames):
            out[128 * f : 128 * f + 512] += parts[:, f]
        return out[256 : 256 + 128 * frames]

    squares = np.maximum(overlap_add(np.repeat(w[:, None] ** 2, frames, axis=1)), 1e-3)

    def inverse(x: NDArray[np.complex128]) -> Array:
        ends = x[[0, 256]].real
        whole = np.concatenate([ends[:1], x[1:256], ends[1:], x[255:0:-1].conj()])
        return overlap_add(w[:, None] * np.fft.ifft(whole, axis=0).real) / squares

    def forward(audio: Array) -> NDArray[np.complex128]:
        wide = np.pad(audio, (256, 256))
        parts = np.stack([w * wide[128 * f : 128 * f + 512] for f in range(frames)], axis=1)
        return np.fft.fft(parts, axis=0)[:257]

    x = r * np.exp(1j * np.array([[first_phase(k, f) for f in range(frames)] for k in range(257)]))
    y = np.zeros_like(x)
    for _ in range(32):
        z = forward(inverse(x))
        v, y = z + 0.9 * (z - y), z
        x = r * v / np.maximum(np.maximum(abs(v), r / 2), 1e-8)
    return inverse(x)


@pytest.mark.parametrize("name", ["range", "layer-0", "layer-1", "released"])
def test_audio_is_what_the_document_says(name: str) -> None:
    path = FOLDER / "tiny.safetensors"
    if name == "released":
        path = FOLDER.parents[3] / "codec/bpgan/weights/default.safetensors"
        name += "-" + hashlib.sha256(path.read_bytes()).hexdigest()[:4]
    with safe_open(path, "np") as opened:
        config = json.loads(opened.metadata()["config"])
    tensors = {key: array.astype(np.float64) for key, array in load_file(path).items()}
    entry = json.loads((FOLDER / f"{name}.json").read_text())
    symbols = np.frombuffer(bytes.fromhex(entry["symbols"]), np.uint8).reshape(-1, entry["channels"]).T
    centres = tensors["quantizer.centres"]
    sizes = {"generator_blocks": [5, 2], **config["network"]}
    z = np.zeros((config["latent"]["channels"], symbols.shape[1]))
    for j, row in enumerate(symbols):
        z[j] = centres[j if len(centres) > 1 else 0][row]
    m = generate(z, tensors, sizes["generator_blocks"], config["latent"]["stride"])
    if blocks := config.get("refiner", {}).get("blocks", 0):
        m = m + network(np.concatenate([m, hold(z, m.shape[1])]), tensors, "refiner", blocks)
    amounts = {"bands": 0.0, "kept": 0.0, "frames": 0.0, **config.get("postfilter", {})}
    floor = config["mel"]["floor"]
    sharp = m + amounts["bands"] * (m - blurred(m, 0))
    if sigma := amounts["kept"]:
        regions = [blurred(np.maximum(0, np.exp(4 * x - 5) - floor), 0, sigma) for x in (m, sharp)]
        before, after = ((np.log(x + floor) + 5) / 4 for x in regions)
        sharp = sharp + before - after
    sharp = sharp + amounts["frames"] * (m - blurred(m, 1))
    power = np.maximum(0, np.exp(4 * sharp - 5) - floor)
    level = bytes.fromhex(entry["payload"])[4] >> 5 | (bytes.fromhex(entry["payload"])[3] & 15) << 3
    gain = 10 ** ((-90 + 0.75 * level) / 20) / config["mel"]["level"]
    spectrum = {"blocks": 0, "noise": 16, "latent": False, "strength": 1.0, **config.get("spectrum", {})}
    if spectrum["blocks"] and spectrum["strength"]:
        change = spectrum["strength"] * network_change(m, z, tensors, spectrum)
        log_power = np.maximum(math.log(1e-4), np.log(linear(power, 10) + 1e-4) + change)
        s = np.maximum(0, np.exp(log_power) - 1e-4)
    else:
        s = linear(power, 60)
    if top := config.get("postfilter", {}).get("top", 0):
        s = with_noise(s, round(top * 512 / 16_000))
    audio = np.clip(griffin_lim(np.sqrt(s)) * gain, -1, 1)[: entry["samples"]]
    expected, _ = sf.read(FOLDER / f"{name}.wav")
    assert np.abs(expected).max() > 0.02
    np.testing.assert_allclose(audio, expected, rtol=0, atol=1e-3)
