"""Refusals of requests by people and programs: one class, with one handler for pages and one for the API.

Code that refuses a request raises a `Refusal` with a message for the user. Views and API functions do not
build error responses themselves: `evaluation.web.refusals` does that for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeAlias

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _

from codec.base import CodecError, Note

#: A message: lazy, from `gettext_lazy`, or already translated.
Text: TypeAlias = "str | Promise | Message | Refusal"


class Message:
    """A message with values, translated into the current language when it is converted to text.

    Args:
        text: from `gettext_lazy`, with a placeholder such as ``%(name)s`` for every value.
        values: by name; refusals and messages among them are translated, too.
    """

    def __init__(self, text: Text, /, **values: object) -> None:
        self.text = text
        self.values = values

    def __str__(self) -> str:
        return str(self.text) % self.values if self.values else str(self.text)


def translate_error(error: CodecError) -> Message:
    """Wrap the message of an error of `codec`, which has no translations, as a lazily translated text."""
    return Message(gettext_lazy(error.text), **error.values)


def translate_note(note: str) -> str:
    """A remark in the current language; one without its message and values (`codec.base.Note`) as it is."""
    if not isinstance(note, Note) or not note.text:
        return note
    values = {
        name: translate_note(each) if isinstance(each, Note) else each for name, each in note.values.items()
    }
    return str(Message(gettext_lazy(note.text), **values))


def note_of(error: Exception) -> str:
    """What an error says, as a remark for a column: its message and its values, if it has them."""
    if isinstance(error, CodecError):
        return Note(error.text, **error.values)
    if not isinstance(error, Refusal):
        return str(error)
    message: object = error
    while isinstance(message, Refusal) or (isinstance(message, Message) and _wraps(message)):
        message = message.message if isinstance(message, Refusal) else message.text
    with translation.override(None):  # in which messages are what catalogues know them by
        if not isinstance(message, Message):
            return Note(str(message))
        values = {name: _plain_value(value) for name, value in message.values.items()}
        return Note(str(message.text), **values)


def _wraps(message: Message) -> bool:
    return not message.values and isinstance(message.text, Message | Refusal)


def _plain_value(value: object) -> object:
    """A message's value as a column can hold it."""
    if isinstance(value, CodecError | Refusal):
        return note_of(value)
    return str(value) if isinstance(value, Promise | Message) else value


class Refusal(Exception):
    """A request that is refused, with a message for the user.

    Args:
        message: the reason; from `gettext_lazy`, with a placeholder such as ``%(name)s`` for every value.
        status: HTTP status; default: the class's.
        fields: messages about single fields of the request, by path, such as
            ``questionnaire.0.label``.
        values: values of the message's placeholders.

    Attributes:
        title: heading of the general refusal page.
        field: the field of the request that a refusal of this class is about, unless it names others.
        page: renders the page that shows the refusal (`evaluation.web.refusals.show_refusals_on`);
            None: the general page.
    """

    status: int = 400
    title: ClassVar[Text] = _("This cannot be done")
    field: ClassVar[str] = ""

    def __init__(
        self,
        message: Text,
        /,
        status: int | None = None,
        fields: Mapping[str, Text] | None = None,
        **values: object,
    ) -> None:
        self.message = Message(message, **values)
        super().__init__(self.message)
        if status is not None:
            self.status = status
        self.fields: dict[str, Text] = dict(fields or ({self.field: self.message} if self.field else {}))
        self.page: Callable[[Any], Any] | None = None

    @classmethod
    def of_field(cls, path: str, message: Text, /, **values: object) -> Self:
        """A refusal that one field of the request is to blame for."""
        text = Message(message, **values)
        return cls(text, fields={path: text})

    def __str__(self) -> str:
        return str(self.message)

    @property
    def more(self) -> dict[str, object]:
        """Extension members of the RFC 9457 problem."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers of the response."""
        return {}


class TryLater(Refusal):
    """A refusal that holds for some time only.

    Args:
        message: the reason; may name the time that is left by ``%(seconds)s`` or ``%(minutes)s``.
        seconds: until the same request may be granted.
        values: other values of the message's placeholders.
    """

    status = 429

    def __init__(self, message: Text, /, *, seconds: int, **values: object) -> None:
        self.seconds = seconds
        left = {"seconds": seconds, "minutes": max(1, math.ceil(seconds / 60))}
        super().__init__(Message(message, **left, **values))

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}
