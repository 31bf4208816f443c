"""The list of what people did to a study: who, when, what, by a page or by a token.

Whatever looks a study up for a request notes it (`listening.web.access.study_for`); a middleware then stores
an act if the request changed something, or took data out, and was not refused. So a new address is in the
list without a line of its own; only its sentence is here (`SENTENCES`). A view may add to the act what the
address does not say (`tell`). What only reads is in the list if it is in `TAKEN`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from evaluation.access import viewer
from evaluation.http import is_safe
from evaluation.refusals import Message, Text
from evaluation.web.refusals import was_refused
from listening.models import Act, Study
from listening.people.administration import name_of
from listening.people.sharing import HANDED_OVER, ROLES

#: What people did, by the name of the page's address; with `name:value` behind it, where an act says so.
SENTENCES: dict[str, Text] = {
    "study_new": _("%(user)s made the study."),
    "study_setup": _("%(user)s changed the study."),
    "study_setup step:what": _("%(user)s changed what the study tests: items, systems or method."),
    "study_setup step:who": _("%(user)s changed who takes part, or what listeners read and answer."),
    "study_setup step:check": _("%(user)s changed the method’s options or the design."),
    "study_setup then:open": _("%(user)s opened the test to listeners."),
    "study_setup then:pilot": _("%(user)s started a pilot."),
    "study_simulate": _("%(user)s started simulated listeners."),
    "study_simulation_discard": _("%(user)s deleted the simulated sessions."),
    "study_pilots_discard": _("%(user)s deleted the pilot sessions."),
    "study_open": _("%(user)s opened the test to listeners."),
    "study_preview": _("%(user)s previewed the test as a listener."),
    "study_pilot": _("%(user)s started or ended a pilot."),
    "study_pilot pilot:yes": _("%(user)s started a pilot."),
    "study_pilot pilot:no": _("%(user)s ended the pilot."),
    "study_retry": _("%(user)s had the stimuli rendered again."),
    "study_close": _("%(user)s closed the test."),
    "study_reopen": _("%(user)s reopened the test."),
    "study_listed": _("%(user)s changed whether the front page shows the test."),
    "study_listed listed:yes": _("%(user)s had the front page show the test."),
    "study_listed listed:no": _("%(user)s took the test off the front page."),
    "study_rename": _("%(user)s renamed the study."),
    "study_duplicate": _("%(user)s duplicated the study."),
    "study_archive": _("%(user)s archived the study."),
    "study_restore": _("%(user)s took the study out of the archive."),
    "session_delete": _("%(user)s deleted a listener’s data."),
    "study_metrics": _("%(user)s had more metrics computed."),
    "study_metrics scores:yes": _("%(user)s uploaded scores."),
    "results_unseal": _("%(user)s broke the seal."),
    "results_thresholds": _("%(user)s changed the thresholds of screening."),
    "results_question": _("%(user)s changed what the tests ask."),
    "results_again": _("%(user)s had failed tests repeated."),
    "study_invite": _("%(user)s made an invitation."),
    "study_invite role:viewer": _("%(user)s invited a viewer."),
    "study_invite role:editor": _("%(user)s invited an editor."),
    "study_revoke": _("%(user)s revoked an invitation."),
    "study_role": _("%(user)s changed the role of %(person)s."),
    "study_role role:viewer": _("%(user)s made %(person)s a viewer."),
    "study_role role:editor": _("%(user)s made %(person)s an editor."),
    "study_unshare": _("%(user)s removed %(person)s from the study."),
    "study_unshare leaves:yes": _("%(user)s left the study."),
    "study_offer": _("%(user)s offered the study to %(person)s."),
    "study_offer withdrawn:yes": _("%(user)s withdrew the offer of the study."),
    "study_answer": _("%(user)s answered the offer of the study."),
    "study_answer accept:yes": _("%(user)s accepted the study, and owns it now."),
    "study_answer accept:no": _("%(user)s declined the study."),
    HANDED_OVER: _("The account of the owner was deleted, and %(person)s owns the study now."),
    "invitation": _("%(user)s accepted an invitation."),
    "demo_new": _("%(user)s made a demo page of the study."),
    "ratings_csv": _("%(user)s downloaded the grades."),
    "ratings_csv personal:yes": _("%(user)s downloaded the grades with personal data."),
    "mushra_csv": _("%(user)s downloaded the grades in webMUSHRA’s format."),
    "mushra_csv personal:yes": _("%(user)s downloaded the grades in webMUSHRA’s format, with personal data."),
    "export": _("%(user)s downloaded the file %(name)s."),
    "export personal:yes": _("%(user)s downloaded the file %(name)s with personal data."),
    "report_pdf": _("%(user)s downloaded the report."),
    "results_latex": _("%(user)s downloaded the table “%(name)s”."),
    "results_figure": _("%(user)s downloaded the figure “%(name)s”."),
    "method_figure": _("%(user)s downloaded the figure of the method."),
}
#: Operations of the API that do what a page does, and what more is known of them.
OPERATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "create_study": ("study_new", {}),
    "change_study": ("study_setup", {}),
    "duplicate_study": ("study_duplicate", {}),
    "open_study": ("study_open", {}),
    "close_study": ("study_close", {}),
    "reopen_study": ("study_reopen", {}),
    "pilot_study": ("study_pilot", {"pilot": "yes"}),
    "end_pilot_study": ("study_pilot", {"pilot": "no"}),
    "archive_study": ("study_archive", {}),
    "restore_study": ("study_restore", {}),
    "retry_study": ("study_retry", {}),
    "delete_session": ("session_delete", {}),
    "measure_study": ("study_metrics", {}),
    "upload_study_scores": ("study_metrics", {"scores": "yes"}),
    "unseal_study": ("results_unseal", {}),
    "simulate_study": ("study_simulate", {}),
    "discard_simulation": ("study_simulation_discard", {}),
    "discard_pilot": ("study_pilots_discard", {}),
    "change_person": ("study_role", {}),
    "remove_person": ("study_unshare", {}),
    "create_invitation": ("study_invite", {}),
    "revoke_invitation": ("study_revoke", {}),
    "offer_study": ("study_offer", {}),
    "answer_offer": ("study_answer", {}),
    "create_demo": ("demo_new", {}),
    "get_file": ("export", {}),
    "get_ratings": ("ratings_csv", {}),
    "get_mushra": ("mushra_csv", {}),
    "get_report": ("report_pdf", {}),
    "get_table": ("results_latex", {}),
    "get_figure": ("results_figure", {}),
    # A page, too: the same figure in another format.
    "results_png": ("results_figure", {}),
}
#: What takes data out of the site, which is noted although it only reads.
TAKEN = {
    "ratings_csv", "mushra_csv", "export", "report_pdf", "results_latex", "results_figure", "results_png",
    "method_figure", "get_file", "get_ratings", "get_mushra", "get_report", "get_table", "get_figure",
}  # fmt: skip
#: Of an address, what an act keeps: which of several. The rest is ids and secrets.
_KEPT = ("step", "name", "suffix")


def note_study(request: HttpRequest, study: Study) -> None:
    """Remember that the request is about this study."""
    studies = getattr(request, "studies_met", None)
    if studies is None:
        studies = request.studies_met = set()  # type: ignore[attr-defined]
    studies.add(study.pk)


def tell(request: HttpRequest, *, person: Any = None, **values: str) -> None:
    """Add to the act what its address does not say: the colleague concerned, and values of `SENTENCES`."""
    request.act_person = person  # type: ignore[attr-defined]
    request.act_values = values  # type: ignore[attr-defined]


def tell_role(request: HttpRequest, role: int, person: Any = None) -> None:
    """`tell` that a colleague, if it is known who, gets this role."""
    tell(request, person=person, role=next(name for name, each in ROLES.items() if each == role))


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
                person=getattr(request, "act_person", None),
                what=what[:60],
                token=token.name if token else "",
                detail=_detail_of(request)[:200],
            )


def _name_of(request: HttpRequest) -> str:
    operation = getattr(request, "operation", None)
    if operation is not None:
        return str(operation.operation_id or operation.view_func.__name__)
    return (request.resolver_match.url_name or "") if request.resolver_match else ""


def _detail_of(request: HttpRequest) -> str:
    """What more is known, as `name=value`: by the view, by the address, and whether data are personal."""
    parts = request.resolver_match.kwargs if request.resolver_match else {}
    values: dict[str, str] = dict(getattr(request, "act_values", {}))
    values |= {name: str(parts[name]) for name in _KEPT if name in parts}
    if request.GET.get("personal") == "yes":
        values["personal"] = "yes"
    return urlencode(values)


def _values_of(act: Act) -> dict[str, str]:
    """What `_detail_of` stored; or the first version, which wrote `archive.zip personal=yes`."""
    first, *rest = act.detail.split() or [""]
    if "=" in first:
        return dict(parse_qsl(act.detail))
    return {"step": first, "name": first} | ({"personal": "yes"} if "personal=yes" in rest else {})


def words_of(act: Act) -> Text:
    """What was done and by whom: a sentence."""
    kind, known = OPERATIONS.get(act.what, (act.what, {}))
    values = known | _values_of(act)
    names = {  # the user begins each sentence
        "user": name_of(act.user, begins=True),
        "person": name_of(act.person),
        "name": values.get("name", ""),
    }
    special = (SENTENCES.get(f"{kind} {name}:{value}") for name, value in values.items())
    sentence = next((each for each in special if each), None) or SENTENCES.get(kind)
    return Message(sentence or _("%(user)s changed the study."), **names)
