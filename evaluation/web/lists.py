"""Long lists: a page of rows at a time, and those that a search finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema
from ninja.pagination import LimitOffsetPagination
from pydantic import Field

from evaluation.http import SINCE
from evaluation.texts import clean_line

#: Rows on a page.
ROWS = 100
#: A list of so many rows or more has a search above it.
SEARCHED_FROM = 8
#: Most rows that one answer of the API holds.
MOST_ROWS = 1000
#: Most rows that may come before them; databases count no further than 64 bits.
MOST_BEFORE = 2**53


class ApiPagination(LimitOffsetPagination):
    """The pages of the API's lists, for ``ninja.pagination.paginate``."""

    class Input(Schema):
        limit: int = Field(ROWS, ge=1, le=MOST_ROWS, description="most rows in the answer")
        offset: int = Field(0, ge=0, le=MOST_BEFORE, description="how many rows come before them")


class Described(Sequence[Any]):
    """Rows of which only those that are asked for are read, counted together and described.

    Args:
        rows: in an order that is the same each time.
        describe: what the API says of one.
    """

    def __init__(self, rows: QuerySet[Any], describe: Callable[[Any], Any]) -> None:
        self._rows, self._describe = rows, describe

    def __len__(self) -> int:
        return self._rows.count()

    @overload
    def __getitem__(self, which: int) -> Any: ...
    @overload
    def __getitem__(self, which: slice) -> list[Any]: ...
    def __getitem__(self, which: int | slice) -> Any:
        if isinstance(which, slice):
            return [self._describe(row) for row in self._rows[which]]
        return self._describe(self._rows[which])


class RowsPage(Page[Any]):
    """A page of rows, with the query strings of the pages before and after it; None where there is none."""

    previous_query: str | None = None
    next_query: str | None = None

    @property
    def is_long(self) -> bool:
        """Whether a search stands above the list."""
        return self.paginator.count >= SEARCHED_FROM


def page_of(request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], name: str = "page") -> RowsPage:
    """The page of `rows` that the request's parameter `name` asks for: the nearest that exists.

    ``_pages.html`` links it with the others. Counts that join other tables are better annotated on
    ``filter(pk__in=...)`` of the page's rows: on `rows` the database computes them for every row there is.
    """
    found = Paginator(rows, ROWS).get_page(request.GET.get(name))
    page = RowsPage(found.object_list, found.number, found.paginator)

    def query_of(number: int) -> str:
        query = request.GET.copy()
        query[name] = str(number)
        query.pop(SINCE, None)  # a link is no poll
        return query.urlencode()

    if page.has_previous():
        page.previous_query = query_of(page.number - 1)
    if page.has_next():
        page.next_query = query_of(page.number + 1)
    return page


def searched(request: HttpRequest) -> str:
    """What the reader searches for."""
    return clean_line(request.GET.get("search", ""))[:200]
