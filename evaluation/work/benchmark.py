"""Puts recordings through systems and measures them, for the ``benchmark`` command. No Django."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeVar

from codec.base import CodecError
from codec.recordings.formats import is_audio
from codec.recordings.manifests import manifest_of, read_manifest
from codec.working import read_working_copy
from evaluation.work.pipeline import METRICS, heard_by, measure, process, recording_of


@dataclass(frozen=True)
class Pair:
    """A recording to put through a system, and what to measure.

    Attributes:
        clip: name of the recording in the table.
        model: file of another BPGAN model than the one installed.
    """

    path: Path
    clip: str
    system: str
    metrics: tuple[str, ...] = METRICS
    model: Path | None = None

    @property
    def name(self) -> str:
        """The system's name in the table, with that of its model, if it is another."""
        return f"{self.system} ({self.model.stem})" if self.model else self.system


@dataclass(frozen=True)
class Outcome:
    """A row of the table, or the reason why there is none, and what is wrong with the recording."""

    pair: Pair
    row: Row | None = None
    error: str = ""
    faults: tuple[str, ...] = ()


T = TypeVar("T")
#: A line of the table: texts and numbers by column; None: not measured.
Row = dict[str, str | float | None]


@dataclass(frozen=True)
class Mean:
    """Mean over clips and half the width of its 95 % interval by Student's t (NaN for one clip)."""

    n: int
    mean: float
    half_width: float


#: Means by system, in order of appearance, and figure; None: no clip has the figure.
Table = dict[str, dict[str, Mean | None]]


@dataclass(frozen=True)
class Part:
    """What is printed of the rows, or of those of one group of clips.

    Attributes:
        group: its value in the column that rows are grouped by; empty: all rows.
        means: of every system.
        differences: means of paired differences from one system, of each other system; empty: not asked for.
    """

    means: Table
    group: str = ""
    differences: Table = field(default_factory=dict)


def columns(metrics: Sequence[str] = METRICS) -> tuple[str, ...]:
    """The columns of the table that ``--out`` writes."""
    return ("system", "clip", "seconds", *figures(metrics))


def figures(metrics: Sequence[str] = METRICS) -> tuple[str, ...]:
    """The columns that have a mean."""
    return ("kbps", *metrics, "encode_rtf", "decode_rtf")


#: With the default metrics.
COLUMNS, FIGURES = columns(), figures()


def find_recordings(places: Iterable[Path]) -> list[tuple[Path, str]]:
    """Find files, and audio files anywhere below folders, each with its name for the table.

    A name is the path below its folder, preceded by the folder's name if there are several places.

    Raises:
        FileNotFoundError: a place does not exist.
    """
    found: list[tuple[Path, str]] = []
    places = list(places)
    for place in places:
        if place.is_dir():
            inside = sorted(p for p in place.rglob("*") if is_audio(p) and p.is_file())
            root = place if len(places) == 1 else place.parent
            found += [(path, path.relative_to(root).as_posix()) for path in inside]
        elif place.exists():
            found.append((place, place.name))
        else:
            raise FileNotFoundError(f"There is no file or folder {place}.")
    return found


def read_column(places: Iterable[Path], column: str) -> dict[Path, str]:
    """What the manifest beside each folder (``eval.tsv`` beside ``eval/``) says of its files in a column.

    Raises:
        ValueError: a folder has no manifest, or that has no such column.
    """
    found: dict[Path, str] = {}
    for place in filter(Path.is_dir, places):
        manifest = manifest_of(place)
        if not manifest.is_file():
            raise ValueError(f"There is no manifest {manifest} that could say the {column}.")
        found |= {path.resolve(): value for path, value in read_manifest(manifest, column)}
    return found


def run(pairs: Sequence[Pair], jobs: int, tick: Callable[[], object]) -> Iterator[Outcome]:
    """Process `pairs` in `jobs` processes and yield outcomes in order; call `tick` after each pair."""
    if jobs == 1:
        for pair in pairs:
            outcome = process_pair(pair)
            tick()
            yield outcome
        return
    # spawn, not fork: PyTorch's threads do not survive a fork. One thread each, as processes share the cores.
    os.environ["EARSHOT_TORCH_THREADS"] = "1"
    # Ctrl-C in a terminal goes to the whole group: only this process handles it, for all of them.
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        futures: list[tuple[Pair, Future[Outcome]]] = []
        for pair in pairs:
            future = pool.submit(process_pair, pair)
            future.add_done_callback(lambda _: tick())
            futures.append((pair, future))
        for pair, future in futures:
            try:
                yield future.result()
            except BrokenProcessPool:
                yield Outcome(pair, error="a worker process died; see whether memory ran out")
    except (KeyboardInterrupt, GeneratorExit):
        # Do not wait for pairs in progress: a search may take a minute.
        for child in active_children():
            child.terminate()
        raise
    finally:
        # No `with`: at its end it would process all waiting pairs first.
        pool.shutdown(cancel_futures=True)


def process_pair(pair: Pair) -> Outcome:
    """Read, encode, decode and measure one pair; errors of a file or a system become an outcome."""
    try:
        recording = read_working_copy(pair.path)
        audio, rate = recording.audio, recording.rate
        done = process(audio, pair.system, rate, model=pair.model)
        made_rate, heard = done.encoded.sample_rate, recording_of(audio, rate)
        seconds = done.encoded.seconds
        row: Row = {
            "system": pair.name,
            "clip": pair.clip,
            "seconds": seconds,
            "kbps": done.encoded.kbps,
            **{
                m: measure(*heard_by(m, audio, rate, done.audio, made_rate), m, heard).value
                for m in pair.metrics
            },
            "encode_rtf": done.encode_seconds / seconds,
            "decode_rtf": done.decode_seconds / seconds,
        }
    except CodecError as error:
        return Outcome(pair, error=str(error))
    except Exception as error:  # noqa: BLE001 - one bad file never stops the others
        return Outcome(pair, error=f"{type(error).__name__}: {error}")
    return Outcome(pair, round_row(row), faults=recording.faults)


