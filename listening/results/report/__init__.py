"""The report of a study: what BS.1534-3 requires (M26) and what reviewers ask for.

The same data give the same report, except for its date.
"""

from listening.results.report.build import context_of
from listening.results.report.pdf import PdfUnavailable, pdf_of

__all__ = ["PdfUnavailable", "context_of", "pdf_of"]
