"""Collect the messages of pages and scripts into locale/, and compile translations (needs GNU gettext).

``locale/django.pot`` holds every message. The languages' catalogues hold only the messages that listeners
can meet: researchers' pages are in English.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from listening.study.languages import LANGUAGES

#: Files that never contain messages.
IGNORED = [
    ".venv/*",
    "var/*",
    "tests/*",
    "codec/bpgan/training/*",
    "codec/bpgan/reports/*",
    "docs/*",
    "static/vendor/*",
    "build/*",
    "node_modules/*",
]
#: Python files whose messages only researchers can meet.
RESEARCHERS = re.compile(
    r"codec/|evaluation/(?!refusals\.py)|listening/(columns|delivery|demos|interchange|management|results|simulation)/|listening/people/(?!letters\.py)"
    r"|listening/models/|listening/study/(contents|design|lacking|preparing|recruitment|sealing|settings|stimuli|studies)\.py"
    r"|listening/web/(api|forms)/|listening/web/(accounts|audit|inviting|leaving)\.py"
    r"|listening/web/views/(account|accounts|administration|check|demo_editor|demos|exports|home|imports|metrics|made_files|oidc|operator|report|results|setup|sharing|signup|simulation|studies)\.py"
)
#: Templates that only researchers can meet.
RESEARCHERS_TEMPLATES = re.compile(
    r"templates/evaluation/|templates/listening/(account|demos|documents|front|history|home|invitation|made_file|mail_sent|operator|unsubscribe|setup|sharing|results|report|import|stimuli|stud|sign(in|up)|metrics|_export|_import"
    r"|_metrics|_status|methods/(_results|_figure))"
)
#: Refusals in other files that only researchers can meet.
RESEARCHERS_REFUSALS = {"StudyError", "OptionProblem", "QuestionnaireError", "Refusal", "refuse"}
FUNCTIONS = {"gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "_"}


def calls_in(tree: ast.AST) -> list[ast.Call]:
    """All calls in Python code."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def calls_of(path: Path) -> list[ast.Call]:
    """All calls of a file."""
    return calls_in(ast.parse(path.read_text(encoding="utf-8")))


def messages_of(calls: Iterable[ast.Call]) -> Iterator[str]:
    """All messages that calls mark for translation; plurals by their singular."""
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS and call.args:
            first = call.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _refuses(call: ast.Call) -> bool:
    """Whether a call makes one of `RESEARCHERS_REFUSALS`, by its name or its `of_field`."""
    made = call.func
    if isinstance(made, ast.Attribute) and made.attr == "of_field":
        made = made.value
    return isinstance(made, ast.Name) and made.id in RESEARCHERS_REFUSALS


def researchers_messages(root: Path, calls_of: Callable[[Path], list[ast.Call]] = calls_of) -> set[str]:
    """The messages of Python code below `root` that only researchers can meet."""
    theirs: set[str] = set()
    listeners: set[str] = set()
    for package in ("codec", "evaluation", "listening"):
        for path in sorted((root / package).rglob("*.py")):
            calls = calls_of(path)
            found = set(messages_of(calls))
            if RESEARCHERS.match(path.relative_to(root).as_posix()):
                theirs |= found
                continue
            refused = {message for call in calls if _refuses(call) for message in messages_of(calls_in(call))}
            theirs |= refused
            listeners |= found - refused
    return theirs - listeners


def _drop(path: Path, messages: set[str]) -> None:
    """Remove `messages`, and those that only occur in researchers' templates, from a catalogue."""
    kept = []
    for entry in path.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in entry.splitlines() if not line.startswith("#")]
        text = "".join(
            ast.literal_eval(line.removeprefix("msgid "))
            for line in lines[: next((n for n, line in enumerate(lines) if line.startswith("msgstr")), 0)]
            if not line.startswith(("msgid_plural", "msgctxt"))
        )
        places = re.findall(r"\S+\.(?:html|py)", entry.split("msgid", 1)[0])
        pages = [place for place in places if place.endswith(".html")]
        listeners = not all(map(RESEARCHERS_TEMPLATES.match, pages))
        coded = any(place.endswith(".py") for place in places)
        if listeners or not text or (coded and text not in messages):
            kept.append(entry.rstrip("\n"))
    path.write_text("\n\n".join(kept) + "\n", encoding="utf-8")


class Command(BaseCommand):
    """Bring the catalogues up to date with templates, Python and scripts; new messages are left empty."""

    help = "Collect messages into locale/ and compile the translations."

    def handle(self, *args: Any, **options: Any) -> None:
        os.chdir(settings.BASE_DIR)
        locales = [code for code in LANGUAGES if code != "en"]
        for domain, extensions in (("django", ["html", "py"]), ("djangojs", ["js"])):
            call_command(
                "makemessages",
                locale=locales,
                domain=domain,
                extensions=extensions,
                ignore_patterns=IGNORED,
                keep_pot=domain == "django",
                no_wrap=True,
                no_obsolete=True,
                add_location="file",
                verbosity=0,
            )
        theirs = researchers_messages(settings.BASE_DIR)
        for locale in locales:
            _drop(settings.BASE_DIR / "locale" / locale / "LC_MESSAGES" / "django.po", theirs)
        call_command("compilemessages", locale=locales, ignore_patterns=IGNORED, verbosity=0)
