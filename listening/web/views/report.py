"""The report of a study, as a page and as PDF, for its owner."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.models import Job
from evaluation.web.refusals import redirect_refusals
from listening.models import Analysis, Study
from listening.results import analyses
from listening.results.methods import has_page
from listening.results.report import context_of, pdf_of
from listening.web.views.results import asked
from listening.web.views.sealing import grades_page


def _analysis(study: Study, kind: str, profile: str) -> tuple[Analysis | None, bool]:
    """The tests of the present grades, and whether they are still being computed."""
    if not has_page(study):
        return None, False  # its figures are all computed with the page
    wanted = analyses.current_analysis(study, kind, profile)
    if wanted is None:
        return None, False
    if wanted.status == Job.Status.DONE:
        return wanted, False
    return None, wanted.status in analyses.WAITING


@grades_page
def report(request: HttpRequest, study: Study) -> HttpResponse:
    kind, profile = asked(request, study)
    analysis, waiting = _analysis(study, kind, profile)
    context = context_of(study, kind, profile, analysis, made=timezone.now().date())
    context |= {"waiting": waiting, "query": f"kind={kind}&screening={profile}", "section": "studies"}
    return render(request, "listening/report/page.html", context)


@grades_page
def report_pdf(request: HttpRequest, study: Study) -> HttpResponse:
    """The same as PDF, once the tests are computed: a paper that lacks them should not go around."""
    kind, profile = asked(request, study)
    page = f"{reverse('report', args=[study.pk])}?kind={kind}&screening={profile}"
    analysis, waiting = _analysis(study, kind, profile)
    if waiting:
        messages.info(request, _("The tests are still being computed. Ask for the PDF when they are ready."))
        return redirect(page)
    with redirect_refusals(request, page):
        content = pdf_of(context_of(study, kind, profile, analysis, made=timezone.now().date(), files=True))
    tag = "" if kind == "real" else f"-{kind}"
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="report{tag}-{study.pk}.pdf"'
    return response
