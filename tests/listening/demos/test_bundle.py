"""What the bundler of the exported page takes, and what it refuses rather than guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from listening.demos.bundle import bundle
from tests.conftest import ROOT


def write(folder: Path, **modules: str) -> Path:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)
    return folder / "main.js"


def test_what_is_imported_comes_first_and_once(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        main='import { a as b } from "./one.js";\nimport { c } from "./two.js";\nb(c);\n',
        one='import { c } from "./two.js";\n/** @param {any} x */\nexport function a(x) { return x + c; }\n',
        two="export const c = 1;\n",
    )
    made = bundle(entry)
    assert made.count("const c = 1;") == 1
    assert made.index("const c = 1;") < made.index("function a(x)") < made.index("b(c);")
    assert "const { a: b } = module1;" in made
    assert "@param" not in made
    assert "import " not in made
    assert "export " not in made


@pytest.mark.parametrize(
    "modules",
    [
        {"main": "export default 1;\n"},
        {"main": 'import * as one from "./one.js";\n', "one": ""},
        {"main": 'import { a } from "./one.js";\n', "one": 'import { b } from "./main.js";\n'},
    ],
)
def test_what_it_does_not_know_is_refused(tmp_path: Path, modules: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"cannot bundle|imports itself"):
        bundle(write(tmp_path, **modules))


def test_the_player_of_the_page_can_be_bundled() -> None:
    assert "class Player " in bundle(ROOT / "static/js/demo/page.js")
