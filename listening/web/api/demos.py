"""Demo pages in the API: writing, publishing, taking down."""

# No `from __future__ import annotations`: the pagination cannot resolve annotations that are strings.

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router, Schema, Status
from ninja.pagination import paginate
from pydantic import Field

from evaluation.access import usable_clips, viewer
from evaluation.columns import Shown, plain
from evaluation.contexts import Context
from evaluation.refusals import translate_note
from evaluation.web.lists import ApiPagination, Described
from evaluation.web.problems import Problem
from evaluation.web.requests import Body, OneOf
from listening.columns.demos import DemoContent
from listening.demos import pages
from listening.demos.drafts import new_demo, parse_content, save_draft
from listening.demos.facts import find_problems
from listening.demos.publishing import delete_demo, publish
from listening.models import Demo
from listening.web.access import study_for

router = Router(by_alias=True, tags=["demo pages"])

ContentColumn = Annotated[Any, Shown(DemoContent)]
VisibilityName = Annotated[str, OneOf(Demo.Visibility.values)]


class NewDemo(Body):
    clip: UUID | None = Field(None, description="start with this clip and every system that has processed it")
    study: UUID | None = Field(None, description="start with the items, systems and grades of this study")
    content: ContentColumn | None = Field(None, description="what the page says; wins over clip and study")


class DemoChange(Body):
    content: ContentColumn | None = Field(None, description="replaces the draft; see the schema DemoContent")
    visibility: VisibilityName | None = Field(
        None, description="private: for you; unlisted: for whoever has the link; public: in the gallery"
    )


class DemoSummary(Schema):
    id: UUID
    title: str
    visibility: str
    url: str = Field(description="the page; it is there once a version is published")
    version: int | None = Field(description="number of the published version")
    status: str = Field(description="of the last version: queued, running, done, failed, or empty")
    error: str = Field(description="why the last version could not be published")
    updated: datetime


class DemoDetail(DemoSummary):
    content: Any = Field(description="the draft")
    problems: dict[str, str] = Field(description="what is missing before it can be published, by path")


def _describe(demo: Demo) -> Context:
    version, last = pages.published_version(demo), next(iter(demo.versions.all()), None)
    return {
        "id": demo.pk,
        "title": demo.draft.title,
        "visibility": demo.visibility,
        "url": f"{settings.SITE_URL}{reverse('demo', args=[demo.token])}",
        "version": version.number if version else None,
        "status": last.status if last else "",
        "error": translate_note(last.error) if last else "",
        "updated": demo.updated,
    }


def _describe_in_full(demo: Demo) -> Context:
    problems = find_problems(demo.draft, demo.owner)
    return _describe(demo) | {"content": plain(demo.draft), "problems": problems}


def _demo(request: HttpRequest, demo_id: UUID) -> Demo:
    return pages.demo_of(viewer(request), demo_id)


@router.get("/demos", response=list[DemoSummary], summary="Your demo pages, the last changed first")
@paginate(ApiPagination)
def list_demos(request: HttpRequest) -> Described:
    return Described(pages.demos_of(viewer(request)), _describe)


@router.post("/demos", response={201: DemoDetail, 422: Problem}, summary="Start a demo page")
def create_demo(request: HttpRequest, new: NewDemo) -> Status[Context]:
    """The page is private, and a draft until it is published."""
    owner = viewer(request)
    clip = get_object_or_404(usable_clips(owner), pk=new.clip) if new.clip else None
    study = study_for(request, new.study) if new.study else None
    content = None if new.content is None else parse_content(new.content)
    demo = new_demo(owner, clip, study)
    if content is not None:
        save_draft(demo, content)
    return Status(201, _describe_in_full(_demo(request, demo.pk)))


@router.get("/demos/{uuid:demo_id}", response=DemoDetail, summary="A demo page and its draft")
def get_demo(request: HttpRequest, demo_id: UUID) -> Context:
    return _describe_in_full(_demo(request, demo_id))


@router.patch("/demos/{uuid:demo_id}", response={200: DemoDetail, 422: Problem}, summary="Change a demo page")
def change_demo(request: HttpRequest, demo_id: UUID, change: DemoChange) -> Context:
    """A new draft shows when it is published; a new visibility at once."""
    demo = _demo(request, demo_id)
    content = None if change.content is None else parse_content(change.content)
    if content is not None:
        save_draft(demo, content)
    if change.visibility is not None:
        demo.visibility = change.visibility
        demo.save(update_fields=["visibility"])
    return _describe_in_full(_demo(request, demo_id))


@router.post(
    "/demos/{uuid:demo_id}/publish", response={200: DemoDetail, 409: Problem}, summary="Publish the draft"
)
def publish_demo(request: HttpRequest, demo_id: UUID) -> Context:
    """A worker matches the sounds in loudness; `version` counts up when it is done."""
    publish(_demo(request, demo_id))
    return _describe_in_full(_demo(request, demo_id))


@router.delete("/demos/{uuid:demo_id}", response={204: None}, summary="Delete a demo page with all versions")
def delete(request: HttpRequest, demo_id: UUID) -> Status[Any]:
    delete_demo(_demo(request, demo_id))
    return Status(204, None)
