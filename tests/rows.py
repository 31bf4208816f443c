"""Long tables of rows: `make test` has those that stand for all, `make test-rest` the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from codec import registry

_of_class: dict[str, str] = {}
for _slug, _system in registry.SYSTEMS.items():
    _of_class.setdefault(_system.target, _slug)
_of_class[registry.SYSTEMS["bpgan-2k"].target] = "bpgan-2k"
#: A system of each class.
KINDS = frozenset(_of_class.values())


def some(rows: Iterable[Any], telling: Callable[[Any], object]) -> list[Any]:
    """All rows, for `pytest.mark.parametrize`; those that are not `telling` are left to `make test-rest`."""
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)), marks=() if telling(row) else pytest.mark.rest
        )
        for row in rows
    ]
