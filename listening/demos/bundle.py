"""ES modules as one classic script: a page that is opened from disk may not load modules.

Understands how the modules in static/js are written, and nothing more: each import and export stands at the
beginning of a line, imports name what they take, and what is exported is exported where it is declared.
"""

from __future__ import annotations

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.M)
_EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const)\s+(\w+))", re.M)
_TYPES = re.compile(r"^[ \t]*/\*\*.*?\*/\n", re.M | re.S)
_OTHER = re.compile(r"^(?:import|export)\b.*$", re.M)


def bundle(entry: Path) -> str:
    """The module at `entry` and all that it imports, each once, those that are imported first.

    Raises:
        ValueError: a module is written in another way, or modules import each other in a circle.
    """
    parts: list[str] = []
    names: dict[Path, str] = {}
    _add(entry.resolve(), names, parts, ())
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _add(path: Path, names: dict[Path, str], parts: list[str], within: tuple[Path, ...]) -> str:
    """Append the module at `path` after those that it imports; returns the name of its exports."""
    if path in names:
        return names[path]
    if path in within:
        raise ValueError(f"{path.name} imports itself by way of {within[-1].name}.")
    source = path.read_text(encoding="utf-8")

    def take(found: re.Match[str]) -> str:
        module = _add((path.parent / found[2]).resolve(), names, parts, (*within, path))
        taken = ", ".join(part.strip().replace(" as ", ": ") for part in found[1].split(",") if part.strip())
        return f"const {{ {taken} }} = {module};\n"

    body = _IMPORT.sub(take, _TYPES.sub("", source))
    exported = [found[2] for found in _EXPORT.finditer(body)]
    body = _EXPORT.sub(r"\1", body)
    if other := _OTHER.search(body):
        raise ValueError(f"{path.name}: cannot bundle “{other[0]}”.")
    names[path] = f"module{len(names)}"
    parts.append(f"const {names[path]} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n")
    return names[path]
