"""A million rows and the sums of all, of DuckDB in this process and of the gateway, by turns.

So what else the machine does hits both alike.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import duckdb
import httpx
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.doors import Door

_TURNS = 11
_ROWS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Turns:
    """Seconds in this process and through the gateway, each a median."""

    stream: tuple[float, float]
    total: tuple[float, float]


def by_turns(door: Door, parquet: Path) -> Turns:
    """Ask both."""
    con = duckdb.connect()
    con.execute(f"CREATE VIEW lignes AS FROM read_parquet('{parquet}')")
    with httpx.Client(timeout=600) as client:
        rows = f"SELECT * FROM {door.table} LIMIT {_ROWS}"
        return Turns(
            stream=_both(
                lambda: con.sql(f"FROM lignes LIMIT {_ROWS}").to_arrow_table(),
                lambda: million(door.request(client, rows, arrow=True).content),
            ),
            total=_both(
                lambda: con.sql(sums("lignes")).fetchall(),
                lambda: door.request(client, sums(door.table)).raise_for_status(),
            ),
        )


def sums(table: str) -> str:
    """The SELECT of the sums."""
    grouped = f"SELECT commune, count(*) AS n, sum(montant) AS total FROM {table} GROUP BY commune"
    return f"{grouped} ORDER BY total DESC LIMIT 20"


# x(*) AS n, sum(montant) AS total FROM {table} GROUP BY commune ORDER BY total DESC LIMIT 20"


def million(content: bytes) -> pa.Table:
    """An answer in Arrow, read; it must have a million rows."""
    table = pa.ipc.open_stream(content).read_all()
    if table.num_rows != _ROWS:
        sys.exit(f"{table.num_rows} rows came instead of a million")
    return table


def _both(inside: Callable[[], object], outside: Callable[[], object]) -> tuple[float, float]:
    pairs = [(_seconds(inside), _seconds(outside)) for _ in range(_TURNS + 1)][1:]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


def _seconds(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start
