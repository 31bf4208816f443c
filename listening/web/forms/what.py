"""What is tested: a study's name and method, its items and its systems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict
from uuid import UUID

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from evaluation import systems as known
from evaluation.contexts import Context
from evaluation.models import Clip
from evaluation.web.lists import ROWS, SEARCHED_FROM
from listening.methods import METHODS, AnyMethod
from listening.models import Study
from listening.study import selectors
from listening.study.contents import LONG_ITEM_SECONDS, MAX_ITEMS, SHORTEST_ITEM_SECONDS, Excerpt
from listening.study.design import room_for_systems
from listening.study.stimuli import SAMPLE_RATES
from listening.study.studies import excerpts_of
from listening.web.forms.base import Section

#: The rows of the paper's Table 3 besides the original: what a new study starts with.
PAPER_SYSTEMS = ("opus-9k", "celp-8k", "amrwb-6.6k", "unified-gan-2k", "bpgan-2k")

#: What a new study of music starts with.
MUSIC_SYSTEMS = ("opus-32k", "opus-64k", "aac-64k", "mp3-64k", "vorbis-64k")

ROLES = {
    "graded": "graded",
    "training": "training only",
    "both": "training and graded",
    "out": "not used",
}
_RATE_WORDS = {16_000: " (wide-band speech)", 44_100: " (full band, as on CDs)", 48_000: " (full band)"}
_CHANNEL_WORDS = {1: "mono", 2: "stereo"}
#: For a new study: what its clips have.
_AS_CLIPS = ("", "as the clips")


class Basics(Section):
    slug = "basics"
    title = "Name and method"
    step = "what"

    name = forms.CharField(max_length=200, strip=True, help_text="Listeners see this name.")
    method = forms.ChoiceField(choices=lambda: [(slug, method.title) for slug, method in METHODS.items()])
    sample_rate = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        choices=[(rate, f"{rate / 1000:g} kHz{_RATE_WORDS.get(rate, '')}") for rate in SAMPLE_RATES],
        help_text="All recordings of the study are heard at this rate.",
    )
    channels = forms.TypedChoiceField(
        coerce=int,
        empty_value=None,
        choices=list(_CHANNEL_WORDS.items()),
        help_text="Speech systems work in mono; a stereo study lets them be heard alike on both sides.",
    )

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        heard = {} if study._state.adding else {"sample_rate": study.sample_rate, "channels": study.channels}
        return {"name": study.name, "method": study.method, **heard}

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None, user: Any = None) -> None:
        super().__init__(study, data, user)
        heard = [self.fields["sample_rate"], self.fields["channels"]]
        self.fields["channels"].required = False  # programs that know of one only
        if study._state.adding:
            for field in heard:
                field.required = False
                field.choices = [_AS_CLIPS, *field.choices]  # type: ignore[attr-defined]
        if self.frozen:
            for field in (self.fields["method"], *heard):
                field.disabled = True

    def methods(self) -> list[AnyMethod]:
        return list(METHODS.values())

    def always_titles(self) -> dict[str, str]:
        """The title of each system that some method adds by itself."""
        return known.titles_of(
            list(dict.fromkeys(slug for method in METHODS.values() for slug in method.always))
        )

    def apply(self, study: Study) -> list[str]:
        study.name = self.cleaned_data["name"]
        if study.method != self.cleaned_data["method"]:
            study.method = self.cleaned_data["method"]
            study.method_options = {}
        study.sample_rate = self.cleaned_data["sample_rate"]  # None: the clips of a new study decide
        if self.cleaned_data["channels"] or study._state.adding:
            study.channels = self.cleaned_data["channels"]
        return ["name", "method", "method_options", "sample_rate", "channels"]


class ItemRow(TypedDict):
    """A row of the form's table of items; `start` and `end` are None where what was sent is no number."""

    id: str
    clip: Clip | None
    start: float | None
    end: float | None
    start_text: str
    end_text: str
    role: str
    name: str
    seconds: float | None
    audio: str
    outline: str
    done: str


