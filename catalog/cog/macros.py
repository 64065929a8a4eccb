"""The SQL macros on a connection that is granted a table of INSEE's events; without one there are none.

    FROM cog_crosswalk(2015, 2026)
        code         a commune of 1 January 2015
        to_code      the commune of 1 January 2026 in which all of its land lies; NULL where it is none or several
        state        same        that commune, alone, has the same code
                     moved       that commune, alone, has another code
                     merged      that commune holds all of others too
                     incomplete  that commune holds a part of another too: what is summed in it lacks something
                     split       its land lies in several communes: nothing says how a value is shared out
                     outside     its land lies in no commune of that year (Saint-Martin left in 2007)
        candidates   the communes of 2026 in which land of it lies

    FROM cog_convert('populations.communes', 'COM', 2015, 2026)
        the table, row by row: COM moved, COM_2015 as it was, and COM_2015_state, which may also be `unknown` (the code
        is none of 2015). COM is NULL where the state is split, outside or unknown: so a sum counts no row twice, and
        shows under NULL what has no place.

    FROM cog_check('before', 'COM', 'PMUN', 2015, 2026, 'after')
        the communes of 2026 in which the sums of PMUN, moved, are not those of the table `after`; `unsure` where a
        split explains it. No row: they add up.

    SELECT cog_sql('populations.communes', 'COM', 2015, 2026)
        what `cog_convert` runs, as a text.

Backwards (2026, 2015) a merger is a split. An arrondissement of Paris, Lyon or Marseille is a code as a commune is,
beside the whole city's. An associated or delegated commune is none: its code is `unknown` unless it is a commune's too.
What the events do not tell is not seen: land that went from one commune to another while both went on.

INSEE's documentation of the events: https://www.insee.fr/fr/information/2560452.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from policies.editions import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from catalog.lab import Granted
    from catalog.lake import Served

EVENTS = ("MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP")
"""The columns by which a table of INSEE's events is known."""

_COMMUNES = ("TYPECOM", "COM", "COMPARENT")
_NO_COMMUNES = "(SELECT NULL::VARCHAR AS code WHERE false)"
_IN_FORM = r"regexp_full_match(cog_row.:column::VARCHAR, '(\d\d|2[AB])\d{3}')"


def _name(expression: str) -> str:
    """An expression that quotes a name which a macro is given."""
    return f"""('"' || replace({expression}, '"', '""') || '"')"""


_YEARS = {year: f"coalesce({year}::INTEGER::VARCHAR, 'NULL')" for year in ("from_year", "to_year")}
_COLUMN = {"column": _name("column_name")}
_CONVERT = {
    "state": _name("concat(column_name, '_', from_year, '_state')"),
    "before": _name("concat(column_name, '_', from_year)"),
    **_COLUMN,
    "table": "table_name",
}
_CHECK = {
    **_COLUMN,
    "value": _name("value_name"),
    "converted": "cog_sql(table_name, column_name, from_year, to_year)",
    "expected": "expected_name",
}


@dataclass(frozen=True)
class Place:
    """A granted table: where it stands, and how many rows it has."""

    dataset: str
    edition: str
    resource: str
    rows: int

    @property
    def sql(self) -> str:
        """Its view, quoted."""
        return f"{quoted(f'{self.dataset}@{self.edition}')}.{quoted(self.resource)}"


def macros(granted: Sequence[Granted]) -> str | None:
    """The statements that make the macros, or None when none of the granted tables holds INSEE's events.

    Any table with INSEE's columns does; of several, the one with the most rows, for INSEE only ever adds events. The
    list of communes beside it in the same edition, if there is one, tells a code that never was from one that nothing
    befell; without it, every code in the form of one that no event names is `same`.
    """
    events = _largest(granted, EVENTS)
    if events is None:
        return None
    beside = [edition for edition in granted if (edition.dataset, edition.edition) == (events.dataset, events.edition)]
    communes = _largest(beside, _COMMUNES)
    crosswalk = Template(_text("crosswalk.sql")).substitute(
        events=events.sql,
        name=literal(f"{events.dataset}.{events.resource}"),
        communes=_NO_COMMUNES if communes is None else _listed(communes),
    )
    convert = Template(_text("convert.sql")).substitute(unnamed=_IN_FORM if communes is None else "false")
    return f"""
CREATE OR REPLACE MACRO cog_crosswalk(from_year, to_year) AS TABLE FROM query({_filled(crosswalk, _YEARS)});
CREATE OR REPLACE MACRO cog_sql(table_name, column_name, from_year, to_year) AS {_filled(convert, _YEARS | _CONVERT)};
CREATE OR REPLACE MACRO cog_convert(table_name, column_name, from_year, to_year) AS TABLE
    FROM query(cog_sql(table_name, column_name, from_year, to_year));
CREATE OR REPLACE MACRO cog_check(table_name, column_name, value_name, from_year, to_year, expected_name) AS TABLE
    FROM query({_filled(_text("check.sql"), _YEARS | _CHECK)});
"""


def _filled(text: str, fillings: Mapping[str, str]) -> str:
    """The expression that puts a macro's arguments into a query's text.

    As a text, the query is parsed when it is asked for, not each time that a connection is made.
    """
    filled = literal(text)
    for name, expression in fillings.items():
        filled = f"replace({filled}, ':{name}', {expression})"
    return filled


def _listed(communes: Place) -> str:
    return f"(SELECT DISTINCT COM AS code FROM {communes.sql} WHERE TYPECOM IN ('COM', 'ARM'))"  # noqa: S608  quoted


def _largest(granted: Sequence[Granted], columns: Collection[str]) -> Place | None:
    """The table with these columns that has the most rows; of equals, the first."""
    return max(_with(granted, columns), key=lambda place: place.rows, default=None)


def _with(granted: Sequence[Granted], columns: Collection[str]) -> Iterator[Place]:
    for edition in granted:
        for resource, served in edition.current.resources.items():
            if _is(served, columns):
                yield Place(edition.dataset, edition.edition, resource, served.rows)


def _is(served: Served, columns: Collection[str]) -> bool:
    """Whether it has these columns, all but the event's kind and date as text."""
    types = {column.name.upper(): column.type for column in served.columns}
    return all(name in types and (name in {"MOD", "DATE_EFF"} or types[name] == "VARCHAR") for name in columns)


def _text(name: str) -> str:
    return files("catalog.cog").joinpath(name).read_text(encoding="utf-8")
