"""Which of the granted tables a SELECT reads, however it names them: for the audit log."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import duckdb

from catalog.cog.macros import macros
from policies.audit.event import Opened
from policies.editions import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.lab import Granted


def reads(granted: Sequence[Granted], sql: str) -> tuple[Opened, ...]:
    """The tables of `granted` that the one SELECT in `sql` reads, in their order; none where it cannot be bound.

    The engine itself says it, of empty tables that stand where the views of `catalog.query.connect` do: so a name in
    a CTE, a macro or `query('…')` is found, and one in a text or a comment is not. Where the engine cannot say it of
    a SELECT that it would run, all of them count as read.
    """
    named = tuple(edition for edition in granted if edition.dataset in sql)
    found = _bound(named, sql)
    # A name may be put together in the SQL, or stand in a macro
    return _bound(granted, sql) or () if found is None else found


def _bound(granted: Sequence[Granted], sql: str) -> tuple[Opened, ...] | None:
    """None where the SELECT names something that is not of `granted`."""
    tables: dict[str, Opened] = {}
    apart = secrets.token_hex(8)  # so that no CTE in the SQL can stand before a table
    with duckdb.connect() as con:
        for edition in granted:
            for resource, served in edition.current.resources.items():
                base = f"t{len(tables)}_{apart}"
                tables[base] = Opened(
                    dataset=edition.dataset, edition=edition.edition, resource=resource, version=served.version
                )
                columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in served.columns)
                con.execute(f"CREATE TABLE {base} ({columns})")
                for schema in (edition.dataset, f"{edition.dataset}@{edition.edition}"):
                    con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                    con.execute(f"CREATE OR REPLACE VIEW {quoted(schema)}.{quoted(resource)} AS FROM {base}")
        codes = macros(granted)
        if codes is not None:
            con.execute(codes)
        con.execute("SET enable_external_access = false")
        try:
            statements = con.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                return ()
            con.execute(f"EXPLAIN {sql}")
        except duckdb.Error:
            return None
        try:
            names = con.get_table_names(sql)
        except duckdb.Error:
            return tuple(tables.values())
    return tuple(opened for base, opened in tables.items() if base in names)