def round_row(row: Mapping[str, T | float]) -> dict[str, T | float]:
    """Round the numbers of `row` to six significant digits, more than their accuracy."""
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in row.items()}


def summarise(
    rows: Sequence[Row], metrics: Sequence[str], against: str = "", groups: Mapping[str, str] | None = None
) -> list[Part]:
    """Summarise all rows, and then those of each group of clips, largest first.

    `against` names the system that the others are compared with; `groups` are the clips' by their names.
    """
    parts = {"": list(rows)}
    by_group: dict[str, list[Row]] = {}
    for row in rows if groups else ():
        by_group.setdefault((groups or {}).get(str(row["clip"]), "") or "no group", []).append(row)
    parts |= dict(sorted(by_group.items(), key=lambda each: (-len(each[1]), each[0])))
    return [
        Part(means(own, metrics), group, differences(own, against, metrics) if against else {})
        for group, own in parts.items()
    ]


def differences(rows: Iterable[Row], against: str, metrics: Sequence[str] = METRICS) -> Table:
    """Per system, the mean difference of each figure from that of `against`, over clips that have both."""
    rows = list(rows)
    theirs = {row["clip"]: row for row in rows if row["system"] == against}
    apart: list[Row] = []
    for row in rows:
        other = theirs.get(row["clip"])
        if other is not None and row["system"] != against:
            both = ((name, row[name], other[name]) for name in figures(metrics))
            apart.append(
                {"system": row["system"]}
                | {name: None if a is None or b is None else float(a) - float(b) for name, a, b in both}
            )
    return means(apart, metrics)


def means(rows: Iterable[Row], metrics: Sequence[str] = METRICS) -> Table:
    """Per system, in order of appearance, the mean of each figure over the clips that have it."""
    by_system: dict[str, list[Row]] = {}
    for row in rows:
        by_system.setdefault(str(row["system"]), []).append(row)
    return {
        system: {figure: _mean([row[figure] for row in own]) for figure in figures(metrics)}
        for system, own in by_system.items()
    }


def _mean(values: Sequence[str | float | None]) -> Mean | None:
    from scipy import stats

    known = [float(value) for value in values if value is not None]
    n = len(known)
    if n == 0:
        return None
    mean = math.fsum(known) / n
    if n == 1:
        return Mean(n, mean, math.nan)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (n - 1))
    return Mean(n, mean, float(stats.t.ppf(0.975, n - 1)) * deviation / math.sqrt(n))


def describe(parts: Sequence[Part]) -> Mapping[str, object]:
    """The parts as JSON has them: means by system and figure, each with its difference if there is one.

    Where there are groups, those of all rows are under “all”, and of each group under its name in “groups”.
    """
    whole, *groups = parts
    if not groups:
        return describe_part(whole)
    return {"all": describe_part(whole), "groups": {part.group: describe_part(part) for part in groups}}


def describe_part(part: Part) -> dict[str, dict[str, dict[str, object]]]:
    """The means of one part, with its differences."""
    table: dict[str, dict[str, dict[str, object]]] = {
        system: {figure: {**mean} for figure, mean in row.items()}
        for system, row in describe_means(part.means).items()
    }
    for system, row in describe_means(part.differences).items():
        for figure, difference in row.items():
            table[system][figure]["difference"] = difference
    return table


def format_parts(parts: Sequence[Part], against: str) -> str:
    """The parts as text, a table of means each and one of differences, where there is one."""
    blocks = []
    for part in parts:
        of_group = f"{part.group}: " if part.group else ""
        blocks += [
            of_group + "Mean over clips ± half the 95 % interval (Student's t)",
            format_means(part.means),
        ]
        if part.differences:
            blocks += ["", f"{of_group}Paired differences from {against}"]
            blocks.append(format_means(part.differences, signed=True))
        blocks.append("")
    return "\n".join(blocks[:-1])


def describe_means(table: Table) -> dict[str, dict[str, dict[str, float | None]]]:
    """The means as JSON has them: n, mean and half of the 95 % interval, which one clip has none of."""
    return {
        system: {
            figure: {
                "n": mean.n,
                "mean": mean.mean,
                "half_width": None if math.isnan(mean.half_width) else mean.half_width,
            }
            for figure, mean in row.items()
            if mean is not None
        }
        for system, row in table.items()
    }


def format_means(table: Table, *, signed: bool = False) -> str:
    """The means as aligned text: ``mean ±half-width`` of the 95 % interval, n clips each."""
    head = ["system", "n", *next(iter(table.values()), {})]
    lines = [head]
    for system, row in table.items():
        count = max((mean.n for mean in row.values() if mean), default=0)
        lines.append([system, str(count), *(_cell(mean, count, signed) for mean in row.values())])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(mean: Mean | None, count: int, signed: bool) -> str:
    if mean is None:
        return "-"
    interval = "" if math.isnan(mean.half_width) else f" ±{mean.half_width:.3f}"
    fewer = f" (n={mean.n})" if mean.n != count else ""
    return f"{mean.mean:{'+' if signed else ''}.3f}{interval}{fewer}"
