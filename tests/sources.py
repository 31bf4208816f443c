"""The Python of the product, parsed once for all tests that read it."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

#: The nodes of a file by their kind, outer ones first.
Nodes = dict[type[ast.AST], list[Any]]


def nodes_in(text: str) -> Nodes:
    """The nodes of Python code."""
    found: Nodes = defaultdict(list)
    for node in ast.walk(ast.parse(text)):
        found[type(node)].append(node)
    return found


@cache
def nodes_of(path: Path) -> Nodes:
    """The nodes of a file. To find them in all files takes seconds."""
    return nodes_in(path.read_text(encoding="utf-8"))


def dotted(node: ast.expr) -> str:
    """A name, with dots where it is one of something that has a name; empty for all else."""
    if isinstance(node, ast.Attribute):
        whose = dotted(node.value)
        return whose and f"{whose}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
