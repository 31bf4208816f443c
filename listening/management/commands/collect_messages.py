"""Collect what listeners read and hear into locale/, and compile the translations (needs GNU gettext)."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from listening.study.languages import LANGUAGES

#: What never holds a listener's words.
IGNORED = [".venv/*", "var/*", "tests/*", "codec/*", "docs/*", "static/vendor/*", "build/*", "node_modules/*"]


class Command(BaseCommand):
    """Bring the catalogues up to date with templates, Python and scripts; new messages are left empty."""

    help = "Collect listeners' messages into locale/ and compile them."

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
                no_wrap=True,
                no_obsolete=True,
                add_location="file",
                verbosity=0,
            )
        call_command("compilemessages", locale=locales, ignore_patterns=IGNORED, verbosity=0)
