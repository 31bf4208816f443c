"""The refusal of a file that a researcher sends, with the place of the problem in it."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from evaluation.refusals import Message, Refusal, Text


class FileProblem(Refusal):
    """A file that cannot be read, with the place of the problem.

    Attributes:
        what: the message without the place.
        line: line of the problem, from 1; None for the whole file.
        column: number of the cell in a table, of the character in other texts, from 1.
        heading: heading of the table's column, if it has one.
    """

    status = 422
    field = "file"

    def __init__(
        self,
        message: Text,
        line: int | None = None,
        column: int | None = None,
        heading: str = "",
        fields: Mapping[str, Text] | None = None,
        **values: object,
    ) -> None:
        self.line, self.column, self.heading = line, column, heading
        self.what = Message(message, **values)
        place = {"line": line, "column": f"{column} ({heading})" if heading else column, "message": self.what}
        if line is not None and column is not None:
            said = Message(_("Line %(line)s, column %(column)s: %(message)s"), **place)
        elif line is not None:
            said = Message(_("Line %(line)s: %(message)s"), **place)
        elif column is not None:
            said = Message(_("Column %(column)s: %(message)s"), **place)
        else:
            said = self.what
        super().__init__(said, fields=fields)
