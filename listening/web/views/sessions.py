"""A listener's way through a study: its pages. Nothing here tells which recording is which system.

What listeners send goes to `steps` and `trials`. All of it is allowed by
the token in the address and by nothing else: no page here reads or needs a cookie, so that requests are
exempt from the CSRF check (whoever could forge one has the token, and with it needs no forgery), and the
pages work inside MTurk's frame, where browsers send no cookies.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from evaluation.contexts import Context
from evaluation.web.refusals import show_refusals_on
from listening.columns.studies import ROUNDS
from listening.methods import METHODS
from listening.models import Answer, Session, Study
from listening.session.sessions import (
    AFTER,
    Step,
    check_entry,
    check_takes_answers,
    current_kind,
    current_step,
    start_session,
    trainings_left,
)
from listening.study import headphones, questionnaire, recruitment, selectors
from listening.study.duration import minutes_left, minutes_of_study
from listening.study.errors import StudyClosed
from listening.study.ready_questions import translate_ready
from listening.study.tasks import render_task
from listening.study.versions import digest_of
from listening.web.security import allow_sources
from listening.web.views.gone import listener_view
from listening.web.views.limits import limit_joins
from listening.web.views.methods import method_page
from listening.web.views.trials import side_by_side_page


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
@limit_joins
def join(request: HttpRequest, token: str) -> HttpResponse:
    """The listener link: the consent page; agreeing starts a session.

    Whom a platform sent and who has a session already goes on in that one.
    """
    study = get_object_or_404(Study, token=token)
    arrival = recruitment.read_arrival(study, request.GET.dict())
    known = recruitment.session_of(study, arrival.entry)
    if known and arrival.entry:
        if recruitment.is_another_assignment(known, arrival.entry):
            return render_closed(request, study, "again")
        known = start_session(study, participation=arrival.entry)
        return allow_framing(redirect("session", known.token), study)
    if arrival.state == "missing":
        return render_closed(request, study, "missing")
    sent = request.POST
    if arrival.state == "direct":
        here = recruitment.remembered_session(study, sent.get("session", ""), current_kind(study))
        if here and ("continue" in sent or study.recruitment.returning == "resume"):
            return allow_framing(redirect("session", here.token), study)
    # Consent to another version of the text is not consent to this one.
    outdated = "consent" in sent and sent.get("read", digest_of(study)) != digest_of(study)
    with show_refusals_on(
        lambda refusal: render_closed(request, study, getattr(refusal, "reason", "closed"))
    ):
        if sent.get("consent") == "yes" and arrival.state != "preview" and not outdated:
            session = start_session(
                study, participation=arrival.entry, language=request.GET.get("language", "")
            )
            return allow_framing(redirect("session", session.token), study)
        check_entry(study)
    context = {
        "study": study,
        "texts": study.texts,
        **_consent(study),
        "preview": arrival.state == "preview",
        "platform": recruitment.PLATFORMS.get(arrival.entry.platform, "") if arrival.entry else "",
        "action": request.get_full_path(),  # with the platform's ids
        "direct": arrival.state == "direct",
        "resumes": study.recruitment.returning == "resume",
        "forgotten": "continue" in sent,
        "outdated": outdated,
    }
    return render_page(request, "consent", study, context)


def _consent(study: Study) -> Context:
    """What the consent page says about the test, whoever reads it."""
    return {
        "invitation": METHODS[study.method].invitation,
        "right_answers": METHODS[study.method].has_right_answers,
        "minutes": minutes_of_study(study),
        "headphones": headphones.requires_headphones(study),
        "read": digest_of(study),
    }


def render_page(
    request: HttpRequest, name: str, study: Study, context: Context, status: int = 200
) -> HttpResponse:
    """Render a page of a session by the name of its template."""
    return allow_framing(render(request, f"listening/session/{name}.html", context, status=status), study)


def allow_framing(response: HttpResponse, study: Study) -> HttpResponse:
    """Let MTurk show the page in a frame and receive the result, if the study is for MTurk."""
    if study.recruitment.platform == "mturk":
        allow_sources(
            response, frame_ancestors=recruitment.MTURK_ANCESTORS, form_action=recruitment.MTURK_HOSTS
        )
    return response


def render_closed(
    request: HttpRequest, study: Study, reason: str = "closed", session: Session | None = None
) -> HttpResponse:
    """Explain why nobody can take part now, or why this session cannot continue."""
    context = {
        "study": study,
        "texts": study.texts,
        "session": session,
        "reason": reason,
        "platform": recruitment.PLATFORMS.get(study.recruitment.platform, ""),
    }
    return render_page(request, "closed", study, context)


@csrf_exempt
@never_cache
@require_GET
@listener_view
def session(request: HttpRequest, token: str) -> HttpResponse:
    """The listener's current step; reloading or opening the link elsewhere resumes here."""
    session = selectors.session_of(token)
    step = current_step(session)
    if step.kind not in ("thanks", "screened_out"):
        try:
            check_takes_answers(session.study, session.kind)
        except StudyClosed as refusal:
            return render_closed(request, session.study, refusal.reason, session)
    return show(request, session, step)


