"""What listeners send on their way besides grades. A step that is not the current one changes nothing.

Every answer is a redirect to the session's page, so that going back and reloading send nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from evaluation.texts import clean_text
from listening.columns.sessions import StageData
from listening.columns.studies import ROUNDS
from listening.models import Session, Study
from listening.session import sessions
from listening.session.sessions import (
    AFTER,
    TRAINED,
    current_step,
    lock_session,
    repeat_training,
    take_step,
)
from listening.study import headphones, questionnaire, removal, selectors
from listening.web.views.sessions import framed, page, show

TRANSDUCERS = ("headphones", "earphones", "loudspeakers")
#: What the listener says of the channel check; only the first two let the test go on.
CHANNELS = ("right", "swapped", "one_side", "nothing")
MAX_DEVICE = 120


def step_view(view: Callable[[HttpRequest, Session], HttpResponse | None]) -> Callable[..., HttpResponse]:
    """A POST by the session's token while the study is open; gets the session and the request."""

    @csrf_exempt
    @never_cache
    @require_POST
    @wraps(view)
    def take(request: HttpRequest, token: str) -> HttpResponse:
        session = selectors.session_of(token)
        if session.study.status == Study.Status.OPEN:
            response = view(request, session)
            if response is not None:
                return response
        return framed(redirect("session", token), session.study)

    return take


@step_view
def begin(request: HttpRequest, session: Session) -> HttpResponse | None:
    """The instructions are read."""
    if current_step(session).kind == "instructions":
        sessions.begin(session)
    return None


@step_view
def questions(request: HttpRequest, session: Session) -> HttpResponse | None:
    """Answers of a questionnaire: all of them to go on, or a draft of some while they are being given."""
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
    """The sound is set and heard on both sides, through what the listener says (M18, M19)."""
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
    """The level that the page was set to; None if it is none that a page can be set to."""
    try:
        level = float(text)
    except ValueError:
        return None
    return level if -60 <= level <= 0 else None


@step_view
def screening(request: HttpRequest, session: Session) -> HttpResponse | None:
    """One answer of the headphone screening."""
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
    """After the training: once more, or on to the test."""
    if request.POST.get("again") == "yes":
        repeat_training(session)
    else:
        take_step(session, TRAINED, {})
    return None


@step_view
def rest(request: HttpRequest, session: Session) -> HttpResponse | None:
    """The end of a break; its length counts from the last grade handed in."""
    stage = request.POST.get("stage", "")
    last = session.trials.exclude(finished=None).order_by("-finished").first()
    if stage.startswith("break-") and last is not None and last.finished:
        seconds = (timezone.now() - last.finished).total_seconds()
        take_step(session, stage, {"seconds": round(seconds, 1)})
    return None


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, token: str) -> HttpResponse:
    """Taking the consent back: asks once, then deletes all that the session left. Open or closed study."""
    session = selectors.session_of(token)
    study = session.study
    context = {"study": study, "texts": study.texts, "session": session}
    if request.method == "POST" and request.POST.get("withdraw") == "yes":
        removal.withdraw(session)
        return page(request, "withdrawn", study, {"study": study, "texts": study.texts})
    return page(request, "withdraw", study, context)


@cache_control(no_store=True, private=True)
@require_GET
def round_sound(request: HttpRequest, token: str, stage: str, number: int) -> HttpResponse:
    """The sound of the round that is to be answered now; every other address is not found."""
    session = selectors.session_of(token)
    current = headphones.current_round(session)
    if current is None or (current.stage, current.number) != (stage, number):
        raise Http404("There is no such sound now.")
    return HttpResponse(headphones.round_wav(session, current), content_type="audio/wav")


@cache_control(max_age=86400, private=True)
@require_GET
def headphones_example(request: HttpRequest, token: str) -> HttpResponse:
    """A tone in noise to know what to listen for; the same for everybody."""
    selectors.session_of(token)
    return HttpResponse(headphones.stereo_wav(headphones.example_signal()), content_type="audio/wav")
