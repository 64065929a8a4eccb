"""What a column is declared to be, and what it will be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.bounds import Bound
    from ingest.fieldforms import Written
    from ingest.forms import Form
    from ingest.semantics import Semantic
    from ingest.table import SourceColumn

WORDS = {
    "VARCHAR": "text",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "SMALLINT": "integer",
    "TINYINT": "integer",
    "DOUBLE": "float",
    "FLOAT": "float",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "GEOMETRY": "geometry",
}


def word_of(sql_type: str) -> str:
    """`DECIMAL(18,2)` → `decimal(18,2)`; every other type is one word of the model."""
    return sql_type.lower() if sql_type.startswith("DECIMAL") else WORDS.get(sql_type, "text")


@dataclass(frozen=True)
class Check:
    """A constraint on a column: SQL with `{x}` for it that is true where the row must be rejected, and why."""

    sql: str
    reason: str


@dataclass(frozen=True)
class Declared:
    """What is declared of a column: its type (a word of the model, "number" for decimal or float) and its checks.

    `checks` are of its text, `values` of what it is once it is typed; `written` is how it is written, if that is
    declared.
    """

    word: str
    checks: tuple[Check, ...] = ()
    values: tuple[Check | Bound, ...] = ()
    written: Written | None = None


@dataclass(frozen=True)
class Key:
    """Columns whose values together stand on one row alone; `required`: and on every row. `place` is what says so."""

    columns: tuple[str, ...]
    place: str
    required: bool


@dataclass(frozen=True)
class Typing:
    """What a column will be, and why. `form` None: as it came; `declared`: a row that breaks it is rejected.

    `markers` are the texts that stand for a missing value and go into the column `marker`; where they are declared,
    they do so even if they could be values. `empty` says that no value was seen, `semantic` what the texts seem to
    mean.
    """

    column: SourceColumn
    form: Form | None
    why: str
    declared: bool = False
    checks: tuple[Check, ...] = ()
    marker: str | None = None
    markers: tuple[str, ...] = ()
    markers_declared: bool = False
    empty: bool = False
    semantic: Semantic | None = None

    @property
    def sql_type(self) -> str:
        """The column's type in SQL."""
        return (self.column.native or "VARCHAR") if self.form is None else self.form.sql_type
