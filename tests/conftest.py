"""What all tests share: people, folders of their own, and the corpora beside the repository."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings as site_settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import TransactionTestCase
from django.test.utils import setup_databases, teardown_databases

from tests.database import copy_database, empty_database
from tests.warm import start_server

# Before PyTorch is imported: on a busy machine its threads mostly wait at each other's barriers, and where a
# test wants two, they are to sleep meanwhile (codec/threads.py).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run, so that a red test stays red until it is mended. To look further:
# `pytest --hypothesis-profile=default --hypothesis-seed=N`.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


# What is imported and collected stays: looking for garbage among it, again and again, finds nothing.
gc.disable()


def pytest_collection_finish() -> None:
    """Begin to collect garbage, but not in what is there by now."""
    gc.freeze()
    # Most of what tests make is gone without it: it need not look after every 700 objects.
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Have the processes of pytest-xdist begin with the large libraries imported, where that can be done."""
    if sys.platform.startswith("linux"):
        folder = tempfile.mkdtemp(prefix="earshot-warm-")
        server, program = start_server(Path(folder))
        for spec in specs:
            if spec.popen and not spec.python:
                spec.python = program
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        config.add_cleanup(lambda: server.communicate())


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Have each process of pytest-xdist import its share of the tests first.

    In a clean clone each would compile all of them, which takes longer than all else of the collection; so it
    finds most of them compiled by the others.
    """
    if worker := getattr(session.config, "workerinput", None):
        number, processes = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        folders = [Path(argument).resolve() for argument in session.config.args]
        paths = sorted(path for folder in folders for path in folder.rglob("test_*.py"))
        for path in paths[number::processes]:
            # What cannot be imported says so when it is collected.
            with contextlib.suppress(Exception, pytest.skip.Exception):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for servers, so that other processes work meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("service") is None)


@pytest.fixture(scope="session")
def new_database(django_db_blocker: Any) -> Callable[[Path], None]:
    """Put a migrated, empty SQLite database at a path."""
    folder = ROOT / ".pytest_cache" / "d" / "database"  # where pytest's cache has it; without the cache, too

    def make(path: Path) -> None:
        with django_db_blocker.unblock():
            copy_database(folder, path)

    return make


@pytest.fixture(scope="session")
def quick_flush() -> Iterator[None]:
    """Let tests whose database is not rolled back leave one like new without Django's `flush`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda test: empty_database())
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    quick_flush: None, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[None]:
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


@pytest.fixture(scope="session")
def media_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders, none of which exists.

    Most tests store nothing, and to make a `tmp_path` for each of thousands takes longer than many of them.
    """
    folder = tmp_path_factory.mktemp("media")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def media(settings: Any, media_folders: Iterator[Path]) -> Path:
    """Uploads, renditions and stimuli of this test only."""
    settings.MEDIA_ROOT = next(media_folders)
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
