"""Who shares in a study: roles, invitations, and giving the study away."""

# No `from __future__ import annotations`: the pagination cannot resolve annotations that are strings.

from datetime import datetime
from typing import Annotated
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import Field

from evaluation.access import Role, role_slug, viewer
from evaluation.contexts import Context
from evaluation.web.lists import ApiPagination
from evaluation.web.problems import Problem
from evaluation.web.requests import Body, OneOf
from listening.models import Act, Invitation, Study
from listening.people import sharing
from listening.web import audit, inviting
from listening.web.access import study_for

router = Router(by_alias=True, tags=["people"])

RoleName = Annotated[str, OneOf(sharing.ROLES)]


class PersonOut(Schema):
    user: str = Field(description="user name")
    role: str = Field(description="viewer, editor or owner")
    offered: datetime | None = Field(description="when the owner offered them the study")


class RoleIn(Body):
    role: RoleName


class InvitationIn(Body):
    role: RoleName = "viewer"
    many: bool = Field(False, description="for any number of people; else for one")
    days: int = Field(sharing.USUAL_DAYS, description="how long it is open: 1, 7, 30 or 90")
    email: str = Field("", description="where the link is sent, on a site with a mail server")


class InvitationOut(Schema):
    id: int
    role: str
    many: bool
    uses: int
    expires: datetime
    url: str = Field("", description="the link; only in the answer that makes it")


class OfferIn(Body):
    user: str | None = Field(description="user name of somebody who shares in the study; null: withdraw")


class AnswerIn(Body):
    accept: bool


def _people(study: Study) -> list[Context]:
    shares = study.shares.select_related("user").order_by("user__username")
    owner = User.objects.get(pk=study.owner_id)
    found: list[Context] = [{"user": owner.get_username(), "role": "owner", "offered": None}]
    return found + [
        {"user": share.user.get_username(), "role": role_slug(share.role), "offered": share.offered}
        for share in shares
    ]


def _person(study: Study, name: str) -> User:
    return get_object_or_404(User, username=name, shares__study=study)


def _describe(invitation: Invitation, url: str = "") -> Context:
    return {
        "id": invitation.pk,
        "role": role_slug(invitation.role),
        "many": invitation.many,
        "uses": invitation.uses,
        "expires": invitation.expires,
        "url": url,
    }


class ActOut(Schema):
    done: datetime
    user: str | None = Field(description="user name; null if the account is gone")
    what: str = Field(description="name of the page or of the API's operation")
    words: str = Field(description="who did what, as a sentence")
    token: str = Field(description="name of the API token; empty: by a page")
    detail: str = Field(description="what more is known, as name=value")

    @staticmethod
    def resolve_user(act: Act) -> str | None:
        return act.user.get_username() if act.user else None

    @staticmethod
    def resolve_words(act: Act) -> str:
        return str(audit.words_of(act))


@router.get(
    "/studies/{uuid:study_id}/history",
    response=list[ActOut],
    summary="What people did to a study, the latest first",
)
@paginate(ApiPagination)
def list_acts(request: HttpRequest, study_id: UUID) -> QuerySet[Act]:
    return study_for(request, study_id).acts.select_related("user", "person")


@router.get("/studies/{uuid:study_id}/people", response=list[PersonOut], summary="Who shares in a study")
def list_people(request: HttpRequest, study_id: UUID) -> list[Context]:
    return _people(study_for(request, study_id))


@router.patch(
    "/studies/{uuid:study_id}/people/{user}", response=list[PersonOut], summary="Give somebody another role"
)
def change_person(request: HttpRequest, study_id: UUID, user: str, change: RoleIn) -> list[Context]:
    study = study_for(request, study_id, Role.OWNER)
    person, role = _person(study, user), sharing.role_named(change.role)
    audit.tell_role(request, role, person)
    sharing.change_role(study, person, role)
    return _people(study)


@router.delete(
    "/studies/{uuid:study_id}/people/{user}",
    response={204: None},
    summary="Take somebody's role away, or give back your own",
)
def remove_person(request: HttpRequest, study_id: UUID, user: str) -> Status[None]:
    leaves = user == viewer(request).get_username()
    study = study_for(request, study_id, Role.VIEWER if leaves else Role.OWNER)
    person = _person(study, user)
    audit.tell(request, person=person, **({"leaves": "yes"} if leaves else {}))
    sharing.end_share(study, person, leaves=leaves)
    return Status(204, None)


@router.get(
    "/studies/{uuid:study_id}/invitations", response=list[InvitationOut], summary="The open invitations"
)
def list_invitations(request: HttpRequest, study_id: UUID) -> list[Context]:
    study = study_for(request, study_id, Role.OWNER)
    return [_describe(each) for each in sharing.open_invitations(study)]


@router.post(
    "/studies/{uuid:study_id}/invitations",
    response={201: InvitationOut, 409: Problem},
    summary="Make an invitation link, and send it by e-mail if wanted",
)
def create_invitation(request: HttpRequest, study_id: UUID, new: InvitationIn) -> Status[Context]:
    study = study_for(request, study_id, Role.OWNER)
    role = sharing.role_named(new.role)
    audit.tell_role(request, role)
    made, url = inviting.invite(
        study,
        role,
        viewer(request),
        email=new.email,
        many=new.many,
        days=new.days,
    )
    return Status(201, _describe(made, url))


@router.delete(
    "/studies/{uuid:study_id}/invitations/{int:invitation_id}",
    response={204: None},
    summary="Revoke an invitation",
)
def revoke_invitation(request: HttpRequest, study_id: UUID, invitation_id: int) -> Status[None]:
    study = study_for(request, study_id, Role.OWNER)
    get_object_or_404(study.invitations, pk=invitation_id).delete()
    return Status(204, None)


@router.post(
    "/studies/{uuid:study_id}/offer",
    response={200: list[PersonOut], 409: Problem},
    summary="Offer the study to somebody who shares in it",
)
def offer_study(request: HttpRequest, study_id: UUID, wanted: OfferIn) -> list[Context]:
    """They must accept it; then it is theirs, and you are an editor."""
    study = study_for(request, study_id, Role.OWNER)
    if wanted.user is None:
        audit.tell(request, withdrawn="yes")
        sharing.withdraw_offer(study)
    else:
        person = _person(study, wanted.user)
        audit.tell(request, person=person)
        sharing.offer(study, person)
    return _people(study)


@router.post(
    "/studies/{uuid:study_id}/answer",
    response={200: list[PersonOut], 409: Problem},
    summary="Accept or decline a study that is offered to you",
)
def answer_offer(request: HttpRequest, study_id: UUID, answer: AnswerIn) -> list[Context]:
    study, user = study_for(request, study_id, Role.VIEWER), viewer(request)
    audit.tell(request, accept="yes" if answer.accept else "no")
    if answer.accept:
        sharing.accept_offer(study, user)
    else:
        sharing.decline_offer(study, user)
    return _people(Study.objects.get(pk=study.pk))
