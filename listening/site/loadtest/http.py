"""A browser's connection: HTTP/1.1 with keep-alive and cookies; the caller handles redirects.

It does as little work as possible, because it shares the machine with the measured server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Broken(Exception):
    """The server did not respond; it is unknown whether it handled the request."""


@dataclass
class Connection:
    """A connection to one server. Requests are sequential; after a failure, the next one reconnects."""

    site: str
    timeout: float = 30.0
    cookies: dict[str, str] = field(default_factory=dict)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        return await self.request("GET", path)

    async def post_json(self, path: str, body: Any) -> Answer:
        headers = {"Content-Type": "application/json", "X-CSRFToken": self.cookies.get("csrftoken", "")}
        return await self.request("POST", path, json.dumps(body).encode(), headers)

    async def post_form(self, path: str, fields: dict[str, str]) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.request("POST", path, urlencode(fields).encode(), headers)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request. Raises `Broken` if there is no complete response within `timeout` seconds."""
        try:
            async with asyncio.timeout(self.timeout):
                return await self._exchange(method, path, body, headers or {})
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            await self.close()
            raise Broken(f"{method} {path}: {type(error).__name__} {error}") from error

    async def _exchange(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        where = urlsplit(self.site)
        kept = self._streams is not None
        if self._streams is None:
            self._streams = await asyncio.open_connection(where.hostname, where.port or 80, limit=1 << 22)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"Host: {where.netloc}", "Accept: */*"]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if method == "POST":
            lines += [f"Content-Length: {len(body)}", f"Origin: {self.site}", f"Referer: {self.site}/"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError):
            if not kept or method != "GET":
                raise
            # The server may close an idle connection at any time; like a browser, open another.
            await self.close()
            return await self._exchange(method, path, body, headers)
        status, *fields = head.decode("latin-1").split("\r\n")
        answered: dict[str, str] = {}
        for line in fields:
            name, _, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "set-cookie":
                cookie, _, kept_value = value.partition(";")[0].partition("=")
                self.cookies[cookie] = kept_value
            elif name:
                answered[name] = value
        if answered.get("transfer-encoding") == "chunked":
            content = b""
            while size := int((await reader.readline()).split(b";")[0], 16):
                content += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            content = await reader.readexactly(int(answered.get("content-length", "0")))
        if answered.get("connection") == "close":
            await self.close()
        return Answer(int(status.split()[1]), answered, content)

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
