"""No word for listeners stays English by accident: catalogues follow sources, no text is left unmarked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.listening import catalogues

TEMPLATES = ROOT / "templates"
#: What listeners meet. (What a folder holds of results is for researchers, whose pages are in English.)
FOR_LISTENERS = sorted(
    path
    for pattern in ("session/**/*.html", "methods/**/*.html")
    for path in (TEMPLATES / "listening").glob(pattern)
    if not path.name.startswith(("_results", "_figure"))
)
TRANSLATE = re.compile(r"""{%\s*trans(?:late)?\s+(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
BLOCK = re.compile(r"{%\s*blocktrans(?:late)?\b(.*?)%}(.*?){%\s*endblocktrans(?:late)?\s*%}", re.S)
SCRIPT = re.compile(r'\bgettext\(\s*"((?:[^"\\]|\\.)*)"')
FUNCTIONS = {"gettext", "gettext_lazy", "gettext_noop", "_", "_lazy"}


def of_template(text: str) -> Iterator[str]:
    for found in TRANSLATE.finditer(text):
        yield found.group(1) or found.group(2)
    for found in BLOCK.finditer(text):
        options, body = found.groups()
        if "trimmed" in options.split():
            body = " ".join(line.strip() for line in body.splitlines() if line.strip())
        yield re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", body)


def of_python(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if alias.name in FUNCTIONS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)


def of_script(text: str) -> Iterator[str]:
    for found in SCRIPT.finditer(text):
        yield ast.literal_eval(f'"{found.group(1)}"')


def collected(domain: str) -> dict[str, str]:
    """Every message of the sources, with the file that has it first."""
    if domain == "djangojs":
        return {
            message: str(path.relative_to(ROOT))
            for path in sorted((ROOT / "static" / "js").rglob("*.js"))
            for message in of_script(path.read_text())
        }
    found = {
        message: str(path.relative_to(ROOT))
        for path in sorted(TEMPLATES.rglob("*.html"))
        for message in of_template(path.read_text())
    }
    for package in ("listening", "evaluation"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for message in of_python(path.read_text()):
                found.setdefault(message, str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_catalogues_hold_what_the_sources_say(domain: str) -> None:
    """If this fails: ``python manage.py collect_messages``, and translate what is new."""
    sources = collected(domain)
    assert len(sources) > 40
    for path in sorted((ROOT / "locale").glob(f"*/LC_MESSAGES/{domain}.po")):
        known = {message.text for message in catalogues.read(path)}
        new = {text: where for text, where in sources.items() if text not in known}
        assert not new, f"{path.parts[-3]} lacks these messages"
        assert not known - set(sources), f"{path.parts[-3]} has messages that nothing says"


class Visible(HTMLParser):
    """Collects the letters that a reader of the page would see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("input", "br", "meta", "link", "path", "img", "hr"):
            self.inside.append(tag)
        for name, value in attrs:
            if name in ("aria-label", "title", "placeholder", "alt") and value:
                self.words.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        # Keys are called what is printed on them.
        if not {"kbd", "script", "style"} & set(self.inside):
            self.words.append(data)


@pytest.mark.parametrize("path", FOR_LISTENERS, ids=lambda path: path.name)
def test_every_text_in_a_listeners_template_can_be_translated(path: Path) -> None:
    text = BLOCK.sub("", path.read_text())
    text = re.sub(r"{#.*?#}|{%\s*comment.*?endcomment\s*%}", "", text, flags=re.S)
    text = re.sub(r"{{.*?}}|{%.*?%}", "", text, flags=re.S)
    visible = Visible()
    visible.feed(text)
    names = {"Earshot", "A", "B", "C", "X", "I", "O", "dB", "UTC"}
    left = {word for text in visible.words for word in re.findall(r"[^\W\d_]+", text)} - names
    assert not left, f"not marked for translation: {sorted(left)}"
