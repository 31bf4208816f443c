"""``manage.py api_token USER [--create]``: print a new API token of USER."""

from __future__ import annotations

from django.contrib.auth.models import User

from listening.management.researchers import ResearcherCommand
from listening.web import accounts


class Command(ResearcherCommand):
    help = "Print a new API token of a researcher on one line; the previous token stops working."

    def make(self, user: User) -> str:
        return accounts.make_api_token(user)
