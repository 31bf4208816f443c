"""A PostgreSQL database of a test's own, where TEST_DATABASE_URL names a server."""

from __future__ import annotations

import os
import secrets
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from tests.database import connected_to, schema_key

TEMPLATES = "earshot_template_"
#: Of the lock that a process holds while it makes or copies a template.
LOCK = 0x6561_7273


@pytest.fixture
def postgresql(django_db_blocker: Any) -> Iterator[str]:
    """A new PostgreSQL database as `migrate` leaves it; its address.

    It is copied from a template that stays on the server until the migrations change.
    """
    address = os.environ.get("TEST_DATABASE_URL", "")
    if not address.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL does not name a PostgreSQL server")
    psycopg = pytest.importorskip(
        "psycopg", reason="psycopg is not installed (pip install 'earshot[postgres]')"
    )

    def at(name: str) -> str:
        return urllib.parse.urlsplit(address)._replace(path=f"/{name}").geturl()

    def make_template(name: str) -> None:
        old = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [templates]
        )
        for (other,) in old.fetchall():
            connection.execute(f"DROP DATABASE {other} WITH (FORCE)")
        made = f"{templates}being_made"
        connection.execute(f"CREATE DATABASE {made}")
        with django_db_blocker.unblock(), connected_to(at(made)):
            call_command("migrate", verbosity=0, interactive=False)
        connection.execute(f"ALTER DATABASE {made} RENAME TO {name}")

    name = f"earshot_test_{secrets.token_hex(4)}"
    with psycopg.connect(address, autocommit=True) as connection:
        (role,) = connection.execute("SELECT oid FROM pg_roles WHERE rolname = current_user").fetchone()
        templates = f"{TEMPLATES}{role}_"  # another role's can be neither copied nor dropped
        template = f"{templates}{schema_key()}"
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [template]).fetchone():
            make_template(template)
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        try:
            yield at(name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