class Items(Section):
    """Excerpts of clips, a row each: parallel lists of ``items-clip``, -start, -end, -role and -name.

    ``clip`` (without prefix) names further clips to take whole: the picker's boxes, where no script runs.
    """

    slug = "items"
    title = "Items"
    step = "what"
    help = f"Clips, or excerpts of {SHORTEST_ITEM_SECONDS} to {LONG_ITEM_SECONDS:g} s, cut after coding."
    scripts = ("js/studies/what.js",)
    drawing = scripts
    locked = True
    wide = True

    long_seconds = LONG_ITEM_SECONDS
    shortest_seconds = SHORTEST_ITEM_SECONDS
    roles = ROLES

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return {}

    def __init__(
        self,
        study: Study,
        data: Mapping[str, Any] | None = None,
        clips: Iterable[Clip] = (),
        user: Any = None,
    ) -> None:
        super().__init__(study, data, user)
        self.rows = self._sent() if data is not None else self._stored(clips)
        through = selectors.systems_of_clips(row["clip"] for row in self.rows if row["clip"])
        for row in self.rows:
            row["done"] = " ".join(sorted(through.get(row["clip"].pk, ()))) if row["clip"] else ""

    def _stored(self, clips: Iterable[Clip]) -> list[ItemRow]:
        rows: dict[tuple[Any, ...], ItemRow] = {}
        excerpts = excerpts_of(self.study) if not self.study._state.adding else []
        for excerpt in sorted(excerpts, key=lambda each: each.training):
            key = (excerpt.clip.pk, excerpt.start, excerpt.end, excerpt.name)
            if excerpt.training and key in rows:
                rows[key]["role"] = "both"
            else:
                role = "training" if excerpt.training else "graded"
                rows[key] = self._row(excerpt.clip, excerpt.start, excerpt.end, role, excerpt.name)
        for clip in clips:
            rows[clip.pk, len(rows)] = self._row(clip, 0.0, clip.seconds, "graded" if rows else "both", "")
        return list(rows.values())

    def _sent(self) -> list[ItemRow]:
        def values(name: str) -> list[str]:
            return self.data.getlist(name) if hasattr(self.data, "getlist") else list(self.data.get(name, []))

        columns = [values(f"{self.prefix}-{name}") for name in ("clip", "start", "end", "role", "name")]
        if len({len(column) for column in columns}) > 1:
            self._broken = True
            columns = []
        known = self._find([*(columns[0] if columns else []), *values("clip")])
        rows = []
        for clip_id, start, end, role, name in list(zip(*columns, strict=False))[: 4 * MAX_ITEMS]:
            clip = known.get(clip_id)
            if role != "out":
                rows.append(self._row(clip, _number(start), _number(end), role, name, clip_id))
        for clip_id in values("clip"):
            clip = known.get(clip_id)
            role = "graded" if rows else "both"
            rows.append(self._row(clip, 0.0, clip.seconds if clip else 0.0, role, "", clip_id))
        return rows

    _broken = False

    def _find(self, ids: Iterable[str]) -> dict[str, Clip]:
        """Those of the clips with these ids that can be in the study: on offer, or in it already."""
        wanted = uuids(ids)
        found = list(selectors.clips_for_study(self.user).filter(pk__in=wanted))
        if not self.study._state.adding:
            found += Clip.objects.filter(items__study=self.study, pk__in=wanted).distinct()
        return {str(clip.pk): clip for clip in found}

    @staticmethod
    def _row(
        clip: Clip | None, start: float | None, end: float | None, role: str, name: str, clip_id: str = ""
    ) -> ItemRow:
        return {
            "id": str(clip.pk) if clip else clip_id,
            "clip": clip,
            "start": start,
            "end": end,
            "start_text": _text(start),
            "end_text": _text(end),
            "role": role,
            "name": name,
            "seconds": None if start is None or end is None else end - start,
            "audio": reverse("clip_audio", args=[clip.pk]) if clip else "",
            "outline": reverse("clip_outline", args=[clip.pk]) if clip else "",
            "done": "",
        }

    def blank(self) -> ItemRow:
        """A row for the page's script to fill in."""
        return self._row(None, 0.0, 0.0, "graded", "")

    def picker(self) -> Context:
        """The newest clips on offer; the page's script asks for those that a search finds."""
        return pick_clips(self.user)

    def was_sent(self) -> bool:
        return super().was_sent() or "clip" in self.data

    def clean(self) -> Context:
        if self._broken:
            raise forms.ValidationError(
                _("The list of items arrived incomplete. Reload the page and try again.")
            )
        excerpts: list[Excerpt] = []
        for row in self.rows:
            if row["clip"] is None:
                raise forms.ValidationError(_("One of the clips no longer exists, or isn't yours."))
            if row["role"] not in ROLES:
                raise forms.ValidationError(_("“%(row)s” is not a role of an item.") % {"row": row["role"]})
            if row["start"] is None or row["end"] is None:
                raise forms.ValidationError(
                    _("“%(row)s” needs a start and an end in seconds.") % {"row": row["clip"].title}
                )
            for training in (True, False):
                if row["role"] in ("both", "training" if training else "graded"):
                    excerpts.append(Excerpt(row["clip"], row["start"], row["end"], training, row["name"]))
        self.excerpts = excerpts
        return self.cleaned_data

    def apply(self, study: Study) -> list[str]:
        return []


