"""What an ingest proves, and what of it is kept for ever."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict

from policies.wording import count_of


class Stored(BaseModel):
    """The base of what is kept for ever: an older or a newer release may have written fewer or more fields."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Reject(Stored):
    """A row that could not be taken in: where it stands, why, and what it said."""

    line: int
    reason: str
    text: str


class ProvenColumn(Stored):
    """One column as it was committed: its type, and why it has it.

    `markers` counts what stood for a missing or secret value; the column of that name with `_marker` keeps it by row.
    """

    name: str
    source_name: str
    type: str
    nulls: int
    markers: dict[str, int] = {}
    why: str


class Accepted(Stored):
    """Who let a snapshot in that was held for review, when (UTC) and why, and what it was held for."""

    by: str
    when: dt.datetime
    why: str = ""
    reasons: tuple[str, ...] = ()


class ReadFile(Stored):
    """One of several files that are one table: its rows, and how they were read.

    `rows_in` None: its rows were in the table before, and it was not read again.
    """

    name: str
    sha256: str
    format: str = ""
    dialect: dict[str, str | int | None] = {}
    rows_in: int | None = None
    rejected: int = 0


class QualityResult(Stored):
    """A quality check as the descriptor says it, and how many rows break it."""

    rule: str
    broken: int

    def __str__(self) -> str:
        """`unique: code_insee: 3 rows break it`."""
        if self.broken == 0:
            return f"{self.rule}: kept"
        if self.rule.startswith("rows: "):
            return f"{self.rule}: the table has more or fewer"
        return f"{self.rule}: {count_of(self.broken, 'row breaks it', 'rows break it')}"


class Changes(Stored):
    """What a snapshot has that the one before had not, and the other way round.

    Rows are compared in the columns that both have with the same type; a row that was changed is one removed and one
    added. `columns_retyped` says the old and the new type.
    """

    rows_added: int
    rows_removed: int
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: dict[str, str] = {}


class Receipt(Stored):
    """What one ingest did. It lies in the Delta commit of the snapshot it proves.

    `rows_in` is counted apart from the reading, so `rows_in == rows_out + rejected` proves that no row was lost.
    In the modes append and merge the table then has `rows_total == rows_before + rows_out - rows_replaced` rows, and
    its rejects `rejects_total`; None stands for `rows_out` and `rejected`. `content` names all that is in the table,
    None where that is these bytes alone. `files` are those of a source of several. `notes` are sentences on what was
    kept and may mislead. `changes` None: nothing was served before, or it is no longer whole. `layout` is raised when a
    field changes its meaning.
    """

    layout: int = 1
    dataset: str
    resource: str
    source: str
    origin: str = ""
    etag: str | None = None
    last_modified: str | None = None
    sha256: str
    bytes: int = 0
    fetched: dt.datetime
    format: str = ""
    dialect: dict[str, str | int | None] = {}
    rows_in: int
    rows_out: int
    rejected: int
    rejects: tuple[Reject, ...] = ()
    columns: tuple[ProvenColumn, ...] = ()
    files: tuple[ReadFile, ...] = ()
    notes: tuple[str, ...] = ()
    reading: str
    seconds: float = 0.0
    mode: str = "snapshot"
    rows_before: int = 0
    rows_replaced: int = 0
    rows_total: int | None = None
    rejects_total: int | None = None
    content: str | None = None
    quality: tuple[QualityResult, ...] = ()
    changes: Changes | None = None
    accepted: Accepted | None = None
