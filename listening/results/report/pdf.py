"""The report as PDF, by WeasyPrint, which needs the Pango library."""

from __future__ import annotations

import logging
from typing import NoReturn

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from evaluation.analysis.words import keep_units
from evaluation.contexts import Context
from evaluation.refusals import Refusal


class PdfUnavailable(Refusal):
    """This server cannot write PDF."""

    status = 503


def pdf_of(context: Context) -> bytes:
    """The report's template as a PDF file; the same context gives the same bytes.

    Raises:
        PdfUnavailable: WeasyPrint or Pango is missing.
    """
    try:
        from weasyprint import CSS, HTML
    except (ImportError, OSError) as error:  # OSError: WeasyPrint is there, Pango is not
        raise PdfUnavailable(
            _(
                "This server cannot write PDF: WeasyPrint does not find Pango. Install it (Debian: "
                "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0), or print the "
                "page from the browser."
            )
        ) from error
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it tells of every page and unknown rule
    html = keep_units(render_to_string("listening/report/document.html", {**context, "files": True}))
    sheets = [CSS(filename=str(finders.find("css/report.css")))]
    # Nothing is fetched: figures are embedded, and texts in the document are not trusted.
    document = HTML(string=html, base_url=None, url_fetcher=_refuse)
    return bytes(document.write_pdf(stylesheets=sheets, pdf_identifier=b"earshot"))


def _refuse(url: str, *arguments: object, **options: object) -> NoReturn:
    raise ValueError(f"The report loads nothing from outside, not {url}.")
