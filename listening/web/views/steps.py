"""Listeners' requests besides grades. A request for a step other than the current one has no effect.

Every response is a redirect to the session's page, so that going back or reloading sends nothing twice. So is
the one to whoever opens such an address: after a form with a problem it is in the browser's address bar.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from evaluation.texts import clean_text
from listening.columns.sessions import StageData
from listening.columns.studies import ROUNDS
from listening.kinds import HIDDEN
from listening.models import Session
from listening.session import sessions
from listening.session.sessions import (
    AFTER,
    TRAINED,
    check_takes_answers,
    current_step,
    lock_session,
    repeat_training,
    take_step,
)
from listening.study import headphones, questionnaire, removal, selectors
from listening.study.errors import StudyClosed
from listening.study.studies import delete_sessions
from listening.web.views.gone import listener_view
from listening.web.views.sessions import allow_framing, render_page, show

TRANSDUCERS = ("headphones", "earphones", "loudspeakers")
#: Results of the channel check as reported by the listener; only the first two let the test continue.
CHANNELS = ("right", "swapped", "one_side", "nothing")
MAX_DEVICE = 120


def step_view(view: Callable[[HttpRequest, Session], HttpResponse | None]) -> Callable[..., HttpResponse]:
    """Make a view by session token for what is posted to open studies; `view` gets request and session."""

    @csrf_exempt
    @never_cache
    @require_http_methods(["GET", "POST"])
    @listener_view
    @wraps(view)
    def take(request: HttpRequest, token: str) -> HttpResponse:
        session = selectors.session_of(token)
        with suppress(StudyClosed):
            check_takes_answers(session.study, session.kind)
            response = view(request, session) if request.method == "POST" else None
            if response is not None:
                return response
        return allow_framing(redirect("session", token), session.study)

    return take


@never_cache
@require_safe
@listener_view
def resume(request: HttpRequest, token: str, rest: str) -> HttpResponse:
    """Lead any other address of a session to where the listener is; a sound that is not there stays so."""
    session = selectors.session_of(token)
    if rest.endswith(".wav"):
        raise Http404("There is no such recording.")
    return allow_framing(redirect("session", token), session.study)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
@listener_view
def language(request: HttpRequest, token: str) -> HttpResponse:
    """Show the session in another language, at every step and after the study is closed, too."""
    session = selectors.session_of(token)
    if request.method == "POST":
        sessions.choose_language(session, request.POST.get("language", ""))
    return allow_framing(redirect("session", token), session.study)


@step_view
def skip(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Go on to the next page of a preview."""
    sessions.skip_step(session)
    return None


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
@listener_view
def end_preview(request: HttpRequest, token: str) -> HttpResponse:
    """Forget a preview and go back to its study."""
    session = selectors.session_of(token)
    if request.method != "POST":
        return allow_framing(redirect("session", token), session.study)
    if session.kind not in HIDDEN:
        raise Http404("This is not a preview.")
    delete_sessions(session.study, session.kind)
    return redirect("study", session.study_id)