def show(
    request: HttpRequest, session: Session, step: Step, extra: Context | None = None, status: int = 200
) -> HttpResponse:
    """The page of a step; `extra` is added to its context, for example problems with submitted data."""
    if step.trial is not None:
        show_trial = side_by_side_page if METHODS[session.study.method].side_by_side else method_page
        return allow_framing(show_trial(request, session, step.trial), session.study)
    context = {
        "study": session.study,
        "texts": session.study.texts,
        "session": session,
        "step": step,
        **STEPS[step.kind](session, step),
        **(extra or {}),
    }
    return render_page(request, step.kind, session.study, context, status)


def _consent_step(session: Session, step: Step) -> Context:
    action = reverse("preview_skip", args=[session.token])
    return {**_consent(session.study), "direct": True, "resumes": True, "action": action}


def _questions(session: Session, step: Step) -> Context:
    after = step.stage == AFTER
    asked = questionnaire.questions_of(session.study, "after" if after else "before")
    return {
        "questions": list(map(translate_ready, asked)),
        "answers": {row.question: row.value for row in Answer.objects.filter(session=session)},
        "after": after,
        "action": reverse("session_questions", args=[session.token]),
    }


def _volume(session: Session, step: Step) -> Context:
    return {
        "speech": speech_url(session),
        "headphones": headphones.requires_headphones(session.study),
        "action": reverse("session_volume", args=[session.token]),
    }


def speech_url(session: Session) -> str:
    """The URL of speech from the study itself: a sound of the session's first trial.

    It is the reference where trials show one openly. Elsewhere it is one of the signals to be graded: who
    had the reference's samples could find it again among them.
    """
    trial = session.trials.order_by("position").first()
    if trial is None:
        return ""
    key = trial.reference_key if METHODS[session.study.method].open_reference else trial.order[0]["key"]
    return reverse("stimulus_audio", args=[session.token, trial.position, key])


def _headphones(session: Session, step: Step) -> Context:
    current = headphones.current_round(session)
    if current is None:
        return {}
    return {
        "round": current,
        "rounds": ROUNDS,
        "sound": reverse("round_sound", args=[session.token, current.stage, current.number]),
        "example": reverse("headphones_example", args=[session.token]),
        "interval_seconds": headphones.INTERVAL_SECONDS,
        "gap_seconds": headphones.GAP_SECONDS,
        "action": reverse("session_headphones", args=[session.token]),
    }


def _instructions(session: Session, step: Step) -> Context:
    return {
        "task": render_task(session.study),
        "training": session.trials.filter(item__training=True).exists(),
        "action": reverse("session_begin", args=[session.token]),
    }


def _trained(session: Session, step: Step) -> Context:
    return {
        "left": trainings_left(session),
        "takes_grades": METHODS[session.study.method].takes_grades,
        "count": session.trials.filter(item__training=False).count(),
        "action": reverse("session_training", args=[session.token]),
    }


def _break(session: Session, step: Step) -> Context:
    trials = list(session.trials.select_related("item").order_by("position"))
    graded = [trial for trial in trials if not trial.item.training]
    return {
        "done": sum(trial.finished is not None for trial in graded),
        "total": len(graded),
        "minutes_left": minutes_left(session.study, trials),
        "action": reverse("session_break", args=[session.token]),
    }


def _end(session: Session, step: Step) -> Context:
    return {
        "completion": recruitment.completion(session),
        "practice": session.kind == Session.Kind.PILOT,
        "now": timezone.now(),
    }


#: Functions for the context of each step's page besides the study, its texts and the session.
STEPS: dict[str, Callable[[Session, Step], Context]] = {
    "consent": _consent_step,
    "questions": _questions,
    "volume": _volume,
    "headphones": _headphones,
    "instructions": _instructions,
    "trained": _trained,
    "break": _break,
    "thanks": _end,
    "screened_out": _end,
}
