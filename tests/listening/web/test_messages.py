"""No word for listeners stays English by accident: catalogues follow sources, no text is left unmarked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from listening.management.commands.collect_messages import (
    FUNCTIONS,
    RESEARCHERS_TEMPLATES,
    calls_in,
    messages_of,
    researchers_messages,
)
from tests.conftest import ROOT
from tests.listening import catalogues
from tests.sources import Nodes, dotted, nodes_in, nodes_of

TEMPLATES = ROOT / "templates"
#: What listeners meet. (What a folder holds of results is for researchers, whose pages are in English.)
FOR_LISTENERS = sorted(
    path
    for pattern in ("session/**/*.html", "methods/**/*.html")
    for path in (TEMPLATES / "listening").glob(pattern)
    if not path.name.startswith(("_results", "_figure", "_differences"))
)
TRANSLATE = re.compile(r"""{%\s*trans(?:late)?\s+(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
BLOCK = re.compile(r"{%\s*blocktrans(?:late)?\b(.*?)%}(.*?){%\s*endblocktrans(?:late)?\s*%}", re.S)
SCRIPT = re.compile(r'\bgettext\(\s*"((?:[^"\\]|\\.)*)"')


def of_template(text: str) -> Iterator[str]:
    """The messages of a template."""
    for found in TRANSLATE.finditer(text):
        yield found.group(1) or found.group(2)
    for found in BLOCK.finditer(text):
        options, body = found.groups()
        body = re.split(r"{%\s*plural\s*%}", body)[0]  # catalogues know it by its singular
        if "trimmed" in options.split():
            body = " ".join(line.strip() for line in body.splitlines() if line.strip())
        yield re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", body)
    yield from re.findall(r'{{[^}]*\b_\("([^"]*)"\)', text)


@cache
def shown_by(path: Path) -> frozenset[str]:
    return frozenset(of_template(path.read_text()))


def of_script(text: str) -> Iterator[str]:
    for found in SCRIPT.finditer(text):
        yield ast.literal_eval(f'"{found.group(1)}"')


def sources() -> list[Path]:
    """The Python files that may hold messages to people on pages; training is for the command line."""
    bpgan = ROOT / "codec" / "bpgan"
    paths = [
        *(ROOT / "codec").glob("*.py"),
        *(ROOT / "codec" / "recordings").glob("*.py"),
        bpgan / "system.py",
    ]
    for room in ("entropy", "network", "search"):
        paths += [path for path in (bpgan / room).glob("*.py") if path.name != "trials.py"]
    for package in ("listening", "evaluation"):
        paths += (ROOT / package).rglob("*.py")
    return sorted(path for path in paths if "migrations" not in path.parts)


def messages_in(path: Path) -> set[str]:
    """The messages of a Python file."""
    return set(messages_of(nodes_of(path)[ast.Call]))


@cache
def for_researchers() -> frozenset[str]:
    return frozenset(researchers_messages(ROOT, lambda path: nodes_of(path)[ast.Call]))


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
        for message in shown_by(path)
    }
    for path in sources():
        for message in messages_in(path):
            found.setdefault(message, str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_catalogues_hold_what_listeners_meet(domain: str) -> None:
    """If this fails: ``python manage.py collect_messages``, and translate what is new."""
    found = collected(domain)
    if domain == "django":
        template = {message.text for message in catalogues.read(ROOT / "locale" / "django.pot")}
        assert template == set(found), "locale/django.pot holds every message, researchers' too"
        pages = list(TEMPLATES.rglob("*.html"))
        listeners = [
            path for path in pages if not RESEARCHERS_TEMPLATES.match(path.relative_to(ROOT).as_posix())
        ]
        met = set().union(*map(shown_by, listeners))
        coded = {text for path in sources() for text in messages_in(path)}
        theirs = (for_researchers() | (set().union(*map(shown_by, pages)) - coded)) - met
        assert len(theirs) > 200
        found = {text: where for text, where in found.items() if text not in theirs}
    assert len(found) > 40
    for path in sorted((ROOT / "locale").glob(f"*/LC_MESSAGES/{domain}.po")):
        known = {message.text for message in catalogues.read(path)}
        new = {text: where for text, where in found.items() if text not in known}
        assert not new, f"{path.parts[-3]} lacks these messages"
        assert not known - set(found), f"{path.parts[-3]} has messages that nothing says"


def test_what_listeners_are_refused_with_is_in_their_catalogues() -> None:
    """Of every refusal that a listener's own requests can end in, wherever it is raised."""
    theirs = for_researchers()
    refusals = {
        "BadRating",
        "UnknownStimulus",
        "TrialFinished",
        "TrialNotOpen",
        "StudyClosed",
        "GradesMissing",
    }
    said = {
        message
        for path in sources()
        if any(f"{name}(" in path.read_text() for name in refusals)
        for call in nodes_of(path)[ast.Call]
        if dotted(call.func) in refusals
        for message in messages_of(calls_in(call))
    }
    assert len(said) > 20
    assert not said & theirs


# -- Refusals


@cache
def refusal_classes() -> frozenset[str]:
    """Names of `Refusal`, `CodecError` and all that inherit from them."""
    bases = {
        node.name: {
            base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases
        }
        for path in sources()
        for node in nodes_of(path)[ast.ClassDef]
    }
    names = {"Refusal", "CodecError"}
    while more := {name for name, found in bases.items() if found & names} - names:
        names |= more
    return frozenset(names)


#: Where a message stands among the arguments of what shows it.
SHOWN = {"ValidationError": 0, "add_error": 1, "error": 1, "success": 1, "info": 1, "warning": 1, "debug": 1}


def untranslatable(nodes: Nodes, classes: frozenset[str]) -> list[str]:
    """The messages to people in Python code that no catalogue can have.

    A message is a literal in a call of a gettext function, or a name of one: a constant, an argument that is
    annotated as `Text`, or a refusal that was caught.
    """
    names: set[str] = set()
    for node in nodes[ast.ExceptHandler]:
        if node.name and node.type:
            caught = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            names |= {node.name} if caught & {*classes, "BadColumn"} else set()
    for node in nodes[ast.arg]:
        if node.annotation:
            kinds = {each.id for each in ast.walk(node.annotation) if isinstance(each, ast.Name)}
            names |= {node.arg} if {"Text", "Refusal"} & kinds else set()
    of_message = {"Message", "str", *classes}

    def translates(node: ast.expr) -> bool:
        if isinstance(node, ast.IfExp):
            return translates(node.body) and translates(node.orelse)
        if isinstance(node, ast.BoolOp):
            return all(map(translates, node.values))
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Mod) and translates(node.left)
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            if called in FUNCTIONS and next(messages_of(calls_in(node)), None) is not None:
                return True
            if called == "list" and ast.unparse(node) == "list(map(str, error.fields.values()))":
                return True  # of a refusal, which has been looked at where it was made
            if called == "translate_error":
                return True
            if called in of_message:
                return not node.args or translates(node.args[0])
            return False
        return isinstance(node, ast.Name) and node.id in names

    before = -1
    while len(names) != before:  # names of names
        before = len(names)
        for node in nodes[ast.Assign]:
            if translates(node.value):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    wrong = []
    for node in nodes[ast.Call]:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in classes or (
            called in {"problem", "_problem"}
            and dotted(node.func) in {"row.problem", "self.problem", "self._problem"}
        ):
            at = 0
        elif called in SHOWN and ast.unparse(node.func).startswith(("forms.", "messages.", "self.", "form.")):
            at = SHOWN[called]
        else:
            continue
        if len(node.args) > at and not translates(node.args[at]):
            wrong.append(f"line {node.lineno}: {ast.unparse(node)}")
    return wrong


#: Not messages of ours: what is wrong with single questions or thresholds, worded and translated where it is
#: found; integers of bytes that the class words; notes of an archive that was taken.
WORDED_ELSEWHERE = frozenset({
    "QuestionnaireError", "ClipTooLarge", "ClipInUse", "TrialRunsExist", "TooManyTries", "TooManyAtOnce",
    "GradesMissing", "TooManyEvents", "UnknownKeys", "Forbidden", "RenditionsMissing",
})  # fmt: skip


def test_every_message_to_a_person_can_be_translated() -> None:
    classes = refusal_classes() - WORDED_ELSEWHERE
    wrong = {str(path.relative_to(ROOT)): untranslatable(nodes_of(path), classes) for path in sources()}
    # The notes of an archive are translated where the archive is read.
    wrong["listening/web/views/imports.py"] = [
        line for line in wrong["listening/web/views/imports.py"] if "messages.info(request, note)" not in line
    ]
    assert not {path: lines for path, lines in wrong.items() if lines}


@pytest.mark.parametrize(
    "code",
    [
        'raise Refusal("No.")',
        'raise Refusal(f"No {name}.")',
        'raise Refusal("No %s." % name)',
        'raise Refusal("No {}.".format(name))',
        'raise Refusal(_(f"No {name}."))',
        "raise Refusal(_(TEXT))",
        'raise Refusal(Message("No."))',
        'raise Refusal(_("No.") if name else "Never.")',
        'said = "No."\nraise Refusal(said)',
        "try:\n    pass\nexcept ValueError as error:\n    raise Refusal(str(error))",
        'messages.error(request, "No.")',
        'raise forms.ValidationError("No.")',
        'self.add_error("name", f"No {name}.")',
    ],
)
def test_a_message_that_cannot_be_translated_is_found(code: str) -> None:
    assert untranslatable(nodes_in(code), frozenset({"Refusal"}))


@pytest.mark.parametrize(
    "code",
    [
        'raise Refusal(_("No."))',
        'raise Refusal(_("No %(name)s."), name=name)',
        'NO = _("No.")\nraise Refusal(NO)',
        'raise Refusal(Message(_("No %(name)s."), name=name))',
        "try:\n    pass\nexcept Refusal as refusal:\n    raise Refusal(refusal) from None",
        "def refuse(message: Text):\n    raise Refusal(message)",
        'messages.error(request, _("No %(name)s.") % {"name": name})',
    ],
)
def test_a_message_that_can_be_translated_is_let_be(code: str) -> None:
    assert not untranslatable(nodes_in(code), frozenset({"Refusal"}))


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
