"""The type of template contexts and API answers: values by name."""

from __future__ import annotations

#: Only a template or a response schema reads the values.
Context = dict[str, object]
