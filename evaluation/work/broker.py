"""Whether the broker is the one that messages were sent to: one that starts anew may have lost them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from celery import current_app

logger = logging.getLogger(__name__)

#: Where a Redis server keeps the run id by which the last sweep knew it; it may have forgotten that, too.
_KEY = "earshot:known-run"


@contextmanager
def noticing_a_new_one() -> Iterator[bool]:
    """Whether the broker was started since the last sweep. It counts as known after the block.

    False where the broker cannot be reached, or is no Redis server.
    """
    try:
        with current_app.connection_for_write() as connection:
            if connection.transport.driver_type != "redis":
                yield False
                return
            client = connection.default_channel.client
            run = str(client.info("server")["run_id"])
            known = client.get(_KEY)
            is_new = known is None or (known.decode() if isinstance(known, bytes) else str(known)) != run
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        logger.warning("The message broker cannot be asked who it is (%s).", error)
        yield False
        return
    yield is_new
    if is_new:
        _remember(run)


def _remember(run: str) -> None:
    try:
        with current_app.connection_for_write() as connection:
            connection.default_channel.client.set(_KEY, run)
    except Exception as error:  # noqa: BLE001 - as above; the next sweep notices it again
        logger.warning("The message broker cannot be told that it is known (%s).", error)
