"""Errors to Sentry, where SENTRY_DSN is set: without addresses, names or anything that signs somebody in."""

from __future__ import annotations

import re
from typing import Any

import codec

#: Links of listeners, visitors and researchers: whoever has one acts as that person.
_TOKENS = re.compile(r"/(t|s|d|voice|signin|signup|invitation|unsubscribe)/[^/?#\s\"']+")


class SentryMissing(Exception):
    """SENTRY_DSN is set, and its package is not installed."""


def start(dsn: str, site: str) -> None:
    """Send errors of this process to `dsn`, for the site at the address `site`.

    Raises:
        SentryMissing: sentry-sdk is not installed.
    """
    try:
        import sentry_sdk
    except ImportError:
        raise SentryMissing(
            "SENTRY_DSN is set, but sentry-sdk is not installed: pip install 'earshot[sentry]'"
        ) from None
    sentry_sdk.init(
        dsn=dsn,
        release=f"earshot@{codec.__version__}",
        server_name=None,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=hide_tokens,
        before_breadcrumb=hide_tokens,
        traces_sample_rate=0.0,
    )
    sentry_sdk.set_tag("site", site)


def hide_tokens(event: Any, hint: Any = None) -> Any:
    """Replace the tokens in the addresses of an event, wherever they stand."""
    if isinstance(event, str):
        return _TOKENS.sub(r"/\1/…", event)
    if isinstance(event, dict):
        return {key: hide_tokens(value) for key, value in event.items()}
    if isinstance(event, list | tuple):
        return [hide_tokens(value) for value in event]
    return event
