"""The recordings of a configuration: finding them in a zip, and all that can be known before an import.

A file is read once, when its import is previewed. What was found is stored with the draft, so that the page
that asks for confirmation, the API and the worker say the same.
"""

from __future__ import annotations

import hashlib
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np
from django.conf import settings

from codec.audio import AudioError, read_recording
from codec.base import Audio, channels_of
from codec.working import conform, mix_down
from evaluation.clips.ingest import MIN_SECONDS, ClipTooLarge
from evaluation.metrics.loudness import loudness
from evaluation.outputs.archives import ArchiveProblem, Member
from evaluation.outputs.comparison import level_of
from evaluation.refusals import translate_error
from listening.columns.drafts import FoundRecording, Level
from listening.interchange.imports.content import Configuration, Page

#: RMS level from which an output counts as silent, dB re full scale.
_SILENCE_DB = -90.0
#: A stimulus is like an anchor if its band equals the reference's with this correlation ...
_SAME_BAND = 0.999
#: ... at a shift of this many seconds at most, and if only this share of what the reference has above it is
#: left, which must be at least this share of all its energy.
_MAX_SHIFT, _ABOVE, _AUDIBLE = 0.02, 1e-3, 1e-8
#: As many samples of a recording, from its middle, are compared.
_SAMPLES = 1 << 17
#: Cut-off frequencies of the anchors, Hz, with a band inside and the lowest frequency outside.
_ANCHORS = {"anchor35": (3500, (2000, 3000), 4600), "anchor70": (7000, (4500, 6000), 7600)}


@dataclass(frozen=True)
class Files:
    """Which file of a zip each path of a configuration is.

    Attributes:
        found: files by path.
        missing: reasons by path.
        elsewhere: paths that were found by their last part only, in another folder.
    """

    found: Mapping[str, str]
    missing: Mapping[str, str]
    elsewhere: frozenset[str]


