"""A PostgreSQL database of a test's own, where TEST_DATABASE_URL names a server."""

from __future__ import annotations

import os
import secrets
import urllib.parse
from collections.abc import Iterator

import pytest


@pytest.fixture
def postgresql() -> Iterator[str]:
    """A new, empty PostgreSQL database; its address."""
    address = os.environ.get("TEST_DATABASE_URL", "")
    if not address.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL does not name a PostgreSQL server")
    psycopg = pytest.importorskip(
        "psycopg", reason="psycopg is not installed (pip install 'earshot[postgres]')"
    )
    name = f"earshot_test_{secrets.token_hex(4)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urllib.parse.urlsplit(address)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
