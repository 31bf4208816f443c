"""Collect the messages of pages and scripts into locale/, and compile translations (needs GNU gettext).

``locale/django.pot`` holds every message. The languages' catalogues hold only the messages that listeners
can meet: researchers' pages are in English.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
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


def messages_of(tree: ast.AST) -> Iterator[str]:
    """All messages that Python code marks for translation; plurals by their singular."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        first = node.args[0]
        if node.func.id in FUNCTIONS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def researchers_messages(root: Path) -> set[str]:
    """The messages of Python code below `root` that only researchers can meet."""
    theirs: set[str] = set()
    listeners: set[str] = set()
    for package in ("codec", "evaluation", "listening"):
        for path in sorted((root / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            found = set(messages_of(tree))
            if RESEARCHERS.match(path.relative_to(root).as_posix()):
                theirs |= found
                continue
            refused = {
                message
                for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                and ast.unparse(node.func).removesuffix(".of_field") in RESEARCHERS_REFUSALS
                for message in messages_of(node)
            }
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
