"""What all tests share: people, folders of their own, and the corpora beside the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

# Before PyTorch is imported: on a busy machine its threads mostly wait at each other's barriers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    """Uploads, renditions and stimuli of this test only."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return Path(settings.MEDIA_ROOT)


@pytest.fixture
def alice(db: None) -> User:
    """The researcher who owns things."""
    return User.objects.create_user("alice", "alice@example.org", "password")


@pytest.fixture
def bob(db: None) -> User:
    """Another researcher, who must not see alice's things."""
    return User.objects.create_user("bob", "bob@example.org", "password")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with speech and reference ratings beside the repository."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("../shared (speech and reference ratings) is not here")
    return path
