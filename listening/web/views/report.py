"""The report of a study, as a page and as PDF, for its owner."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.models import Job
from evaluation.web.refusals import mark_refused
from listening.delivery import files
from listening.models import Analysis, MadeFile, Study
from listening.results import analyses
from listening.results.methods import is_slow
from listening.results.report import context_of
from listening.web.views.results import selection_of
from listening.web.views.sealing import grades_page


def _analysis(study: Study, kind: str, profile: str) -> tuple[Analysis | None, bool]:
    """The analysis of the current grades, and whether it is still being computed."""
    if not is_slow(study):
        return None, False  # its figures are all computed with the page
    wanted = analyses.current_analysis(study, kind, profile)
    if wanted is None:
        return None, False
    if wanted.status == Job.Status.DONE:
        return wanted, False
    return None, wanted.waiting


@grades_page
def report(request: HttpRequest, study: Study) -> HttpResponse:
    kind, profile = selection_of(request, study)
    analysis, waiting = _analysis(study, kind, profile)
    context = context_of(study, kind, profile, analysis, made=timezone.now().date())
    context |= {"waiting": waiting, "query": f"kind={kind}&screening={profile}", "section": "studies"}
    return render(request, "listening/report/page.html", context)


@grades_page
def report_pdf(request: HttpRequest, study: Study) -> HttpResponse:
    """Have a worker make the same as PDF, once the tests are computed: none without them should circulate."""
    kind, profile = selection_of(request, study)
    page = f"{reverse('report', args=[study.pk])}?kind={kind}&screening={profile}"
    _row, waiting = _analysis(study, kind, profile)
    if waiting:
        mark_refused(request)
        messages.info(request, _("The tests are still being computed. Ask for the PDF when they are ready."))
        return redirect(page)
    asked = files.ask_for(request.user, MadeFile.Kind.REPORT, study, kind=kind, profile=profile)  # type: ignore[arg-type]
    return redirect(asked)
