"""``manage.py signin_link USER [--create]``: print a link that signs USER in once."""

from __future__ import annotations

import argparse
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from listening.web import accounts


class Command(BaseCommand):
    help = "Print a link that signs a researcher in once, within 24 hours."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("user", help="user name")
        parser.add_argument("--create", action="store_true", help="make the user if there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = accounts.find_user(options["user"], create=options["create"])
        except User.DoesNotExist:
            raise CommandError(f"There is no user {options['user']!r}; --create makes one.") from None
        self.stdout.write(accounts.make_signin_link(user))
