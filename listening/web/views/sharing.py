"""Who shares in a study: the page of its people, invitations, and the offer of a study to a colleague."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from evaluation.access import Role, found_role
from evaluation.texts import read_whole
from evaluation.web.guards import on_page, researcher_action, researcher_form, researcher_page
from evaluation.web.lists import page_of
from evaluation.web.refusals import redirect_refusals
from listening.models import Study
from listening.people import mail, sharing, signup
from listening.web import audit, inviting
from listening.web.access import study_for
from listening.web.audit import note_study
from listening.web.views.studies import head_context


@researcher_page
def people(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Who shares in the study and, for its owner, the open invitations."""
    return _show(request, study_for(request, study_id))


def _show(request: HttpRequest, study: Study, link: str = "", link_note: str = "") -> HttpResponse:
    """The page; `link` is that of a new invitation, which is shown this once."""
    invitations = sharing.open_invitations(study) if found_role(study) >= Role.OWNER else []
    context = head_context(study) | {
        "study": study,
        "section": "studies",
        "shares": study.shares.select_related("user").order_by("user__username"),
        "own_share": study.shares.filter(user=request.user).first(),  # type: ignore[misc]
        "roles": sharing.ROLES,
        "invitations": [(each, sharing.days_left(each.expires)) for each in invitations],
        "days": [(days, days == sharing.USUAL_DAYS) for days in sharing.DAYS],
        "link": link,
        "link_note": link_note,
        "by_mail": mail.is_ready(),
        "signup": signup.is_open(),
    }
    return render(request, "listening/sharing.html", context)


@researcher_action
def invite(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Make an invitation and show its link, once."""
    study = study_for(request, study_id, Role.OWNER)
    sent = request.POST
    days = read_whole(sent["days"]) or 0 if "days" in sent else sharing.USUAL_DAYS
    email = sent.get("email", "").strip()
    with redirect_refusals(request, "study_people", study.pk):
        role = sharing.role_named(sent.get("role", ""))
        audit.tell_role(request, role)
        invitation, link = inviting.invite(
            study,
            role,
            request.user,
            email=email,
            many=sent.get("many") == "yes" and not email,
            days=days,
        )
    if email:
        messages.success(request, _("The invitation is on its way to %(email)s.") % {"email": email})
    left = sharing.days_left(invitation.expires)
    if invitation.many:
        text = ngettext(
            "For any number of people, within %(days)s day. You see it only now.",
            "For any number of people, within %(days)s days. You see it only now.",
            left,
        )
    else:
        text = ngettext(
            "For one person, within %(days)s day. You see it only now.",
            "For one person, within %(days)s days. You see it only now.",
            left,
        )
    return _show(request, study, link, text % {"days": left})


@researcher_action
@on_page("study_people")
def revoke(request: HttpRequest, study_id: UUID, invitation_id: int) -> HttpResponse:
    study = study_for(request, study_id, Role.OWNER)
    get_object_or_404(study.invitations, pk=invitation_id).delete()
    messages.success(request, _("The invitation is revoked: its link lets nobody in any more."))
    return redirect("study_people", study.pk)


def _say_revoked(request: HttpRequest, number: int) -> None:
    """Say that links stopped working together with a role."""
    if number:
        text = ngettext(
            "%(number)s open invitation is revoked with it: its link lets nobody in any more.",
            "%(number)s open invitations are revoked with it: their links let nobody in any more.",
            number,
        )
        messages.info(request, text % {"number": number})


def _person(study: Study, user_id: int) -> User:
    return get_object_or_404(User, pk=user_id, shares__study=study)


@researcher_action
def change_role(request: HttpRequest, study_id: UUID, user_id: int) -> HttpResponse:
    study = study_for(request, study_id, Role.OWNER)
    with redirect_refusals(request, "study_people", study.pk):
        person, role = _person(study, user_id), sharing.role_named(request.POST.get("role", ""))
        audit.tell_role(request, role, person)
        _say_revoked(request, sharing.change_role(study, person, role))
    return redirect("study_people", study.pk)


@researcher_action
def end_share(request: HttpRequest, study_id: UUID, user_id: int) -> HttpResponse:
    """Take a colleague's role away; everybody may give back their own."""
    user: Any = request.user
    leaves = user_id == user.pk
    study = study_for(request, study_id, Role.VIEWER if leaves else Role.OWNER)
    person = _person(study, user_id)
    audit.tell(request, person=person, **({"leaves": "yes"} if leaves else {}))
    revoked = sharing.end_share(study, person, leaves=leaves)
    if leaves:
        messages.success(request, _("You no longer share in “%(study)s”.") % {"study": study.name})
        return redirect("studies")
    messages.success(request, _("%(user)s no longer shares in this study.") % {"user": person})
    _say_revoked(request, revoked)
    return redirect("study_people", study.pk)


@researcher_action
def offer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Offer the study to the colleague in the field ``user``, or take the offer back if there is none."""
    study = study_for(request, study_id, Role.OWNER)
    wanted = request.POST.get("user", "")
    if not wanted:
        audit.tell(request, withdrawn="yes")
        sharing.withdraw_offer(study)
        messages.success(request, _("The offer is withdrawn."))
    else:
        person = _person(study, read_whole(wanted) or 0)
        audit.tell(request, person=person)
        sharing.offer(study, person)
        messages.success(
            request, _("The study is offered to %(user)s, who may accept it.") % {"user": person}
        )
    return redirect("study_people", study.pk)


@researcher_action
def answer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Accept (``accept`` is ``yes``) or decline the study that was offered."""
    study = study_for(request, study_id, Role.VIEWER)
    with redirect_refusals(request, "study_people", study.pk):
        accepts = request.POST.get("accept") == "yes"
        audit.tell(request, accept="yes" if accepts else "no")
        if accepts:
            revoked = sharing.accept_offer(study, request.user)
            messages.success(request, _("“%(study)s” is yours now.") % {"study": study.name})
            _say_revoked(request, revoked)
        else:
            sharing.decline_offer(study, request.user)
            messages.success(request, _("The offer is declined."))
    return redirect("study_people", study.pk)


@researcher_page
def history(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """What people did to the study, the latest first."""
    study = study_for(request, study_id)
    page = page_of(request, study.acts.select_related("user", "person"))
    acts = [(act, audit.words_of(act)) for act in page]
    context = head_context(study) | {"study": study, "section": "studies", "acts": acts, "page": page}
    return render(request, "listening/history.html", context)


@researcher_form
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites to what; POST accepts. Programs that look into mails follow every link."""
    found = sharing.invitation_of(token)
    if request.method == "POST":
        study = sharing.accept(token, request.user)
        note_study(request, study)
        return redirect("study", study.pk)
    days = sharing.days_left(found.expires)
    return render(request, "listening/invitation.html", {"invitation": found, "days": days})
