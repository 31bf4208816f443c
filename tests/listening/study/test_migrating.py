"""Data of earlier releases: what was under way goes on, and what let somebody in still does."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.test import Client
from django.utils import timezone

from listening.models import ApiToken
from listening.web import accounts

BEFORE = [("listening", "0010_completion_code")]
SIMULATION = {"listeners": 4, "seed": 1, "qualities": {"original": 100.0}}


def step_by_step() -> MigrationExecutor:
    """An executor that knows the migrations one by one, not the one that replaces them for new databases."""
    executor = MigrationExecutor(connection)
    executor.loader = MigrationLoader(connection, replace_migrations=False)
    return executor


def migrate(targets: list[tuple[str, str]]) -> Any:
    step_by_step().migrate(targets)
    return step_by_step().loader.project_state(targets).apps


def newest_migrations() -> list[tuple[str, str]]:
    leaves = step_by_step().loader.graph.leaf_nodes("listening")
    return [leaf for leaf in leaves if "_squashed_" not in leaf[1]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.rest
def test_preparations_and_simulations_become_jobs() -> None:
    newest = newest_migrations()
    try:
        models = migrate(BEFORE)
        owner = User.objects.create_user("old")
        Old = models.get_model("listening", "Study")

        def study(name: str, **fields: Any) -> None:
            Old.objects.create(owner_id=owner.pk, name=name, systems=[], seed=1, token=name, **fields)

        study("waits")
        study("held", attempts=1, lease_until=timezone.now())
        study("failed", attempts=3, error="No file.")
        study("ready", status="ready", attempts=1)
        study("running", status="open", simulation={**SIMULATION, "state": "running", "asked": "2026-01-01"})
        study("done", status="open", simulation={**SIMULATION, "state": "done", "asked": "2026-01-01"})
        models = migrate(newest)
        Preparation, Simulation, New = (
            models.get_model("listening", name) for name in ("Preparation", "Simulation", "Study")
        )
        columns = ("study__name", "status", "attempts", "error", "dispatched")
        assert set(Preparation.objects.values_list(*columns)) == {
            ("waits", "queued", 0, "", None),
            ("held", "queued", 1, "", None),
            ("failed", "failed", 3, "No file.", None),
        }
        assert list(Simulation.objects.values_list("study__name", "status")) == [("running", "queued")]
        made_of = set(map(str, New.objects.exclude(simulation={}).values_list("simulation", flat=True)))
        assert made_of == {str({**SIMULATION, "asked": "2026-01-01"})}

        models = migrate(BEFORE)  # and back
        Old = models.get_model("listening", "Study")
        work = Old.objects.filter(status="preparing").values_list("name", "attempts", "error")
        assert set(work) == {("waits", 0, ""), ("held", 1, ""), ("failed", 3, "No file.")}
        states = {row.name: row.simulation.get("state") for row in Old.objects.exclude(simulation={})}
        assert states == {"running": "running", "done": "done"}
    finally:
        migrate(newest)


@pytest.mark.rest
@pytest.mark.django_db(transaction=True)
def test_the_token_of_an_account_becomes_the_first_of_several() -> None:
    """Before, an account had one API token, without a name, a scope or an end: scripts that use it go on."""
    newest = newest_migrations()
    try:
        models = migrate([("listening", "0026_loudness_of_items")])
        owner = User.objects.create_user("old")
        digest = hashlib.sha256(b"a-token-of-then").hexdigest()
        models.get_model("listening", "ApiToken").objects.create(user_id=owner.pk, digest=digest)
    finally:
        migrate(newest)
    script = Client(headers={"Authorization": "Bearer a-token-of-then"})
    assert script.get("/api/studies").json() == {"items": [], "count": 0}
    assert script.post("/api/systems", {"title": "Mine"}, content_type="application/json").status_code == 201
    [token] = ApiToken.objects.all()
    assert (token.user, token.name, token.scope, token.expires) == (owner, "API token", "write", None)
    assert token.used
    accounts.make_api_token(owner)  # beside it
    assert script.get("/api/studies").status_code == 200