def locate(paths: Sequence[str], names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Find the file of a zip for each path of a configuration; also returns reasons for missing ones."""
    files = find_files(paths, names)
    return dict(files.found), dict(files.missing)


def find_files(paths: Sequence[str], names: Iterable[str]) -> Files:
    """Find the file of a zip for each path of a configuration, which may be an address.

    A path matches the file that shares the longest ending with it, if there is only one. Two different paths
    never match the same file: the one that shares more with it does.
    """
    own = {name: _parts(name) for name in names}
    wanted = {path: _parts(path) for path in paths}
    best: dict[str, tuple[str, int]] = {}
    missing: dict[str, str] = {}
    for path, parts in wanted.items():
        shared = sorted(((_shared_end(parts, theirs), name) for name, theirs in own.items()), reverse=True)
        top = shared[0][0] if shared else 0
        if not parts or top == 0:
            missing[path] = "it is not in the zip"
            continue
        same = sorted(name for count, name in shared if count == top)
        if len(same) > 1:
            missing[path] = f"it may be {same[0]} or {same[1]}"
        else:
            best[path] = (same[0], top)
    by_file: dict[str, list[str]] = {}
    for path, (name, _count) in best.items():
        by_file.setdefault(name, []).append(path)
    for name, rivals in by_file.items():
        most = max(best[path][1] for path in rivals)
        winners = {wanted[path] for path in rivals if best[path][1] == most}
        for path in rivals:
            if best[path][1] < most or len(winners) > 1:
                other = next(one for one in rivals if wanted[one] != wanted[path])
                missing[path] = f"it is not in the zip; {name} may be {other}"
    found = {path: name for path, (name, _count) in best.items() if path not in missing}
    elsewhere = frozenset(
        path for path, name in found.items() if best[path][1] < min(len(wanted[path]), len(own[name]))
    )
    return Files(found, missing, elsewhere)


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path, an address or a Windows path, as they are compared."""
    path = path.strip().replace("\\", "/")
    if "://" in path:
        split = urlsplit(path)
        path = unquote(split.path)
    name = unicodedata.normalize("NFC", path).casefold()
    return tuple(
        part for part in PurePosixPath(name).parts if part not in ("/", ".") and not part.endswith(":")
    )


def _shared_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for ours, theirs in zip(reversed(one), reversed(other), strict=False):
        if ours != theirs:
            break
        count += 1
    return count


# -- What is in them


def inspect(
    configuration: Configuration, files: Files, members: Mapping[str, Member]
) -> list[FoundRecording]:
    """Read every recording that the configuration names and the zip has."""
    with tempfile.TemporaryDirectory(prefix="earshot-import-") as folder:
        inspector = _Inspector(Path(folder), files, members)
        for page in configuration.pages:
            inspector.read_page(page)
        return list(inspector.found.values())


class _Inspector:
    def __init__(self, folder: Path, files: Files, members: Mapping[str, Member]) -> None:
        self.folder, self.files, self.members = folder, files, members
        self.found: dict[str, FoundRecording] = {}
        self._local: dict[str, Path | str] = {}

    def read_page(self, page: Page) -> None:
        reference = self._read(page.reference, MIN_SECONDS)
        for path in page.stimuli.values():
            known = self.found.get(path)
            compared = known is not None and page.reference in known.like
            wanted = reference is not None and page.kind == "mushra" and not compared
            output = self._read(path, 0.0, again=wanted)
            if wanted and reference is not None and output is not None:
                self.found[path].like[page.reference] = find_anchor(*reference, *output)

    def _read(self, path: str, least: float, *, again: bool = False) -> tuple[Audio, int] | None:
        """The samples of a recording, and its rate; None if it is missing or cannot be used."""
        name = self.files.found.get(path)
        if name is None or (path in self.found and self.found[path].error):
            return None
        if path in self.found and not again and least == 0.0:
            return None  # it is known, and nobody needs its samples
        file = self._unpack(name)
        if isinstance(file, str):
            self.found[path] = FoundRecording(path=path, file=name, error=file)
            return None
        try:
            recording = read_recording(file, max_seconds=settings.UPLOAD_MAX_SECONDS, min_seconds=least)
        except AudioError as error:
            self.found[path] = FoundRecording(path=path, file=name, error=str(translate_error(error)))
            return None
        heard, mixing = mix_down(recording.audio)
        channels = channels_of(heard)
        power = float(np.mean(np.square(heard, dtype=np.float64)))
        audio = conform(heard, recording.rate, recording.rate, 1)
        # What is the same on both sides sounds like what is mono.
        sound = audio if channels == 1 or np.array_equal(heard[:, 0], heard[:, 1]) else heard
        before = self.found.get(path)
        self.found[path] = FoundRecording(
            path=path,
            file=name,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            sound=hashlib.sha256(sound.tobytes() + str(recording.rate).encode()).hexdigest(),
            rate=recording.source_rate,
            channels=channels,
            seconds=recording.seconds,
            silent=power <= 10 ** (_SILENCE_DB / 10),
            levels=[
                _measure(conform(heard, recording.rate, recording.rate, count), recording.rate)
                for count in (1, 2)
            ],
            clipped=recording.clipped,
            notes=[str(note) for note in (*mixing, *recording.notes)],
            like=before.like if before else {},
        )
        return audio, recording.rate

    def _unpack(self, name: str) -> Path | str:
        """The local copy of a file of the zip, or why there is none."""
        if name not in self._local:
            path = self.folder / f"{len(self._local)}{PurePosixPath(name).suffix.lower()[:6]}"
            member = self.members[name]
            if member.size > settings.UPLOAD_MAX_BYTES:
                self._local[name] = str(ClipTooLarge(member.size))
                return self._local[name]
            try:
                with path.open("wb") as target:
                    member.write_to(target)
            except ArchiveProblem as problem:
                self._local[name] = str(problem)
            else:
                self._local[name] = path
        return self._local[name]


def _measure(audio: Audio, rate: int) -> Level:
    found = {"loudness": loudness(audio, rate), "rms": level_of(audio)}
    return Level(**{name: value for name, value in found.items() if np.isfinite(value)})


def find_anchor(reference: Audio, rate: int, output: Audio, its_rate: int) -> str:
    """Whether an output is the reference without what is above 3.5 or 7 kHz; the anchor's slug, or empty.

    Args:
        reference: (samples,) at `rate` Hz.
        output: (samples,) at `its_rate` Hz.
    """
    size = min(reference.size, output.size, _SAMPLES)
    if rate != its_rate or size < rate // 10:
        return ""
    start = (min(reference.size, output.size) - size) // 2
    ours, theirs = (
        np.fft.rfft(audio[start : start + size] * np.hanning(size), 2 * size) for audio in (reference, output)
    )
    hertz = np.fft.rfftfreq(2 * size, 1 / rate)
    power, its_power = np.abs(ours) ** 2, np.abs(theirs) ** 2
    for slug, (cutoff, (low, high), outside) in _ANCHORS.items():
        above, inside, edge = hertz >= outside, hertz <= 0.85 * cutoff, (hertz >= low) & (hertz <= high)
        rest = float(power[above].sum())
        if rest < _AUDIBLE * power.sum() or its_power[above].sum() > _ABOVE * rest:
            continue
        share = float(its_power[edge].sum() / max(power[edge].sum(), 1e-12))
        product = np.fft.irfft(np.where(inside, np.conj(ours) * theirs, 0), 2 * size)
        reach = min(size, round(_MAX_SHIFT * rate))  # a filter may be late or early
        peak = float(max(product[: reach + 1].max(), product[-reach:].max()))
        energies = [np.fft.irfft(np.where(inside, one, 0), 2 * size)[0] for one in (power, its_power)]
        if 0.5 < share < 2 and peak >= _SAME_BAND * float(np.sqrt(max(energies[0] * energies[1], 1e-24))):
            return slug
    return ""
