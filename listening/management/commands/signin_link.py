"""``manage.py signin_link USER [--create]``: print a link that signs USER in once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from listening.management.researchers import ResearcherCommand
from listening.web import accounts


class Command(ResearcherCommand):
    help = "Print a link that signs a researcher in once, within 24 hours."

    def make(self, user: User, options: Mapping[str, Any]) -> str:
        return accounts.make_signin_link(user)
