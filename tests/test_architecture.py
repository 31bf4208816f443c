"""The floor plan: which room may import which, no circle anywhere, and a web process that starts light.

A room is a folder, or a single file beside the folders. `PLAN` names each with the rooms of its package
that it may import; a new room is a line here. Imports inside functions count like all others.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.sources import nodes_of

#: Lower packages first; a package may import those before it.
PACKAGES = ("codec", "evaluation", "listening", "terminal")

#: Rooms by package, from the ground up, each with those of its own package that it may import.
PLAN: dict[str, dict[str, set[str]]] = {
    "codec.bpgan": {
        "entropy": set(),
        "config": {"entropy"},
        "network": {"entropy", "config"},
        "search": {"entropy", "config", "network"},
        "system": {"entropy", "config", "network", "search"},
        "training": {"entropy", "config", "network", "search"},
        "reports": {"entropy", "config", "network", "search", "system"},
    },
    "evaluation": {
        "columns": set(),
        "refusals": set(),
        "texts": set(),
        "tracing": set(),
        "contexts": set(),
        "http": set(),
        "models": {"columns"},
        "access": {"http", "models", "refusals"},
        "analysis": set(),
        "systems": {"models"},
        "metrics": {"models"},
        "work": {"models", "refusals", "metrics"},
        "clips": {"models", "refusals", "texts", "metrics", "work"},
        "outputs": {"columns", "models", "refusals", "texts", "systems", "metrics", "work", "clips"},
        "web": {
            "columns",
            "contexts",
            "http",
            "models",
            "refusals",
            "texts",
            "access",
            "analysis",
            "systems",
            "metrics",
            "work",
            "clips",
            "outputs",
        },
        # Where Django and Celery look for them:
        "apps": {"models", "work"},
        "tasks": {"work", "clips", "outputs"},
        "templatetags": {"access", "analysis", "contexts", "models", "refusals", "systems", "web"},
        "management": {"metrics", "work", "clips"},
    },
    "listening": {
        "columns": set(),
        "methods": {"columns"},
        "models": {"columns", "methods"},
        "kinds": {"models"},
        "people": {"columns", "models", "kinds"},
        "study": {"columns", "models", "methods", "kinds"},
        "session": {"columns", "models", "methods", "kinds", "study"},
        "results": {"columns", "models", "methods", "kinds", "study", "session"},
        "simulation": {"columns", "models", "methods", "kinds", "study", "session", "results"},
        "demos": {"columns", "models", "kinds", "study", "results"},
        "interchange": {"columns", "models", "methods", "kinds", "study", "session", "results", "simulation"},
        "delivery": {"models", "results", "demos", "interchange"},
        "operations": {"models"},
        "web": {
            "columns",
            "models",
            "methods",
            "kinds",
            "study",
            "session",
            "results",
            "simulation",
            "demos",
            "interchange",
            "delivery",
            "people",
            "operations",
        },
        "site": {"models", "operations"},
        # Where Django and Celery look for them:
        "apps": {"models", "people"},
        "tasks": {"people", "study", "results", "simulation", "demos", "interchange", "delivery"},
        "templatetags": {"models", "study", "interchange"},
        "management": {"models", "people", "study", "operations", "web", "site"},
    },
    "terminal": {
        "problem": set(),
        "progress": set(),
        "shapes": set(),
        "tables": set(),
        "completion": set(),
        "local": {"problem"},
        "site": {"problem", "progress"},
        "login": {"problem", "site"},
        "names": {"problem", "site"},
        "waiting": {"progress", "site"},
        "clips": {"site", "tables", "waiting"},
        "systems": {"problem", "site", "tables", "waiting"},
        "studies": {"problem", "progress", "shapes", "site", "tables", "waiting"},
        "people": {"site", "tables"},
        "results": {"problem", "progress", "site", "tables", "waiting"},
        "imports": {"problem", "progress", "shapes", "site", "studies", "tables", "waiting"},
        "words": {
            "clips",
            "completion",
            "imports",
            "local",
            "login",
            "people",
            "results",
            "studies",
            "systems",
        },
        "__main__": {"completion", "local", "login", "names", "problem", "words"},
    },
}

#: Packages that must not be imported anywhere below a room.
BARRED = {
    "codec": ("django", "celery", "ninja"),
    "evaluation.analysis": ("django", "celery", "ninja"),
}

#: Slow or large. `pandas` loads pyarrow's core by itself, so of pyarrow only the file format is here.
HEAVY = (
    "torch", "librosa", "scipy.stats", "scipy.signal", "scipy.optimize", "matplotlib", "weasyprint",
    "statsmodels", "pyarrow.parquet", "onnxruntime", "resvg_py", "pesq", "pystoi",
)  # fmt: skip

#: Module -> the modules that it imports.
Imports = Mapping[str, set[str]]


def read_imports(root: Path = ROOT) -> dict[str, set[str]]:
    """What every module of the product imports; ``from package import module`` counts as that module."""
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if "migrations" not in path.parts
    }
    imports: dict[str, set[str]] = {}
    for module, path in paths.items():
        found = imports.setdefault(module, set())
        nodes = nodes_of(path)
        found |= {alias.name for node in nodes[ast.Import] for alias in node.names}
        for node in nodes[ast.ImportFrom]:
            assert node.level == 0, f"{module}: relative import"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in paths else node.module)
        found.discard(module)
    return imports


def room_of(module: str) -> tuple[str, str] | None:
    """Package and room of a module; None for one that stands in no plan."""
    for package in PLAN:
        if module.startswith(package + "."):
            return package, module.removeprefix(package + ".").split(".")[0]
    return None


def find_wrong_arrows(imports: Imports) -> list[str]:
    """Imports that the plan does not allow, as sentences."""
    wrong = []
    for module, names in imports.items():
        place = room_of(module)
        for name in names:
            top, target = name.split(".")[0], room_of(name)
            if top in PACKAGES and PACKAGES.index(top) > PACKAGES.index(module.split(".")[0]):
                wrong.append(f"{module} imports {name}: {top} is above")
            for below, barred in BARRED.items():
                if (module + ".").startswith(below + ".") and top in barred:
                    wrong.append(f"{module} imports {name}: {below} works without")
            if place is None or target is None or place[0] != target[0] or place == target:
                continue
            allowed = PLAN[place[0]].get(place[1])
            if allowed is None:
                wrong.append(f"{module}: the room {place[1]} is not in the plan of {place[0]}")
            elif target[1] not in allowed:
                wrong.append(f"{module} imports {name}: {place[1]} may not know {target[1]}")
    return sorted(wrong)


def find_circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of nodes that import each other, or nothing."""
    done: set[str] = set()
    for start in arrows:
        path: list[str] = []
        stack = [(start, iter(sorted(arrows.get(start, ()))))]
        on_path = {start}
        path.append(start)
        while stack:
            node, rest = stack[-1]
            following = next((name for name in rest if name not in done), None)
            if following is None:
                stack.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif following in on_path:
                return [*path[path.index(following) :], following]
            else:
                path.append(following)
                on_path.add(following)
                stack.append((following, iter(sorted(arrows.get(following, ())))))
    return []


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    return read_imports()


