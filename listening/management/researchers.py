"""What the commands that make something for a researcher have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from evaluation.refusals import Refusal
from listening.people import administration
from listening.web import accounts


class ResearcherCommand(BaseCommand):
    """Finds the user, makes one if ``--create`` asks for it, and prints what `make` makes for them."""

    def make(self, user: User, options: Mapping[str, Any]) -> str:
        """What to print; `options` are those of the command."""
        raise NotImplementedError

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--create", action="store_true", help="make the user if there is none")
        parser.add_argument(
            "--administrator", action="store_true", help="make the user an administrator of the site"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = accounts.find_user(options["user"], create=options["create"])
            if options["administrator"]:
                administration.set_administrator(user, True)
            self.stdout.write(self.make(user, options))
        except User.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}; --create makes one.") from None
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
