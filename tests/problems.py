"""Reading refusals as programs do: RFC 9457."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


def detail_of(answer: Any, status: int) -> str:
    """What a problem of this status says. Fails unless it is one, whole."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.content
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert (problem["type"], problem["title"]) == ("about:blank", HTTPStatus(status).phrase)
    for row in problem.get("errors", []):
        assert set(row) == {"path", "message"}, row
    return str(problem["detail"])


def fields_of(answer: Any) -> dict[str, str]:
    """Messages of a problem by the paths of fields."""
    return {row["path"]: row["message"] for row in answer.json().get("errors", [])}