@step_view
def begin(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Record that the instructions are read."""
    if current_step(session).kind == "instructions":
        sessions.begin(session)
    return None


@step_view
def questions(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Store answers to a questionnaire: complete ones to continue, or a draft of some."""
    with transaction.atomic():
        session = lock_session(session)
        step = current_step(session)
        if step.kind != "questions" or request.POST.get("stage") != step.stage:
            return None
        after = step.stage == AFTER
        asked = questionnaire.questions_of(session.study, "after" if after else "before")
        answers, problems = questionnaire.read_answers(asked, request.POST)
        questionnaire.store_answers(session, asked, answers)
        if "draft" in request.POST:
            return JsonResponse({"stored": len(answers)})
        if not problems:
            take_step(session, step.stage, {})
            return None
    sent = {
        question.name: request.POST.getlist(question.field)
        if question.type == "multiple"
        else request.POST.get(question.field, "")
        for question in asked
    }
    return show(request, session, step, {"problems": problems, "answers": sent}, status=422)


@step_view
def volume(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Store volume, channel check and transducer as reported by the listener (M18, M19)."""
    sent = request.POST
    step = current_step(session)
    if step.kind != "volume":
        return None
    problems: dict[str, str] = {}
    transducer, channels = sent.get("transducer", ""), sent.get("channels", "")
    if transducer not in TRANSDUCERS:
        problems["transducer"] = _("Please say what you listen with.")
    elif transducer == "loudspeakers" and headphones.requires_headphones(session.study):
        problems["transducer"] = _(
            "This test needs headphones. Put some on, check both sides again, and choose them here."
        )
    if channels not in CHANNELS:
        problems["channels"] = _("Please play both sides and say what you heard.")
    elif channels in ("one_side", "nothing"):
        problems["channels"] = _(
            "Both sides have to sound. Check plug, cable, connection and balance, then play them again."
        )
    if problems:
        return show(request, session, step, {"problems": problems, "sent": sent}, status=422)
    data: StageData = {
        "transducer": transducer,
        "channels": channels,
        "device": clean_text(sent.get("device", ""))[:MAX_DEVICE],
        "volume_db": _decibels(sent.get("volume", "")),
    }
    take_step(session, step.stage, data)
    return None


def _decibels(text: str) -> float | None:
    """The level set in the page, dB; None if it is outside the page's range."""
    try:
        level = float(text)
    except ValueError:
        return None
    return level if -60 <= level <= 0 else None


@step_view
def screening(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Store one answer of the headphone screening."""
    number, answer = (request.POST.get(key, "") for key in ("number", "answer"))
    if number not in {str(n) for n in range(1, ROUNDS + 1)} or answer not in {"1", "2", "3"}:
        return None
    with transaction.atomic():
        session = lock_session(session)
        if current_step(session).kind == "headphones":
            headphones.answer_round(session, request.POST.get("test", ""), int(number), int(answer))
    return None


@step_view
def training(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Repeat the training or continue to the test."""
    if request.POST.get("again") == "yes":
        repeat_training(session)
    else:
        take_step(session, TRAINED, {})
    return None


@step_view
def rest(request: HttpRequest, session: Session) -> HttpResponse | None:
    """End a break; its duration counts from the last submitted trial."""
    stage = request.POST.get("stage", "")
    last = session.trials.exclude(finished=None).order_by("-finished").first()
    if stage.startswith("break-") and last is not None and last.finished:
        seconds = (timezone.now() - last.finished).total_seconds()
        take_step(session, stage, {"seconds": round(seconds, 1)})
    return None


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
@listener_view
def withdraw(request: HttpRequest, token: str) -> HttpResponse:
    """Withdraw consent: confirm, then delete all data of the session, whether the study is open or closed."""
    session = selectors.session_of(token)
    study = session.study
    if session.kind in HIDDEN:
        return end_preview(request, token)
    context = {"study": study, "texts": study.texts, "session": session}
    if request.method == "POST" and request.POST.get("withdraw") == "yes":
        removal.withdraw(session)
        return render_page(request, "withdrawn", study, {"study": study, "texts": study.texts, "gone": token})
    return render_page(request, "withdraw", study, context)


@cache_control(no_store=True, private=True)
@require_GET
def round_sound(request: HttpRequest, token: str, stage: str, number: int) -> HttpResponse:
    """The sound of the current round; any other round is not found."""
    session = selectors.session_of(token)
    current = headphones.current_round(session)
    if current is None or (current.stage, current.number) != (stage, number):
        raise Http404("There is no such sound now.")
    return HttpResponse(headphones.round_wav(session, current), content_type="audio/wav")


@cache_control(max_age=86400, private=True)
@require_GET
def headphones_example(request: HttpRequest, token: str) -> HttpResponse:
    """An example of a tone in noise, the same for everybody."""
    selectors.session_of(token)
    return HttpResponse(headphones.stereo_wav(headphones.example_signal()), content_type="audio/wav")
