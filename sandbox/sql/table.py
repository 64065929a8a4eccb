"""One granted table behind an address: its rows as a question, and a page of them as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policies.editions import quoted
from sandbox.sql.asked import ProblemError
from sandbox.sql.engine import Question
from sandbox.sql.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import URL

    from catalog.answers import Form
    from catalog.lab import Granted
    from catalog.lake import Served
    from sandbox.sql.access import Reader
    from sandbox.sql.rows import Rows
    from sandbox.sql.service import Service

_LARGEST = 64 * 1024**2


@dataclass(frozen=True)
class Chosen:
    """Rows of a table, as they were asked for."""

    rows: Rows

    def question(self, form: Form, *, whole: bool) -> Question:
        """All of them, or their page."""
        return Question(self.rows.sql if whole else self.rows.page_sql, self.rows.params or None, form)

    @property
    def total(self) -> Question:
        """How many there are."""
        return Question(self.rows.total_sql, self.rows.params or None, "json")


@dataclass(frozen=True)
class Table:
    """A table of an edition that its reader is granted now."""

    granted: Granted
    name: str
    served: Served

    def rows(self, asked: Iterable[tuple[str, str]]) -> Chosen:
        """What the parameters of an address ask for. Raises ProblemError 400."""
        schema = f"{self.granted.dataset}@{self.granted.edition}"
        return Chosen(rows(f"{quoted(schema)}.{quoted(self.name)}", self.served.columns, asked))


async def page_of(service: Service, reader: Reader, chosen: Chosen, url: URL, origin: str | None) -> dict[str, Any]:
    """A page: its rows, where the next and the one before are, and how many rows there are. Raises ProblemError."""
    ((counted),) = await _collected(service, reader, chosen.total, origin, aside=True)
    data = await _collected(service, reader, chosen.question("json", whole=False), origin)
    page, size, total = chosen.rows.page, chosen.rows.page_size, counted["total"]
    return {
        "data": data,
        "links": {
            "next": _at(url, page + 1) if page * size < total else None,
            "prev": _at(url, page - 1) if page > 1 else None,
        },
        "meta": {"page": page, "page_size": size, "total": total},
    }


def _at(url: URL, page: int) -> str:
    there = url.include_query_params(page=page)
    return f"{there.path}?{there.query}"


class _Collected:
    """An answer that is short enough to be held."""

    def __init__(self) -> None:
        self.held = bytearray()

    async def begin(self, columns: list[list[str]]) -> None:
        """Nothing goes out before it is whole."""

    async def send(self, piece: bytes) -> None:
        self.held += piece
        if len(self.held) > _LARGEST:
            raise ProblemError(400, "the page is too long: ask for fewer columns or a smaller page_size")


async def _collected(
    service: Service, reader: Reader, question: Question, origin: str | None, *, aside: bool = False
) -> list[dict[str, Any]]:
    out = _Collected()
    await service.answer(reader, question, origin, out, aside=aside)
    found: list[dict[str, Any]] = json.loads(out.held)
    return found
