"""Imports of other tools' results and configurations."""

from listening.interchange.imports.reading import Grade, ImportProblem, Reading, Verdict
from listening.interchange.imports.results import FORMATS, MAX_BYTES, read_results

__all__ = ["FORMATS", "MAX_BYTES", "Grade", "ImportProblem", "Reading", "Verdict", "read_results"]
