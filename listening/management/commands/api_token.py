"""``manage.py api_token USER [--create] [--name] [--scope] [--days]``: print a new API token of USER."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from listening.management.researchers import ResearcherCommand
from listening.models import ApiToken
from listening.web import accounts


class Command(ResearcherCommand):
    help = "Print a new API token of a researcher on one line; others keep working until they are revoked."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--name", default="", help="what it is for, shown on the account's page")
        parser.add_argument("--scope", choices=ApiToken.Scope.values, default=ApiToken.Scope.WRITE)
        parser.add_argument("--days", type=int, help="how long it works; default: until it is revoked")

    def make(self, user: User, options: Mapping[str, Any]) -> str:
        return accounts.make_api_token(user, options["name"], options["scope"], options["days"])
