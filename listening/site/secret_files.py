"""Secrets in files: ``SECRET_KEY_FILE=/run/secrets/key`` stands for ``SECRET_KEY``.

Container engines and systemd hand secrets to a process as files; in the environment, every child and every
`docker inspect` would see them.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

#: Settings that may be read from a file.
NAMES = (
    "SECRET_KEY",
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "REDIS_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "METRICS_TOKEN",
    "SENTRY_DSN",
    "EMAIL_HOST_PASSWORD",
    "OIDC_CLIENT_SECRET",
)


class SecretError(Exception):
    """A file of a secret cannot be read, or both it and its variable are set."""


def read_into(environment: MutableMapping[str, str]) -> None:
    """Set the variables whose ``*_FILE`` names a file to its content, without the line's end.

    Raises:
        SecretError: the file is missing, unreadable or empty, or the variable is set as well.
    """
    for name in NAMES:
        path = environment.get(f"{name}_FILE", "")
        if not path:
            continue
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SecretError(f"{name}_FILE: {path} cannot be read: {error.strerror}.") from error
        if not value:
            raise SecretError(f"{name}_FILE: {path} is empty.")
        if environment.get(name, value) != value:  # a child process finds both, and the same
            raise SecretError(f"Set {name} or {name}_FILE, not both.")
        environment[name] = value
