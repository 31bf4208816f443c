"""What the documents name exists: paths, commands, functions, links."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

from evaluation.metrics import METRICS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
#: Rooms that the documents leave off a path where the sentence says which one is meant.
ROOMS = (
    "", "codec/bpgan/", "evaluation/", "evaluation/analysis/", "listening/", "listening/interchange/",
    "listening/results/", "templates/", "docs/",
)  # fmt: skip
#: How a path ends; what is quoted with another ending is a format, a route or a file that somebody brings.
ENDINGS = (".py", ".html", ".js", ".css", ".md", ".toml", ".npz", "/")
#: What a reader is told to make.
TO_MAKE = {"codec/mulaw.py"}


@cache
def tracked() -> frozenset[str]:
    """Every file and folder of the repository, folders with a slash at the end."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    paths = {path for path in listed if (ROOT / path).exists()}
    folders = {f"{parent}/" for path in paths for parent in Path(path).parents if parent != Path()}
    return frozenset(paths | folders)


def quoted(document: Path) -> list[str]:
    """What stands between backticks, outside blocks of code."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.S | re.M)
    return re.findall(r"`([^`\n]+)`", text)


def is_path(word: str) -> bool:
    return re.fullmatch(r"[\w./-]+", word) is not None and "/" in word.rstrip("/") and word.endswith(ENDINGS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = {word.split("::")[0] for word in quoted(document)}
    paths = {word for word in named if is_path(word) and not word.startswith(("/", "api/"))}
    missing = {path for path in paths - TO_MAKE if not any(room + path in tracked() for room in ROOMS)}
    assert missing == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    for word in quoted(document):
        path, found, name = word.partition("::")
        if found:
            assert re.search(rf"\b(def|class) {re.escape(name)}\b", (ROOT / path).read_text()), word


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    commands = set(re.findall(r"manage\.py (\w+)", text))
    assert commands <= set(get_commands()), commands - set(get_commands())
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    made = set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.M))
    assert made <= targets, made - targets
    for module in set(re.findall(r"python -m ((?:codec|evaluation|listening|tests)[\w.]*)", text)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_tables_of_the_architecture_name_what_is_there() -> None:
    """`file`, `name` in one cell: the file defines the name."""
    found = 0
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        for path, name in re.findall(r"`([\w./]+\.py)`, `(\w+)`", line):
            text = next((ROOT / room / path).read_text() for room in ROOMS if (ROOT / room / path).exists())
            assert re.search(rf"(def|class) {name}\b|^ *{name}\b *[:=]", text, re.M), (path, name)
            found += 1
    assert found >= 3


def test_the_document_of_metrics_says_what_the_code_says() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    for metric in METRICS.values():
        made = ", ".join(metric.domain.describe())
        command = f"`{metric.command}`" if metric.command else "upload"
        named, made_for = f"{metric.title} (`{metric.slug}`)", f"{made}. {metric.domain.usual}"
        assert f"| {named} | {metric.note} | {made_for} | {command} |" in text
