"""Make the golden files: ``python -m tests.codec.bpgan.make_golden [tiny|released]``.

``tiny`` trains a model of a few kilobytes on the bundled sentences and writes streams of every form with
it. It is not to be run again unless the format itself changes: what was written once must be readable for
ever. ``released`` adds one stream of the model that is in the repository.
"""

from __future__ import annotations

import binascii
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from codec.audio import write_wav
from codec.base import Audio
from codec.bpgan import system
from codec.bpgan.config import LatentConfig, MelConfig, ModelConfig, NetworkConfig, Rate
from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.bitstream import Stream, unpack
from codec.bpgan.network.mel import active_level
from codec.bpgan.network.model import BPGANModel
from tests.codec.speech import SENTENCES, harvard_sentence

FOLDER = Path(__file__).parent / "golden"

CONFIG = ModelConfig(
    name="tiny",
    mel=MelConfig(bands=24),
    latent=LatentConfig(channels=6, stride=4, levels=8, layers=(2, 4, 6)),
    network=NetworkConfig(
        encoder_width=8, encoder_blocks=(1, 1), generator_width=16, generator_blocks=(1, 1), expansion=2
    ),
)


def make_models() -> None:
    """Train on crops of the sentences: float, then with levels. A toy, but its symbols are of speech.

    The same weights twice: ``tables`` has the contexts that the first released model had.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = BPGANModel(CONFIG)
    mels = []
    for index in range(SENTENCES):
        audio = harvard_sentence(index)
        audio = audio[: audio.size // CONFIG.block * CONFIG.block]
        mels.append(model.mel(torch.from_numpy(audio * np.float32(0.08 / active_level(audio)))[None]))
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    rng = np.random.default_rng(0)
    for step in range(900):
        crops = []
        for index in rng.integers(0, SENTENCES, 8):
            start = int(rng.integers(0, mels[index].shape[2] - 64))
            crops.append(mels[index][0, :, start : start + 64])
        batch = torch.stack(crops)
        z = model.encoder(batch)
        if step == 500:
            model.quantizer.fit(z.detach().transpose(0, 1).flatten(1))
        values = z
        if step >= 500:
            values, _ = model.quantizer(z)
            model.quantizer.adapt(z, 0.02)
        generated = model.generator(values)
        loss = F.l1_loss(generated, batch) + 0.5 * F.mse_loss(generated, batch)
        loss = loss + 0.25 * F.mse_loss(z, values.detach())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        codes = [model.quantizer.encode(model.encoder(mel))[0] for mel in mels]
    levels = CONFIG.latent.levels
    model.marginals.copy_(fitting.fit_marginals(codes, levels))
    model.rates = {"tiny-1": Rate(4, 0.01)}
    model.notes = {"note": "a toy for tests: see tests/codec/bpgan/make_golden.py"}
    model.contexts = fitting.fit_tables(codes, levels)
    model.save(FOLDER / "tables.safetensors")
    # Twice, so that the held-out files are known: a toy may overfit, but should have a network.
    model.contexts = fitting.fit(2 * codes, levels, hidden=8, delays=2)
    model.save(FOLDER / "tiny.safetensors")


def version_1(stream: Stream) -> bytes:
    """The writer of 2026-11, for streams of all channels."""
    head = bytearray([0xB1]) + stream.model_id.to_bytes(2, "big")
    head.append(("range", "huffman").index(stream.coder) << 7 | stream.level)
    rest = stream.num_samples
    while rest > 0x7F:
        head.append(rest & 0x7F | 0x80)
        rest >>= 7
    body = bytes(head) + bytes([rest]) + stream.symbols
    return body + binascii.crc_hqx(body, 0).to_bytes(2, "big")


#: Streams that say the same as others in another form: their audio is not kept a second time.
_ALIKE = ("huffman", "unchecked", "tables", "version-1-huffman", "silence", "version-1-silence")


def record(name: str, payload: bytes, model: BPGANModel) -> None:
    """Write a stream, its symbols and its audio as they are decoded here and now."""
    stream = unpack(payload)
    entry = {"payload": payload.hex(), "samples": stream.num_samples}
    if stream.level:
        symbols = system.read_symbols(stream, model)
        entry |= {"channels": len(symbols), "symbols": symbols.T.tobytes().hex()}
    codec = system.BPGAN("golden", model=model)
    audio = codec.decode(system.Encoded("golden", payload, 0, 16_000, stream.num_samples))
    (FOLDER / f"{name}.json").write_text(json.dumps(entry, indent=1) + "\n")
    if name not in _ALIKE:
        write_wav(FOLDER / f"{name}.wav", audio, 16_000)


def main(what: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    if what == "released":
        codec = system.BPGAN("bpgan-2k", channels=(20, 16))
        payload = codec.encode(harvard_sentence(2)[:16_000]).payload
        record(f"released-{codec.model.model_id:04x}", payload, codec.model)
        return
    if not (FOLDER / "tiny.safetensors").exists():
        make_models()
    model = BPGANModel.load(FOLDER / "tiny.safetensors")
    older = BPGANModel.load(FOLDER / "tables.safetensors")
    speech: Audio = harvard_sentence(4)[:9_000]
    forms = {
        "range": {},
        "layer-0": {"channels": (2,)},
        "layer-1": {"channels": (4,)},
        "huffman": {"entropy": "huffman"},
        "unchecked": {"checksum": False},
    }
    for name, options in forms.items():
        codec = system.BPGAN("golden", model=model, **options)
        record(name, codec.encode(speech).payload, model)
    record("tables", system.BPGAN("golden", model=older).encode(speech).payload, older)
    whole = unpack(system.BPGAN("golden", model=older).encode(speech).payload)
    record("version-1-range", version_1(whole), older)
    words = unpack(system.BPGAN("golden", model=older, entropy="huffman").encode(speech).payload)
    record("version-1-huffman", version_1(words), older)
    codec = system.BPGAN("golden", model=model)
    record("sample", codec.encode(speech[4000:4001]).payload, model)
    record("silence", codec.encode(np.zeros(5000, np.float32)).payload, model)
    record("version-1-silence", version_1(replace(whole, level=0, symbols=b"", num_samples=3000)), older)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["tiny"])
