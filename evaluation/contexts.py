"""The type of what templates and answers are filled with, by name."""

from __future__ import annotations

#: What is in it is read by a template, or by the schema of a response, and by nothing else.
Context = dict[str, object]
