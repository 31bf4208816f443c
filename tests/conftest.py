"""What all tests share: people, folders of their own, and the corpora beside the repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from tests.database import copy_database

# Before PyTorch is imported: on a busy machine its threads mostly wait at each other's barriers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for servers, so that other processes work meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("service") is None)


@pytest.fixture(scope="session")
def new_database(
    request: pytest.FixtureRequest, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], None]:
    """Put a migrated, empty SQLite database at a path."""
    cache = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir("database")) if cache else tmp_path_factory.mktemp("database")

    def make(path: Path) -> None:
        with django_db_blocker.unblock():
            copy_database(folder, path)

    return make


@pytest.fixture(scope="session")
def django_db_setup(new_database: Callable[[Path], None], django_db_blocker: Any) -> Iterator[None]:
    """The database of this process: a copy, where it is a file."""
    if connection.vendor != "sqlite":
        with django_db_blocker.unblock():
            made = setup_databases(verbosity=0, interactive=False)
            yield
            teardown_databases(made, verbosity=0)
        return
    path = Path(site_settings.DATABASES["default"]["TEST"]["NAME"])
    new_database(path)
    connection.settings_dict["NAME"] = str(path)
    yield
    with django_db_blocker.unblock():
        connection.close()


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
