"""A file that is twice as long takes about twice as long: nobody holds a thread with a few megabytes."""

from __future__ import annotations

import contextlib
import io
import json
import time
import zipfile
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from listening.interchange.imports import read_results
from listening.interchange.imports.configuration import read_configuration
from listening.interchange.imports.drafts import keep
from listening.interchange.imports.reading import ImportProblem
from listening.interchange.imports.yaml_lines import has_pages
from tests.rows import some

HEAD = "listener,item,system,score\n"


def rows(count: int, row: Callable[[int], str]) -> bytes:
    return (HEAD + "".join(row(number) for number in range(count))).encode()


def records(count: int) -> bytes:
    return json.dumps(
        [{"listener": f"l{n}", "item": "i", "system": "s", "score": 5} for n in range(count)]
    ).encode()


FILES: dict[str, Callable[[int], bytes]] = {
    "listeners": lambda size: rows(size, lambda n: f"l{n},i,s,5\n"),
    "items": lambda size: rows(size, lambda n: f"l,i{n},s{n % 5},5\n"),
    "systems": lambda size: rows(size, lambda n: f"l,i,s{n},5\n"),
    "bad cells": lambda size: rows(size, lambda n: f"l,i{n},s,x{n}\n"),
    "blank lines": lambda size: b"\n" * (20 * size) + rows(1, lambda n: "l,i,s,5\n"),
    "quotes": lambda size: b'"' * (50 * size),
    "JSON": records,
}


def seconds(read: Callable[[bytes], object], content: bytes) -> float:
    """Processor time, the least of three."""
    took = []
    for _ in range(3):
        start = time.process_time()
        with contextlib.suppress(ImportProblem):
            read(content)
        took.append(time.process_time() - start)
    return min(took)


@pytest.mark.parametrize("shape", some(FILES, {"listeners", "quotes", "JSON"}.__contains__))
def test_results_take_time_by_their_length(shape: str) -> None:
    make = FILES[shape]
    ratios = []
    for _ in range(3):  # the machine may be busy; what is quadratic is so each time
        ratios.append(seconds(read, make(1600)) / max(0.005, seconds(read, make(800))))
        if ratios[-1] <= 2.6:
            return
    raise AssertionError(ratios)


def read(content: bytes) -> object:
    return read_results(content, {})


def test_looking_for_pages_takes_time_by_the_length() -> None:
    # Quadratic, a megabyte of blank lines took minutes.
    assert not has_pages(b"\n" * 1_000_000)
    assert has_pages(b"\n\n  'pages' : []")


@pytest.mark.parametrize(
    "text", [f"a,{'b,' * 900_000}\n1\n", json.dumps([{f"k{n}": 5 for n in range(1001)}])]
)
def test_a_table_of_too_many_columns_is_refused(text: str) -> None:
    with pytest.raises(ImportProblem, match=r"This table has (900001|1001) columns; tables of up to 1000"):
        read_results(text.encode(), {})


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    body = '[{"listener": "a", "item": "b", "system": "c", "score": %s}]' % ("9" * 5000)
    with pytest.raises(ImportProblem, match="thousands of digits"):
        read_results(body.encode(), {})


def test_a_configuration_of_too_many_entries_is_refused_while_it_is_read() -> None:
    with pytest.raises(ImportProblem, match="more than 20000 entries"):
        read_configuration("pages:\n" + "- {a: 1}\n" * 50_000)


@pytest.mark.rest
def test_pages_of_text_take_time_by_their_number() -> None:
    def configuration(pages: int) -> bytes:
        return b"pages:\n" + b"- {type: generic, content: c}\n" * pages

    def read(content: bytes) -> object:
        return read_configuration(content.decode())

    ratios = []
    for _ in range(3):  # as above
        ratios.append(seconds(read, configuration(2400)) / seconds(read, configuration(1200)))
        if ratios[-1] <= 2.6:
            return
    raise AssertionError(ratios)


def test_too_many_entries_are_counted_sooner_than_a_tenth_of_them_is_read() -> None:
    def configuration(entries: int) -> bytes:
        return b"pages:\n" + b"- {a: 1}\n" * entries

    def read(content: bytes) -> object:
        return read_configuration(content.decode())

    for _ in range(3):  # as above
        if seconds(read, configuration(100_000)) < seconds(read, configuration(1_000)):
            return
    raise AssertionError("it is read before it is counted")


@pytest.mark.parametrize("opening", ["[", "- "])
def test_deep_nesting_is_refused_with_its_line(opening: str) -> None:
    with pytest.raises(ImportProblem, match=r"nested too deeply") as refused:
        read_configuration("pages:\n" + opening * 100_000)
    assert refused.value.line == 2


def test_half_a_character_is_refused_though_libyaml_cannot_count_it() -> None:
    with pytest.raises(ImportProblem, match="does not allow") as refused:
        read_configuration("pages:\n- {a: \ud800}\n")
    assert refused.value.line == 2


def test_a_zip_of_too_many_entries_is_refused_unread(alice: User) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.yaml", "pages: []")
    whole = bytearray(content.getvalue())
    whole[-14:-10] = (0xFFFF).to_bytes(2, "little") * 2  # the numbers of entries
    with pytest.raises(ImportProblem, match="about 65535 entries; 20000 files at most"):
        keep(alice, SimpleUploadedFile("x.zip", bytes(whole)))
    whole[-14:-10] = (1).to_bytes(2, "little") * 2
    whole[-10:-6] = (60_000_000).to_bytes(4, "little")  # a directory of 60 MB that says it has one entry
    with pytest.raises(ImportProblem, match="about 200000 entries"):
        keep(alice, SimpleUploadedFile("x.zip", bytes(whole)))
