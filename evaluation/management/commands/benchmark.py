"""``manage.py benchmark``: put recordings through systems and measure them, without server, Redis or
database."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from contextlib import ExitStack
from json import dumps
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from codec import registry
from codec.base import CodecError
from evaluation.metrics import DEFAULT, METRICS, OPTIONAL
from evaluation.work import benchmark


class Command(BaseCommand):
    help = (
        "Put recordings through systems and measure what comes out. Prints means with 95 % intervals per "
        "system; --out writes one row per clip and system. Exit code 1 if any clip failed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "places", nargs="+", type=Path, metavar="DIR_OR_FILE", help="audio files, or folders of them"
        )
        parser.add_argument("--systems", help="comma-separated slugs; default: all")
        parser.add_argument(
            "--metrics",
            help=f"comma-separated slugs, or all; default: {','.join(DEFAULT)}; others: {','.join(OPTIONAL)}",
        )
        parser.add_argument(
            "--models",
            nargs="+",
            type=Path,
            default=[],
            metavar="MODEL",
            help="other BPGAN models (.safetensors), through which the BPGAN systems are run as well",
        )
        parser.add_argument(
            "--against",
            metavar="SYSTEM",
            help="also print paired differences from this system, as the table names it",
        )
        parser.add_argument(
            "--by",
            metavar="COLUMN",
            help="also print each group of clips by itself, as a column of the manifest beside the folder "
            "(eval.tsv beside eval/) has them, such as corpus",
        )
        parser.add_argument("--out", type=Path, help="write the table as CSV")
        parser.add_argument("--json", action="store_true", help="print the means as one JSON object")
        parser.add_argument("--jobs", type=int, default=1, help="processes; default 1, for undisturbed times")

    def handle(
        self,
        *,
        places: list[Path],
        systems: str | None,
        metrics: str | None,
        out: Path | None,
        jobs: int,
        models: list[Path],
        against: str | None,
        by: str | None,
        json: bool = False,
        **_: Any,
    ) -> None:
        if jobs < 1:
            raise CommandError("--jobs must be 1 or more.")
        slugs = [slug.strip() for slug in systems.split(",")] if systems else list(registry.SYSTEMS)
        measured = _metrics(metrics)
        try:
            # Beside each BPGAN system the same with every other model.
            runs = [(slug, model) for slug in slugs for model in (None, *_models_of(slug, models))]
            recordings = benchmark.find_recordings(places)
            column = benchmark.read_column(places, by) if by else {}
        except (CodecError, FileNotFoundError, ValueError) as error:
            raise CommandError(str(error)) from error
        if not recordings:
            raise CommandError("There are no audio files in these places.")
        groups = {clip: column.get(path.resolve(), "") for path, clip in recordings} if by else None
        pairs = [
            benchmark.Pair(path, clip, slug, measured, model)
            for path, clip in recordings
            for slug, model in runs
        ]
        names = list(dict.fromkeys(pair.name for pair in pairs))
        if len(names) < len(runs):
            raise CommandError("Two systems or models would have the same name in the table.")
        if against and against not in names:
            raise CommandError(f"--against {against!r} is none of {', '.join(names)}.")

        rows: list[benchmark.Row] = []
        failures: list[benchmark.Outcome] = []
        faults: dict[str, None] = {}  # each once, in order
        with ExitStack() as stack:
            table = None
            if out is not None:
                try:
                    file = stack.enter_context(out.open("w", newline="", encoding="utf-8"))
                except OSError as error:
                    raise CommandError(f"{out} cannot be written: {error.strerror}.") from error
                table = csv.DictWriter(file, benchmark.columns(measured), lineterminator="\n")
                table.writeheader()
            bar = stack.enter_context(tqdm(total=len(pairs), unit="clip", smoothing=0.05, disable=None))
            try:
                for outcome in benchmark.run(pairs, jobs, bar.update):
                    if outcome.row is None:
                        failures.append(outcome)
                        continue
                    rows.append(outcome.row)
                    faults |= {f"{outcome.pair.clip}: {fault}": None for fault in outcome.faults}
                    if table is not None:
                        table.writerow(outcome.row)
                        file.flush()  # results so far stay if the run is interrupted
            except KeyboardInterrupt:
                raise CommandError(
                    f"Interrupted with {len(rows)} of {len(pairs)} rows done.", returncode=130
                ) from None

        parts = benchmark.summarise(rows, measured, against or "", groups)
        if json:
            self.stdout.write(dumps(benchmark.describe(parts), indent=2))
        elif rows:
            self.stdout.write(benchmark.format_parts(parts, against or ""))
        for fault in faults:
            self.stderr.write(fault)
        if failures:
            self.stderr.write(f"{len(failures)} of {len(pairs)} failed:")
            for failure in failures:
                self.stderr.write(f"  {failure.pair.clip} through {failure.pair.system}: {failure.error}")
            raise CommandError("The table is incomplete.", returncode=1)


def _models_of(slug: str, models: list[Path]) -> list[Path]:
    """Those of `models` that a system is run with: all or, if it has no model, none.

    Raises:
        CodecError: there is no such system, or a model that cannot be read.
    """
    if not registry.get_system(slug).trained:
        return []
    for model in models:
        registry.load(slug, model=model)
    return models


def _metrics(wanted: str | None) -> tuple[str, ...]:
    """The metrics named by ``--metrics``.

    Raises:
        CommandError: a metric does not exist or cannot be computed here.
    """
    if wanted is None:
        return DEFAULT
    if wanted.strip() == "all":
        return tuple(slug for slug in (*DEFAULT, *OPTIONAL) if not METRICS[slug].missing)
    slugs = tuple(dict.fromkeys(slug.strip() for slug in wanted.split(",")))
    for slug in slugs:
        if slug not in METRICS:
            raise CommandError(f"There is no metric {slug!r}; known: {', '.join((*DEFAULT, *OPTIONAL))}.")
        if missing := METRICS[slug].missing:
            raise CommandError(missing)
    return slugs
