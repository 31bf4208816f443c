"""Which site, and who is there."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from terminal.problem import Problem
from terminal.site import Site


def settings_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "earshot.json"


def site_of(environment: dict[str, str]) -> Site:
    """The site that the environment or `earshot login` names."""
    kept: dict[str, str] = {}
    try:
        kept = json.loads(settings_file().read_text())
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise Problem(f"{settings_file()} cannot be read: {error}") from None
    url = environment.get("EARSHOT_URL") or kept.get("url", "")
    token = environment.get("EARSHOT_TOKEN") or kept.get("token", "")
    if not url or not token:
        raise Problem("Which site? Run: earshot login URL TOKEN (manage.py api_token prints a token)")
    if not url.startswith(("http://", "https://")):
        raise Problem(f"{url!r} is not the URL of a site: it must begin with http:// or https://")
    return Site(url, token)


def login(arguments: argparse.Namespace) -> None:
    site = site_of({"EARSHOT_URL": arguments.url, "EARSHOT_TOKEN": arguments.token})
    site.get("/systems")
    file = settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    # The file is readable only by its owner from its creation, because the token is a secret.
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
        json.dump({"url": site.url, "token": arguments.token}, target)
    print(f"Signed in at {site.url}; kept in {file}")