def test_every_import_follows_the_plan(imports: Imports) -> None:
    assert len(imports) > 250
    assert not find_wrong_arrows(imports)


def test_every_room_of_the_plan_exists_and_every_room_is_in_it(imports: Imports) -> None:
    rooms = {place for module in imports if (place := room_of(module)) is not None}
    assert rooms == {(package, room) for package, plan in PLAN.items() for room in plan}


def test_no_files_import_each_other_in_a_circle(imports: Imports) -> None:
    assert find_circle({module: names & imports.keys() for module, names in imports.items()}) == []


@pytest.mark.parametrize("package", PLAN)
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    assert find_circle(PLAN[package]) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("evaluation.work.jobs", "listening.models"),
        ("codec.audio", "evaluation.models"),
        ("codec.registry", "django.conf"),
        ("evaluation.analysis.words", "django.utils.translation"),
        ("evaluation.analysis.figures.style", "evaluation.systems"),
        ("listening.study.preparing", "listening.tasks"),
        ("listening.results.page", "listening.web.views.results"),
        ("codec.bpgan.entropy.bitstream", "codec.bpgan.network.model"),
    ],
)
def test_an_import_turned_round_is_found(imports: Imports, module: str, name: str) -> None:
    assert module in imports
    turned = {**imports, module: {*imports[module], name}}
    assert [line for line in find_wrong_arrows(turned) if line.startswith(f"{module} imports {name}")]


def test_a_circle_of_files_is_found(imports: Imports) -> None:
    turned = {module: names & imports.keys() for module, names in imports.items()}
    turned["listening.results.outcome"] = {*turned["listening.results.outcome"], "listening.results.summary"}
    circle = find_circle(turned)
    assert circle[0] == circle[-1]
    assert "listening.results.summary" in circle


def test_no_module_takes_anothers_private_names() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {node.module}.{alias.name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in nodes_of(path)[ast.ImportFrom]
        if node.module and node.module.split(".")[0] in PACKAGES
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    }
    assert not wrong


#: What reads what others wrote: presets in TOML, archives, files of other tools; and a table whose columns
#: are its part's.
UNTYPED = (
    "codec/bpgan/config.py",
    "codec/bpgan/reports/search_tables.py",
    "listening/interchange/archive/read.py",
    "listening/interchange/imports/",
)


def test_only_readers_of_foreign_formats_leave_objects_untyped() -> None:
    found = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if "dict[str, Any]" in file.read_text(encoding="utf-8")
    }
    assert not {name for name in found if not name.startswith(UNTYPED)}


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
