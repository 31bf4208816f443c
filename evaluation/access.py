"""Who may do what: the role of a person on a thing. Pages, the API and all that is made of things ask here.

`grant` adds a rule: how rows of a model are found on which a person has a role. A thing on which somebody has
no role looks as if it did not exist (404); one on which the role does not suffice says so (403).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any, TypeVar, cast

from django.db import models
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _

from evaluation.http import is_safe
from evaluation.models import Clip, Job, OutputBatch, Rendition, UploadedSystem
from evaluation.refusals import Refusal

M = TypeVar("M", bound=models.Model)


class Role(models.IntegerChoices):
    """What somebody may do with a thing; each role may do what those before it may."""

    VIEWER = 1, _("viewer")  # see and hear it, and export what it holds
    EDITOR = 2, _("editor")  # change it, and use it in things of their own
    OWNER = 3, _("owner")  # share it, give it away, delete it


class Forbidden(Refusal):
    """An act that needs a higher role than the person has on a thing that they know of."""

    status = 403
    title = _("This is not allowed")

    def __init__(self, role: int) -> None:
        if role < Role.EDITOR:
            super().__init__(_("You can see this, but not change it: ask its owner to let you edit it."))
        else:
            super().__init__(_("Only the owner can do this."))


@dataclass(frozen=True)
class _Rule:
    """Who meets `condition`, made from a user or None, has `role`; `public` if that is everybody."""

    role: Role
    condition: Callable[[Any], Q]
    public: bool


_RULES: dict[type[models.Model], list[_Rule]] = {}


def grant(
    model: type[models.Model], role: Role, condition: Callable[[Any], Q], *, public: bool = False
) -> None:
    """Add a rule for rows of `model`. Unless it is `public`, `condition` is asked only for known users."""
    rules = _RULES.setdefault(model, [])
    rules.append(_Rule(role, condition, public))
    rules.sort(key=lambda rule: -rule.role)


def _conditions(model: type[models.Model], user: Any, least: Role = Role.VIEWER) -> Iterator[tuple[_Rule, Q]]:
    """The rules that may hold for `user` and give at least a role, highest first, each as a condition."""
    for rule in _RULES[model]:
        if rule.role >= least and (rule.public or user is not None):
            yield rule, rule.condition(user)


def rows_for(user: Any, model: type[M], least: Role = Role.VIEWER, *, listed: bool = False) -> QuerySet[M]:
    """The rows on which `user`, or a stranger (None), has at least a role.

    With `listed`, only those that belong into their own lists: what is merely public does not.
    """
    found = Q(pk__in=())
    for rule, condition in _conditions(model, user, least):
        if not (listed and rule.public):
            found |= condition
    return model._default_manager.filter(found)


def with_roles(rows: QuerySet[M], user: Any) -> QuerySet[M]:
    """`rows` with their `role` for `user`; 0 for none."""
    roles = [When(condition, then=Value(int(rule.role))) for rule, condition in _conditions(rows.model, user)]
    found = rows.annotate(role=Case(*roles, default=Value(0)) if roles else Value(0))
    return cast("QuerySet[M]", found)


def found_role(thing: object) -> int:
    """The `Role` that `with_roles` has found on `thing`; 0 for none, or if it was not looked for."""
    return int(getattr(thing, "role", 0))


def role_slug(role: int) -> str:
    """A `Role` as the API names it: viewer, editor or owner."""
    return Role(role).name.lower()


def role_of(user: Any, thing: models.Model) -> int:
    """The `Role` of `user` on a stored thing; 0 for none."""
    return found_role(with_roles(type(thing)._default_manager.filter(pk=thing.pk), user).first())


def find(user: Any, rows: QuerySet[M], least: Role = Role.VIEWER, **lookup: Any) -> M:
    """The one of `rows` that `lookup` names, with its `role` for `user`.

    Raises:
        Http404: there is none, or the person may not know that there is.
        Forbidden: their role is lower than `least`.
    """
    # Most ask for what is theirs: to ask for the highest role alone takes half as long as to ask for all.
    for highest, condition in islice(_conditions(rows.model, user), 1):
        thing = rows.annotate(role=Value(int(highest.role))).filter(condition, **lookup).first()
        if thing is not None and highest.role >= least:
            return thing
    thing = with_roles(rows, user).filter(role__gte=Role.VIEWER, **lookup).first()
    if thing is None:
        raise Http404(f"There is no such {rows.model._meta.verbose_name}.")
    role = found_role(thing)
    if role < least:
        raise Forbidden(role)
    return thing


def needed_for(request: HttpRequest) -> Role:
    """The role that a request needs if nothing else is said: to read, a viewer; to write, an editor."""
    return Role.VIEWER if is_safe(request.method) else Role.EDITOR


def find_for(request: HttpRequest, rows: QuerySet[M], least: Role | None = None, **lookup: Any) -> M:
    """`find` for whoever sent the request, with the role that its method needs or `least`."""
    return find(viewer(request), rows, least or needed_for(request), **lookup)


def viewer(request: HttpRequest) -> Any:
    """The signed-in user (from a session cookie or a bearer token), or None."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def visible_clips(user: Any) -> QuerySet[Clip]:
    """Clips that `user`, or a stranger (None), may hear: public, their own, and shared with them."""
    return rows_for(user, Clip)


def usable_clips(user: Any) -> QuerySet[Clip]:
    """Clips of which `user` may make studies and demo pages: public ones, and those that they may edit."""
    return Clip.objects.filter(Q(public=True) | Q(pk__in=rows_for(user, Clip, Role.EDITOR).values("pk")))


def visible_renditions(user: Any) -> QuerySet[Rendition]:
    """Renditions of the clips that `user` may hear."""
    return Rendition.objects.filter(clip__in=visible_clips(user)).select_related("clip")


def thing_of(job: type[Job]) -> tuple[str, type[models.Model]]:
    """What a job works for: the lookup from its row ("" for the row itself) and the model."""
    path = job.OWNER.rpartition("__")[0]
    model: type[models.Model] = job
    for name in path.split("__") if path else ():
        model = cast(type[models.Model], model._meta.get_field(name).related_model)
    return path, model


def thing_for(job: Job) -> models.Model:
    """The thing that a row of work is for, as `thing_of` says of its kind."""
    path, _model = thing_of(type(job))
    thing: models.Model = reduce(getattr, path.split("__") if path else (), job)
    return thing


def jobs_for(user: Any, job: type[Job], least: Role = Role.VIEWER) -> QuerySet[Job]:
    """The work of a kind that belongs to an account, on things on which `user` has a role."""
    path, model = thing_of(job)
    things = rows_for(user, model, least, listed=True)
    found: QuerySet[Job] = job._default_manager.filter(**{f"{path or 'pk'}__in": things.values("pk")})
    return found.select_related(path) if path else found


grant(Clip, Role.OWNER, lambda user: Q(owner=user))
grant(Clip, Role.VIEWER, lambda user: Q(public=True), public=True)
grant(UploadedSystem, Role.OWNER, lambda user: Q(owner=user))
grant(OutputBatch, Role.OWNER, lambda user: Q(owner=user))