class Systems(Section):
    slug = "systems"
    title = "Systems"
    step = "what"
    locked = True

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        return {"chosen": list(study.systems or [])}

    chosen = forms.MultipleChoiceField(
        required=False, error_messages={"invalid_choice": "There is no system “%(value)s”."}
    )

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None, user: Any = None) -> None:
        super().__init__(study, data, user)
        self.always = METHODS[study.method].always
        self.room = study.design.systems_per_trial or room_for_systems(METHODS[study.method])
        # Those of the study are offered to who edits it, whoever made them.
        there = [] if study._state.adding else list(study.systems)
        usable = {each.slug: each for each in known.systems_for(self.user)} | known.describe_all(there)
        offered = (each for each in usable.values() if each.slug not in self.always)
        self.offered = sorted(offered, key=lambda each: known.order(each.slug))
        self.fields["chosen"].choices = [(each.slug, each.title) for each in self.offered]  # type: ignore[attr-defined]

    def boxes(self) -> list[Context]:
        chosen = set(self["chosen"].value() or [])
        return [{"system": each, "chosen": each.slug in chosen} for each in self.offered]

    def apply(self, study: Study) -> list[str]:
        study.systems = self.cleaned_data["chosen"]
        return ["systems"]


def pick_clips(user: Any, search: str = "") -> Context:
    """What ``setup/_picker.html`` shows: the newest clips on offer with `search` in their titles.

    Each has the systems that it has been through. Those of which no system is done yet are counted.
    """
    offered, unready = selectors.clips_for_study(user), selectors.unready_clips(user)
    if search:
        offered, unready = (each.filter(title__icontains=search) for each in (offered, unready))
    clips = list(offered[: ROWS + 1])
    done = selectors.systems_of_clips(clips[:ROWS])
    rows = []
    for clip in clips[:ROWS]:
        rows.append(
            {
                "id": str(clip.pk),
                "clip": clip,
                "audio": reverse("clip_audio", args=[clip.pk]),
                "outline": reverse("clip_outline", args=[clip.pk]),
                "done": " ".join(sorted(done.get(clip.pk, ()))),
            }
        )
    return {
        "clips": rows,
        "search": search,
        "unready": unready.count(),
        "more": len(clips) > ROWS,
        "is_long": len(clips) >= SEARCHED_FROM,
    }


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(number: float | None) -> str:
    """Seconds as the fields show them, to the millisecond."""
    return "" if number is None else f"{number:.3f}".rstrip("0").rstrip(".")


def uuids(values: Iterable[str]) -> list[UUID]:
    """The UUIDs among `values`: what is none can't be anybody's clip."""
    found = []
    for value in values:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found
