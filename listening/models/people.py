"""Researchers' accounts: their tokens, choices, ways to sign in, mails; and how often was tried."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse

from evaluation.models import Job


class ApiToken(models.Model):
    """A researcher's bearer token; only its SHA-256 is stored."""

    class Scope(models.TextChoices):
        READ = "read"  # GET and HEAD only
        WRITE = "write"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(
        max_length=100, default="API token", help_text="what it is for, as its owner says"
    )
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.WRITE)
    created = models.DateTimeField(auto_now_add=True)
    used = models.DateTimeField(null=True, blank=True, help_text="last use, to the minute")
    expires = models.DateTimeField(null=True, blank=True, help_text="null: never")

    class Meta:
        ordering = ["user", "created", "id"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class Profile(models.Model):
    """What a researcher chose for their account; there is no row before they chose anything."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    language = models.CharField(
        max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE, help_text="of e-mails"
    )
    notify = models.BooleanField(default=True, help_text="whether they get e-mails about their studies")

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return f"Profile of {self.user}"


class Identity(models.Model):
    """A person as a provider of OpenID Connect knows them, who signs in as `user`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255, help_text="`sub`, which the provider never gives to another")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user", "id"]
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class Mail(Job):
    """An e-mail that a worker sends, once: `sent` is set before the server is given the message."""

    OWNER = ""

    to = models.EmailField(max_length=254, help_text="emptied after a few days, as the subject is")
    subject = models.CharField(max_length=200)
    body = models.TextField(help_text="emptied when it is sent: it may hold a link that signs in")
    key = models.CharField(
        max_length=200, unique=True, null=True, blank=True, help_text="of what is said once; null: a reply"
    )
    unsubscribe = models.URLField(max_length=500, blank=True, help_text="where one click ends such mails")
    sent = models.DateTimeField(null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True, help_text="from then on it is useless: not sent")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created", "id"]

    def __str__(self) -> str:
        return self.subject

    def get_absolute_url(self) -> str:
        return reverse("account")


class SigninLink(models.Model):
    """A link that signs a researcher in once, before it expires; only its SHA-256 is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signin_links")
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-expires"]

    def __str__(self) -> str:
        return f"Sign-in link of {self.user}"


class AccountAct(models.Model):
    """Something that an administrator did to an account, on a page or by a command on the server."""

    class What(models.TextChoices):
        MADE = "made"
        PROMOTED = "promoted"
        DEMOTED = "demoted"
        ACTIVATED = "activated"
        DEACTIVATED = "deactivated"
        ADDRESSED = "addressed"
        LINKED = "linked"
        RESET = "reset"
        DELETED = "deleted"

    what = models.CharField(max_length=20, choices=What.choices)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    by_command = models.BooleanField(default=False)
    done = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-done", "-id"]

    def __str__(self) -> str:
        return f"{self.what} {self.account} by {self.by}"


class Throttle(models.Model):
    """The number of attempts within a time window; see `listening.web.throttling`."""

    key = models.CharField(
        max_length=64, primary_key=True, help_text="HMAC of the limit's scope and the identity counted"
    )
    count = models.PositiveIntegerField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["expires", "key"]

    def __str__(self) -> str:
        return f"{self.count} until {self.expires:%H:%M:%S}"
