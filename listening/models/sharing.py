"""Who may see and edit a study beside its owner, and what they did to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from evaluation.access import Role
from listening.models.study import Study

#: The roles that a study can be shared with; its owner has no row.
SHARED_ROLES = [(role.value, role.label) for role in (Role.VIEWER, Role.EDITOR)]


class Share(models.Model):
    """A person who may see a study and its clips, or edit them, without owning it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="shares")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shares")
    role = models.PositiveSmallIntegerField(choices=SHARED_ROLES, default=Role.VIEWER)
    offered = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when the owner offered this person the study; until they answer",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "created", "id"]
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="share_once")]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()} of {self.study}"


class Invitation(models.Model):
    """A link that lets who opens it share in a study; only its SHA-256 is stored."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    digest = models.CharField(max_length=64, unique=True)
    role = models.PositiveSmallIntegerField(choices=SHARED_ROLES, default=Role.VIEWER)
    many = models.BooleanField(default=False, help_text="for any number of people; else for one")
    uses = models.PositiveIntegerField(default=0)
    expires = models.DateTimeField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "-created", "-id"]

    def __str__(self) -> str:
        return f"Invitation to {self.study}"


class Act(models.Model):
    """Something that a person did to a study, by a page or by a program with their token."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="acts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="the colleague whom it is about",
    )
    what = models.CharField(max_length=60, help_text="name of the page's address or of the API's operation")
    words = models.CharField(max_length=200, blank=True, help_text="not written any more")
    token = models.CharField(max_length=100, blank=True, help_text="name of the API token; empty: by page")
    detail = models.CharField(max_length=200, blank=True, help_text="what more is known, as name=value")
    done = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "-done", "-id"]

    def __str__(self) -> str:
        return f"{self.what} of {self.study} by {self.user}"
