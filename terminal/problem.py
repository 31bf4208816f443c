"""What is wrong, for the person at the terminal."""

from __future__ import annotations


class Problem(Exception):
    """An error, with a message for the user; `status` is that of the site's response, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
