"""A site's API, over HTTP."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from terminal.problem import Problem
from terminal.progress import CHUNK, Progress

TIMEOUT_SECONDS = 120.0


class Site:
    """A site's API.

    Attributes:
        url: URL of the site, without a slash at the end.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token

    def get(self, path: str, **query: Any) -> Any:
        """Get JSON from a path of the API."""
        with self.open("GET", path, **query) as answer:
            return json.load(answer)

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """Yield every row of a list, fetched page by page."""
        seen = 0
        while True:
            page = self.get(path, limit=100, offset=seen, **query)
            yield from page["items"]
            seen += len(page["items"])
            if not page["items"] or seen >= page["count"]:
                return

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON; returns the response's JSON, or None if it is empty."""
        data = None if body is None else json.dumps(body).encode()
        with self.open(method, path, data, "application/json") as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def upload(
        self,
        path: str,
        file: Path | Sequence[tuple[str, Path]],
        query: dict[str, str] | None = None,
        **fields: str,
    ) -> Any:
        """Send a file, or several with the names of their fields, as multipart/form-data.

        They are streamed from the disk.
        """
        boundary = uuid.uuid4().hex
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        pieces: list[bytes | Path] = [head.encode()]
        for field, each in [("file", file)] if isinstance(file, Path) else file:
            name = "".join(
                f"\\{letter}" if letter in '"\\' else letter for letter in each.name if letter not in "\r\n"
            )
            pieces += [
                f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n".encode(),
                each,
                b"\r\n",
            ]
        pieces.append(f"--{boundary}--\r\n".encode())
        try:
            length = sum(
                len(piece) if isinstance(piece, bytes) else os.path.getsize(piece) for piece in pieces
            )
            for piece in pieces:
                if isinstance(piece, Path):
                    piece.open("rb").close()
        except OSError as error:
            raise Problem(f"{error.filename}: {error.strerror or error}") from None
        content_type = f"multipart/form-data; boundary={boundary}"
        progress = Progress(", ".join(piece.name for piece in pieces if isinstance(piece, Path)), length)
        parts = progress.follow(_parts(pieces))
        with self.open("POST", path, parts, content_type, length=length, **query or {}) as answer:
            return json.load(answer)

    def open(
        self,
        method: str,
        path: str,
        data: bytes | Iterable[bytes] | None = None,
        content_type: str = "",
        *,
        length: int | None = None,
        **query: Any,
    ) -> IO[bytes]:
        """Send a request and return the open response. Raises `Problem` with the site's message."""
        wanted = {name: value for name, value in query.items() if value not in (None, "")}
        address = f"{self.url}/api{path}" + (f"?{urllib.parse.urlencode(wanted)}" if wanted else "")
        headers = {"Authorization": f"Bearer {self._token}"}
        if data is not None or content_type:
            headers["Content-Type"] = content_type
        if length is not None:
            headers["Content-Length"] = str(length)
        try:
            request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 -- see `site_of`
            answer: IO[bytes] = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
            return answer
        except urllib.error.HTTPError as error:
            raise Problem(_refusal(error), error.code) from None
        except urllib.error.URLError as error:
            raise Problem(f"{self.url} does not answer: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise Problem(f"{self.url} does not answer: {error}") from None


def _parts(pieces: Iterable[bytes | Path]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        with piece.open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk


def _refusal(error: urllib.error.HTTPError) -> str:
    """The message of a problem (RFC 9457), with the fields that the message does not name."""
    try:
        problem = json.loads(error.read())
        said = problem.get("detail") or problem.get("error")  # sites before 2026-12 said "error"
        lines = [f"  {row['path']}: {row['message']}" for row in problem.get("errors", [])]
    except (ValueError, AttributeError, OSError, KeyError, TypeError):
        said, lines = None, []
    if error.code == 401:
        return "The site does not know this token. Run: earshot login URL TOKEN"
    if said:
        return "\n".join([said, *(line for line in lines if line.split(": ", 1)[1] not in said)])
    return f"The site answered {error.code} {error.reason}."
