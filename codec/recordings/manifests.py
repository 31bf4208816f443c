"""Manifests: what is known of the audio files of a folder, in a table beside it."""

from __future__ import annotations

import csv
from pathlib import Path


def manifest_of(folder: Path) -> Path:
    """Where the manifest of a folder is, if it has one: ``train.tsv`` beside ``train/``."""
    named = folder if folder.name else folder.absolute()  # the working directory
    return named.with_name(named.name + ".tsv")


def read_manifest(manifest: Path, column: str) -> list[tuple[Path, str]]:
    """Each file that a manifest names in its column `path`, relative to itself, and what `column` says of it.

    Raises:
        ValueError: it has no such columns.
    """
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"path", column} <= set(reader.fieldnames or ()):
            raise ValueError(f"{manifest} needs the columns path and {column}, separated by tabs.")
        return [(manifest.parent / row["path"], row[column]) for row in reader]
