"""The list of what people did to a study: who, when, what, by a page or by a token.

Whatever looks a study up for a request notes it (`listening.web.access.study_for`); a middleware then stores
an act if the request changed something, or took data out, and was not refused. So a new address is in the
list without a line of its own; only its words are here (`WORDS`), or in the API's description. What only
reads is in the list if it is in `TAKEN`.
"""

from __future__ import annotations

from contextlib import suppress

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from evaluation.access import viewer
from evaluation.http import is_safe
from evaluation.refusals import Text
from evaluation.web.refusals import was_refused
from listening.models import Act, Study

#: What the addresses of pages do; those that only show something are not in the list.
WORDS: dict[str, Text] = {
    "study_new": _("made the study"),
    "study_setup": _("changed the study"),
    "study_simulate": _("started simulated listeners"),
    "study_simulation_discard": _("deleted the simulated sessions"),
    "study_pilots_discard": _("deleted the pilot sessions"),
    "study_open": _("published the study"),
    "study_preview": _("previewed the study"),
    "study_pilot": _("started or ended a pilot"),
    "study_retry": _("had the stimuli rendered again"),
    "study_close": _("closed the test"),
    "study_reopen": _("reopened the test"),
    "study_listed": _("changed whether the front page shows it"),
    "study_rename": _("renamed the study"),
    "study_duplicate": _("duplicated the study"),
    "study_archive": _("archived the study"),
    "study_restore": _("restored the study from the archive"),
    "session_delete": _("deleted a listener's data"),
    "study_metrics": _("measured more, or uploaded scores"),
    "results_unseal": _("broke the seal"),
    "results_thresholds": _("changed the screening thresholds"),
    "results_question": _("changed what the tests ask"),
    "results_again": _("had failed tests repeated"),
    "study_invite": _("made an invitation"),
    "study_revoke": _("revoked an invitation"),
    "study_role": _("changed a colleague's role"),
    "study_unshare": _("removed a colleague, or left"),
    "study_offer": _("offered the study, or withdrew the offer"),
    "study_answer": _("answered the offer of the study"),
    "invitation": _("accepted an invitation"),
    "demo_new": _("made a demo page of it"),
}
#: What takes data out of the site, which is noted although it only reads; what pages do has its words here.
TAKEN: dict[str, Text] = {
    "ratings_csv": _("downloaded the grades"),
    "mushra_csv": _("downloaded the grades"),
    "export": _("downloaded a file"),
    "report_pdf": _("downloaded the report"),
    "results_latex": _("downloaded a table"),
    "results_figure": _("downloaded a figure"),
    "results_png": _("downloaded a figure"),
    "method_figure": _("downloaded a figure"),
    **dict.fromkeys(("get_file", "get_ratings", "get_mushra", "get_report", "get_table", "get_figure"), ""),
}


def note_study(request: HttpRequest, study: Study) -> None:
    """Remember that the request is about this study."""
    studies = getattr(request, "studies_met", None)
    if studies is None:
        studies = request.studies_met = set()  # type: ignore[attr-defined]
    studies.add(study.pk)


def note_acts(request: HttpRequest, status: int) -> None:
    """Store what the request did to the studies that it met, if it did something and was not refused."""
    studies = getattr(request, "studies_met", None)
    if not studies or status >= 400 or was_refused(request):
        return
    what = _name_of(request)
    if is_safe(request.method) and what not in TAKEN:
        return
    token = getattr(request, "api_token", None)
    for pk in Study.objects.filter(pk__in=studies).values_list("pk", flat=True):  # one may have been deleted
        # Or is deleted now, and its list with it: what was done stays done, so the answer stays, too.
        with suppress(IntegrityError), transaction.atomic():
            Act.objects.create(
                study_id=pk,
                user=viewer(request),
                what=what[:60],
                words=_summary_of(request)[:200],
                token=token.name if token else "",
                detail=_detail_of(request)[:200],
            )


def _name_of(request: HttpRequest) -> str:
    operation = getattr(request, "operation", None)
    if operation is not None:
        return str(operation.operation_id or operation.view_func.__name__)
    return (request.resolver_match.url_name or "") if request.resolver_match else ""


def _summary_of(request: HttpRequest) -> str:
    operation = getattr(request, "operation", None)
    return str(operation.summary or "") if operation is not None else ""


def _detail_of(request: HttpRequest) -> str:
    """Which of several: the other values of the address, and whether personal data was asked for."""
    parts = request.resolver_match.kwargs if request.resolver_match else {}
    words = [str(value) for name, value in parts.items() if name not in ("study_id", "token")]
    return " ".join([*words, *(["personal=yes"] if request.GET.get("personal") == "yes" else [])])


def words_of(act: Act) -> str:
    """What was done, for people."""
    return str(WORDS.get(act.what) or TAKEN.get(act.what) or act.words or act.what)
