"""The addresses of the site's pages, as the URL configuration has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver


class Address(NamedTuple):
    """An address: its name, its route (``/s/<str:token>/``) and what its view is given besides."""

    name: str
    route: str
    defaults: dict[str, Any]

    @property
    def template(self) -> str:
        """The route with names in braces: ``/s/{token}/``."""
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.route)


def page_addresses(resolver: URLResolver | None = None, before: str = "/") -> Iterator[Address]:
    """All addresses but the API's."""
    for each in (resolver or get_resolver()).url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            if not (each.namespace or "").startswith("api"):
                yield from page_addresses(each, route)
        elif isinstance(each, URLPattern):
            yield Address(str(each.name), route, dict(each.default_args or {}))
