"""Training speech: any folder of audio, TIMIT's layout, or a manifest, packed once and streamed from disk.

The pack is a flat file of 16-bit samples that is read through a memory map: large corpora take disk space,
not memory. Crops are drawn by a generator seeded with (seed, step), so a resumed run gets exactly the crops
that an uninterrupted one would have had.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from codec.audio import read_audio
from codec.base import Audio, AudioError, CodecError
from codec.bpgan.config import MelConfig, TrainConfig
from codec.bpgan.network.mel import active_level
from codec.recordings.formats import NAMED, is_audio
from codec.recordings.manifests import manifest_of, read_manifest


@dataclass(frozen=True)
class Utterance:
    """A recording and its speaker; no speaker is in both training and validation."""

    path: Path
    speaker: str


def find_utterances(sources: Iterable[str | Path]) -> list[Utterance]:
    """List the recordings in folders and tab-separated manifests (columns ``path`` and ``speaker``).

    In TIMIT's layout (``DR1/FCJF0/SA1.WAV``) and in other nested folders, the speaker is the name of the
    folder that contains the file; in a flat folder, it is the file name up to the first ``_`` or ``-``. A
    folder next to a manifest of the same name (``train/`` and ``train.tsv``) is read through that manifest.

    Raises:
        CodecError: a source does not exist or contains no audio.
    """
    found: list[Utterance] = []
    for source in map(Path, sources):
        manifest = manifest_of(source) if source.is_dir() else source
        if manifest.is_file():
            try:
                rows = [Utterance(path, speaker) for path, speaker in read_manifest(manifest, "speaker")]
            except ValueError as error:
                raise CodecError(str(error)) from error
        elif source.is_dir():
            files = sorted(p for p in source.rglob("*") if is_audio(p))
            rows = [Utterance(p, _find_speaker(p, source)) for p in files]
        else:
            raise CodecError(f"There is no folder or manifest {source}.")
        if not rows:
            raise CodecError(f"{source} holds no audio ({NAMED}).")
        found += rows
    return found


def _find_speaker(path: Path, root: Path) -> str:
    if path.parent == root:
        return re.split(r"[_-]", path.stem, maxsplit=1)[0]
    return path.parent.name


class Corpus:
    """Packed speech. `samples` is a memory map of int16; utterance i is ``bounds[i]:bounds[i + 1]``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.bounds: NDArray[np.int64] = np.array(index["bounds"], dtype=np.int64)
        self.levels: NDArray[np.float64] = np.array(index["levels"])
        self.speakers: list[str] = index["speakers"]
        self.sample_rate: int = index["sample_rate"]
        self.samples: NDArray[np.int16] = np.memmap(folder / "samples.i16", dtype=np.int16, mode="r")

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def hours(self) -> float:
        return float(self.bounds[-1]) / self.sample_rate / 3600

    def utterance(self, index: int, level: float) -> Audio:
        """Utterance `index`, float32 (samples,), scaled so that active speech has RMS `level`."""
        raw = self.samples[self.bounds[index] : self.bounds[index + 1]]
        return raw.astype(np.float32) * np.float32(level / self.levels[index])

    def draw_hours(self, members: Sequence[int], hours: float, seed: int) -> list[int]:
        """Draw random `members` that last `hours`, or all of them if they are shorter."""
        drawn = np.random.default_rng([seed, 5]).permutation(np.array(members, dtype=np.int64))
        ends = np.cumsum(np.diff(self.bounds)[drawn]) / self.sample_rate / 3600
        return sorted(drawn[: int(np.searchsorted(ends, hours)) + 1].tolist())

    def split(self, validation: int) -> tuple[list[int], list[int]]:
        """Split into utterances for training, and about `validation` of speakers that training never sees.

        Speakers are held out by a hash of their name, so that the split is stable when data is added. If
        there are too few speakers, every twentieth utterance is held out instead.
        """
        by_speaker: dict[str, list[int]] = {}
        for index, speaker in enumerate(self.speakers):
            by_speaker.setdefault(speaker, []).append(index)
        # Only speakers with a small part of the corpus are held out; training needs the others.
        small = [s for s, own in by_speaker.items() if len(own) <= max(2, len(self) // 20)]
        held: set[str] = set()
        chosen: list[int] = []
        for speaker in sorted(small, key=lambda s: hashlib.sha256(s.encode()).digest()):
            if len(chosen) >= min(validation, len(self) // 10 + 1) or len(held) + 1 == len(by_speaker):
                break
            held.add(speaker)
            chosen += by_speaker[speaker][:2]
        if not held:
            chosen = list(range(0, len(self), 20))
            kept = [i for i in range(len(self)) if i not in set(chosen)]
            return kept or chosen, chosen[:validation]
        return [i for i, s in enumerate(self.speakers) if s not in held], chosen[:validation]


def pack(utterances: Sequence[Utterance], cache: Path, sample_rate: int) -> Corpus:
    """Decode, downmix and resample `utterances` into a pack below `cache`, or reuse an existing one.

    Files that cannot be read, are silent, or are shorter than a quarter of a second are left out and listed
    in the index.

    Raises:
        CodecError: nothing usable remains.
    """
    fingerprint = hashlib.sha256(f"pack 2 {sample_rate}".encode())
    for u in utterances:
        stat = u.path.stat()
        fingerprint.update(f"{u.path.resolve()}|{u.speaker}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    folder = cache / fingerprint.hexdigest()[:16]
    if (folder / "index.json").is_file():
        return Corpus(folder)
    cache.mkdir(parents=True, exist_ok=True)
    # A pack appears as a whole: an interrupted one is made again, and two runs may make the same one. The
    # remains of a killed run have a name of their own and are never read.
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=cache))
    try:
        _write(utterances, partial, sample_rate)
        try:
            partial.rename(folder)
        except OSError:
            if not (folder / "index.json").is_file():  # no other run was first
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Corpus(folder)


def _write(utterances: Sequence[Utterance], folder: Path, sample_rate: int) -> None:
    """Write a pack: samples and index."""
    bounds, levels, speakers, left_out = [0], [], [], []
    with (folder / "samples.i16").open("wb") as out:
        for u in tqdm(utterances, desc="packing", unit="file"):
            try:
                mono = read_audio(u.path, rate=sample_rate).audio
            except AudioError as error:
                left_out.append(f"{u.path}: {error}")
                continue
            level = active_level(mono)
            if mono.size < sample_rate // 4 or not np.isfinite(level) or level < 1e-4:
                left_out.append(f"{u.path}: silent, too short or not finite")
                continue
            # Scaled to full range, so that quiet recordings do not lose precision in 16 bits.
            scale = 32000 / max(float(np.abs(mono).max()), 1e-4)
            np.rint(mono * scale).astype(np.int16).tofile(out)
            bounds.append(bounds[-1] + mono.size)
            levels.append(level * scale)
            speakers.append(u.speaker)
    if not levels:
        raise CodecError(f"None of the {len(utterances)} files could be used; the first: {left_out[0]}")
    index = {
        "sample_rate": sample_rate,
        "bounds": bounds,
        "levels": levels,
        "speakers": speakers,
        "left_out": left_out,
    }
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def batch(
    corpus: Corpus, members: NDArray[np.int64], mel: MelConfig, train: TrainConfig, seed: int, step: int
) -> NDArray[np.float32]:
    """Draw the training crops of a step, float32 (batch, frames * hop), with random gain, speed and polarity.

    Utterances are drawn in proportion to their length. There is no state between steps.
    """
    rng = np.random.default_rng([seed, step])
    length = train.frames * mel.hop
    sizes = np.diff(corpus.bounds)[members]
    chosen = rng.choice(members, train.batch, p=sizes / sizes.sum())
    out = np.zeros((train.batch, length), dtype=np.float32)
    for row, index in enumerate(chosen):
        speed = 1 + train.speed * rng.uniform(-1, 1)
        need = int(np.ceil(length * speed)) + 8
        start, end = corpus.bounds[index], corpus.bounds[index + 1]
        offset = int(rng.integers(0, max(1, end - start - need + 1)))
        raw = corpus.samples[start + offset : min(end, start + offset + need)]
        gain = mel.level / corpus.levels[index] * 10 ** (train.gain_db * rng.uniform(-1, 1) / 20)
        crop = raw.astype(np.float32) * np.float32(gain * rng.choice((-1, 1)))
        if train.speed:
            crop = soxr.resample(crop, mel.sample_rate * speed, mel.sample_rate, quality="LQ")
        out[row, : min(length, crop.size)] = crop[:length]
    return out
