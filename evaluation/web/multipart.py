"""How the API's description shows files that come as multipart forms."""

from __future__ import annotations

from evaluation.columns import JsonObject


def file_field(description: str) -> JsonObject:
    """A field of a form that is a file."""
    return {"type": "string", "format": "binary", "description": description}


def files_field(description: str) -> JsonObject:
    """A field of a form that may come several times, a file each."""
    return {"type": "array", "items": {"type": "string", "format": "binary"}, "description": description}


def multipart_body(file: JsonObject, **others: JsonObject) -> JsonObject:
    """For `openapi_extra`: a form with the required field ``file`` and optional `others`, as JSON Schema."""
    schema: JsonObject = {"type": "object", "required": ["file"], "properties": {"file": file, **others}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
