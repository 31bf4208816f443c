"""The report of a study: what BS.1534-3 asks for (M26) and what a reviewer asks after that.

The same data gives the same report; only the day it was made on is new, and says so.
"""

from listening.results.report.build import context_of
from listening.results.report.pdf import PdfUnavailable, pdf_of

__all__ = ["PdfUnavailable", "context_of", "pdf_of"]
