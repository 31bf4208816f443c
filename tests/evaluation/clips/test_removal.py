"""``manage.py remove_orphans``: what a killed process left goes, everything else stays."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from evaluation.models import Rendition

DAYS = 24 * 3600


def put(name: str, media: Path, *, age: float) -> str:
    stored = default_storage.save(name, ContentFile(b"sound"))
    then = time.time() - age
    os.utime(media / stored, (then, then))
    return stored


def printed(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("remove_orphans", *arguments, stdout=out)
    return sorted(out.getvalue().split())


def test_files_without_a_row_go_and_no_others(rendition: Rendition, media: Path) -> None:
    named = put(f"renditions/{rendition.pk}/done.wav", media, age=9 * DAYS)
    Rendition.objects.update(audio=named)
    for name in (rendition.clip.upload.name, rendition.clip.audio.name):
        os.utime(media / name, (0, 0))
    fresh = put("uploads/being-written.wav", media, age=60)
    foreign = put("elsewhere/notes.txt", media, age=9 * DAYS)
    lost = [
        put("clips/killed.wav", media, age=2 * DAYS),
        put(f"renditions/{rendition.pk}/killed.ear", media, age=2 * DAYS),
        put("stimuli/killed.wav", media, age=2 * DAYS),
        put("uploads/killed.flac", media, age=2 * DAYS),
    ]
    assert printed("--dry-run") == lost
    assert all(default_storage.exists(name) for name in lost)
    assert printed() == lost
    assert not any(default_storage.exists(name) for name in lost)
    kept = [named, fresh, foreign, rendition.clip.upload.name, rendition.clip.audio.name]
    assert all(default_storage.exists(name) for name in kept)
    assert printed() == []


def test_an_empty_site_has_none(db: None) -> None:
    assert printed() == []


def test_what_may_be_in_use_is_not_up_for_removal(db: None) -> None:
    with pytest.raises(CommandError, match="1 hour or more"):
        call_command("remove_orphans", "--older-than", "0.1")
