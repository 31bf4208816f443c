"""How the API's description shows files that come as multipart forms."""

from __future__ import annotations

from typing import Any


def file_field(description: str) -> dict[str, Any]:
    """A field of a form that is a file."""
    return {"type": "string", "format": "binary", "description": description}


def files_field(description: str) -> dict[str, Any]:
    """A field of a form that may come several times, a file each."""
    return {"type": "array", "items": {"type": "string", "format": "binary"}, "description": description}


def multipart_body(file: dict[str, Any], **others: dict[str, Any]) -> dict[str, Any]:
    """For `openapi_extra`: a form with the required field ``file`` and optional `others`, as JSON Schema."""
    schema = {"type": "object", "required": ["file"], "properties": {"file": file, **others}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
