"""Files are read in processes of their own: what takes too long or too much ends there, and is told once."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from listening.interchange.imports import confined
from listening.interchange.imports.confined import read_confined
from listening.interchange.imports.reading import ImportProblem

KEYS = count()


def name_process(_: str) -> int:
    return os.getpid()


def compute_for_ever(_: str) -> None:
    while True:
        pass


def take_memory(_: str) -> int:
    return len(bytearray(4 * confined.MEMORY))


def nest(text: str) -> Any:
    return nest(text)


def die(_: str) -> None:
    os.abort()


def refuse(text: str) -> None:
    raise ImportProblem.of_field("extra", gettext_lazy("The file is empty."))


def test_reads_elsewhere_and_once() -> None:
    key = next(KEYS)
    first = read_confined(key, name_process, "")
    assert first != os.getpid()
    assert read_confined(key, name_process, "") == first
    assert read_confined(next(KEYS), name_process, "") != first


@pytest.mark.parametrize(
    ("read", "said", "is_kept"),
    [
        (compute_for_ever, "takes too long to read", False),
        (take_memory, "takes too much memory", True),
        (nest, "nested too deeply", True),
        (die, "takes too long to read", False),
    ],
)
def test_what_exceeds_a_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], object], said: str, is_kept: bool
) -> None:
    monkeypatch.setattr(confined, "SECONDS", 0.0)  # and the one second that `limit_process` adds
    key = next(KEYS)
    with pytest.raises(ImportProblem, match=said):
        read_confined(key, read, "")
    monkeypatch.setattr(confined, "_run", lambda *_: pickle.dumps((None, "read")))
    if is_kept:
        with pytest.raises(ImportProblem, match=said):
            read_confined(key, read, "")
    else:  # the machine may have been under load: the next look reads it again
        assert read_confined(key, read, "") == "read"


def test_a_refusal_comes_back_whole() -> None:
    with pytest.raises(ImportProblem) as caught:
        read_confined(next(KEYS), refuse, "")
    assert list(caught.value.fields) == ["extra"]
    with translation.override("de"):
        assert str(caught.value) == str(gettext_lazy("The file is empty."))
