"""Only one module deletes files of the site."""

from __future__ import annotations

import ast

from tests.conftest import ROOT
from tests.sources import nodes_of


def test_only_removal_deletes_stored_files() -> None:
    found = set()
    for package in ("evaluation", "listening"):
        for path in (ROOT / package).rglob("*.py"):
            for node in nodes_of(path)[ast.Call]:
                if isinstance(node.func, ast.Attribute) and node.func.attr == "delete":
                    whose = ast.unparse(node.func.value)
                    if whose.endswith("storage") or any(word.arg == "save" for word in node.keywords):
                        found.add(path.relative_to(ROOT).as_posix())
    # Backups and their locks lie in a storage of their own, with files that no row names.
    backup = {f"listening/operations/backup/{name}.py" for name in ("make", "targets")}
    assert found == {"evaluation/clips/removal.py"} | backup
