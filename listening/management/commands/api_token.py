"""``manage.py api_token USER [--create]``: print a new API token of USER."""

from __future__ import annotations

import argparse
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from listening.web import accounts


class Command(BaseCommand):
    help = "Print a new API token of a researcher on one line; the previous token stops working."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--create", action="store_true", help="make the user if there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = accounts.find_user(options["user"], create=options["create"])
        except User.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}; --create makes one.") from None
        self.stdout.write(accounts.make_api_token(user))
