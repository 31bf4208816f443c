"""What the API answers, as far as it is shown."""

from __future__ import annotations

from typing import TypedDict


class Study(TypedDict):
    """What is shown of a study in the API."""

    name: str
    method: str
    status: str
    error: str
    systems: list[str]
    listener_url: str
    sessions_started: int
    sessions_finished: int


class Results(TypedDict):
    """What is shown of another tool's results in the API."""

    title: str
    methods: list[str]
    listeners: int
    items: list[str]
    answers: int
    systems: dict[str, str]
    notes: list[str]
    personal: list[str]


class Group(TypedDict):
    """Pages of a configuration that can be a study together."""

    method: str
    pages: list[object]
    systems: list[str]


class Note(TypedDict):
    """What becomes of a line of a configuration."""

    kind: str
    line: int
    text: str


class Import(TypedDict):
    """What is shown of another tool's file in the API."""

    results: Results | None
    groups: list[Group]
    report: list[Note]
