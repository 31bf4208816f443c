"""What is refused to a person or a program: one class, which pages and the API answer in one way each.

Whoever refuses raises a `Refusal` with a message for the person who asked. No view and no API function
words an answer of its own: `evaluation.web.refusals` does that for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as _

from codec.base import CodecError

#: A message, translated when it is read: from `gettext_lazy`, or one that has been translated already.
Text: TypeAlias = "str | Promise | Message | Refusal"


class Message:
    """A message with values, worded in the language that is in force when it is read.

    Args:
        text: from `gettext_lazy`, with a place such as ``%(name)s`` for every value.
        values: by name; refusals and messages among them are translated with the rest.
    """

    def __init__(self, text: Text, /, **values: object) -> None:
        self.text = text
        self.values = values

    def __str__(self) -> str:
        return str(self.text) % self.values if self.values else str(self.text)


def translate_error(error: CodecError) -> Message:
    """The message of an error of `codec`, which knows nothing of languages: translated when it is read."""
    return Message(gettext_lazy(error.text), **error.values)


class Refusal(Exception):
    """A request that cannot be granted, with a message for whoever made it.

    Args:
        message: why; from `gettext_lazy`, with a place such as ``%(name)s`` for every value.
        status: of the HTTP answer; default: the class's.
        fields: what is wrong with single fields of the request: messages by path, such as
            ``questionnaire.0.label``.
        values: for the places in the message.

    Attributes:
        title: heads the page of a refusal that has no page of its own.
        page: renders the page that shows the refusal (`evaluation.web.refusals.show_refusals_on`);
            None: a plain page.
    """

    status: int = 400
    title: ClassVar[Text] = _("This cannot be done")

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
        self.fields = dict(fields or {})
        self.page: Callable[[Any], Any] | None = None

    def __str__(self) -> str:
        return str(self.message)

    @property
    def more(self) -> dict[str, Any]:
        """What a program is told besides the message: extension members of RFC 9457."""
        return {}

    @property
    def headers(self) -> dict[str, str]:
        """Of the HTTP answer."""
        return {}
