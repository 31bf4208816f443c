"""Random names and secrets, and what is stored of a secret."""

from __future__ import annotations

import hashlib
import secrets


def random_token(num_bytes: int) -> str:
    """Random bytes as text for URLs and command lines; never begins with a dash, as an option would."""
    while (token := secrets.token_urlsafe(num_bytes)).startswith("-"):
        continue
    return token


def opaque_token() -> str:
    """128 random bits for a link that gives access by itself."""
    return random_token(16)


def token_digest(token: str) -> str:
    """What is stored of a secret link or token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def assessor_code() -> str:
    """A short random code that identifies a person in tables and carries no other information."""
    return secrets.token_hex(4)
