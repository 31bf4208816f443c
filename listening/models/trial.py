"""Rating: what one listener heard, did and answered in one item."""

from __future__ import annotations

from django.db import models

from evaluation.columns import TypedJSONField
from listening.columns.sessions import EventDetail, Signal
from listening.models.session import Session
from listening.models.study import Item, Stimulus
from listening.models.tokens import opaque_token


class Trial(models.Model):
    """One item as presented in a session.

    `order` is the stored presentation, left to right: ``[{"key": opaque, "stimulus": id}, ...]``, with a
    ``"role"`` where the method assigns roles to its signals (A, B, X); `reference_key` names the open
    reference's file. Keys are random and valid in this trial only.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="trials")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="trials")
    position = models.PositiveSmallIntegerField()
    order = TypedJSONField(list[Signal])
    reference_key = models.CharField(max_length=43, default=opaque_token)
    comment = models.TextField(blank=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["session", "position"]
        constraints = [models.UniqueConstraint(fields=["session", "position"], name="trial_position_once")]

    def __str__(self) -> str:
        return f"Trial {self.position} of {self.session}"


class Rating(models.Model):
    """The latest grade of one stimulus in one trial, on the scale of the study's method.

    `sequence` counts the listener's changes, so that a late or repeated request never overwrites
    a newer grade.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="ratings")
    score = models.FloatField(help_text="MUSHRA: whole, 0-100")
    sequence = models.PositiveIntegerField()
    writer = models.CharField(
        max_length=32, blank=True, editable=False, help_text="token of the browser that sent it; not exported"
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial", "stimulus"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "stimulus"], name="rating_once"),
            # CCR goes down to -3.
            models.CheckConstraint(condition=models.Q(score__gte=-3, score__lte=100), name="rating_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.score:g} for {self.stimulus}"


class Choice(models.Model):
    """The signal of a trial that the listener chose: as equal to X, or as preferred.

    `chosen` is null if the answer was "no preference".
    """

    trial = models.OneToOneField(Trial, on_delete=models.CASCADE, related_name="choice")
    chosen = models.ForeignKey(
        Stimulus, on_delete=models.PROTECT, related_name="choices", null=True, blank=True
    )
    sequence = models.PositiveIntegerField()
    writer = models.CharField(
        max_length=32, blank=True, editable=False, help_text="token of the browser that sent it; not exported"
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial"]

    def __str__(self) -> str:
        return f"Choice in {self.trial}"


class Event(models.Model):
    """An event in the listener's page (play, switch, loop, grade), kept to explain odd grades (M30)."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField(
        help_text="number of the event in its page; a repeated request is ignored"
    )
    kind = models.CharField(max_length=20)
    milliseconds = models.PositiveIntegerField(help_text="time since the trial's page was opened")
    detail = TypedJSONField(EventDetail, default=dict)

    class Meta:
        ordering = ["trial", "sequence"]
        constraints = [models.UniqueConstraint(fields=["trial", "sequence"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.milliseconds} ms"
