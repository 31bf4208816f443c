"""Imports go one way, and the web process starts without what only workers need."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

#: Of each package, those that it may not know.
ABOVE = {"codec": ("django", "evaluation", "listening"), "evaluation": ("listening",)}

#: Slow or large. `pandas` loads pyarrow's core by itself, so of pyarrow only the file format is here.
HEAVY = (
    "torch", "librosa", "scipy.stats", "scipy.signal", "scipy.optimize", "matplotlib", "weasyprint",
    "statsmodels", "pyarrow.parquet", "onnxruntime", "resvg_py", "pesq", "pystoi",
)  # fmt: skip


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module))
    return names


@pytest.mark.parametrize("package", ABOVE)
def test_imports_go_one_way(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert len(files) > 10
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imported(path)
        if name.split(".")[0] in ABOVE[package]
    }
    assert not wrong


def test_no_module_takes_anothers_private_names() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {node.module}.{alias.name}"
        for package in ("codec", "evaluation", "listening")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.split(".")[0] in (*ABOVE, "listening")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    }
    assert not wrong


def test_the_web_process_starts_light() -> None:
    code = (
        "import sys, listening.site.wsgi\n"
        "from django.urls import get_resolver\n"
        "assert len(get_resolver().url_patterns) > 3\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert not done.stdout.split()
