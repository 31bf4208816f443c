"""The table beside a folder of recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from codec.recordings.manifests import manifest_of


def test_a_manifest_is_beside_its_folder_however_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, link = tmp_path / "speech", tmp_path / "train"
    folder.mkdir()
    link.symlink_to(folder)
    assert manifest_of(folder) == tmp_path / "speech.tsv"
    assert manifest_of(link) == tmp_path / "train.tsv"
    monkeypatch.chdir(folder)
    assert manifest_of(Path(".")) == tmp_path / "speech.tsv"
