"""What the public may know of how a table came to be: counts, dates and proofs, never a rejected row's text.

An edition's receipt is its own; the raw receipt behind it is not public as a whole. These functions pick what is.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from catalog.receipt import Changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.editions import EditionTable

_QUOTED = re.compile(r"""['"`«“‘]""")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One snapshot of an edition's table; None stands for what no receipt says.

    `read`, `kept` and `rejected` count rows of the source, `rows` those of the edition; `changes` is what the edition
    has that the snapshot before had not.
    """

    number: int
    committed: dt.datetime
    rows: int | None
    read: int | None
    kept: int | None
    rejected: int | None
    origin: str | None
    fetched: dt.datetime | None
    sha256: str | None
    changes: Changes | None = None


def versions(own: Sequence[Mapping[str, Any]], raw: Sequence[Mapping[str, Any]]) -> tuple[Version, ...]:
    """The edition's snapshots, newest first, from `Lake.history` of the edition and of the raw table behind it."""
    behind = {receipt["version"]: receipt for receipt in raw}
    shown = []
    for receipt in own:
        ingest = behind.get(receipt.get("raw_version"), {})
        shown.append(
            Version(
                number=receipt["version"],
                committed=receipt["committed"],
                rows=_count(receipt, "rows_out"),
                read=_count(ingest, "rows_in"),
                kept=_count(ingest, "rows_out"),
                rejected=_count(ingest, "rejected"),
                origin=_text(ingest, "origin"),
                fetched=_moment(ingest, "fetched"),
                sha256=_text(ingest, "sha256"),
                changes=_changes(receipt),
            )
        )
    return tuple(shown)


def proofs(own: Mapping[str, Any], raw: Sequence[Mapping[str, Any]], table: EditionTable | None) -> dict[str, str]:
    """Why each column of the snapshot `own` has its type, by column.

    A proof may quote a value. So it is told only of columns that the edition keeps as they are, and only when the
    edition has every row: else it could tell of a row that somebody chose to leave out. When rows were rejected, a
    proof that quotes is not told either, for it may quote one of them.
    """
    ingest = next((receipt for receipt in raw if receipt["version"] == own.get("raw_version")), None)
    if ingest is None or table is None or table.where is not None:
        return {}
    rows = _count(ingest, "rows_out")
    if rows is None or rows != _count(own, "rows_out"):
        return {}
    untouched = {name: table.published(name) for name in table.left_as_they_are}
    complete = _count(ingest, "rejected") == 0
    told = {}
    for column in ingest.get("columns") or ():
        name, why = column.get("name"), column.get("why")
        if name in untouched and isinstance(why, str) and (complete or not _QUOTED.search(why)):
            told[untouched[name]] = why
    return told


def _changes(receipt: Mapping[str, Any]) -> Changes | None:
    try:
        return Changes.model_validate(receipt.get("changes"))
    except ValidationError:
        return None


def _count(receipt: Mapping[str, Any], key: str) -> int | None:
    value = receipt.get(key)
    return value if isinstance(value, int) else None


def _text(receipt: Mapping[str, Any], key: str) -> str | None:
    value = receipt.get(key)
    return value if isinstance(value, str) else None


def _moment(receipt: Mapping[str, Any], key: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(_text(receipt, key) or "")
    except ValueError:
        return None
