"""SQL over HTTP: the gateway beside in-process DuckDB, Datasette, roapi and CKAN's datastore_search_sql, on one table.

Writes the section of docs/benchmarks.md that stands between its two marks. A bound that compares is on figures of this
one run: rows and sums are asked of the gateway and of DuckDB in this process by turns (turns.py); of two rates of
in-process, first and last, the better counts. Needs what `make ckan-setup` and `.venv-bench` install.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb
import httpx

if sys.path[0] == str(Path(__file__).parent):
    sys.path[0] = str(Path(__file__).parents[1])

from bench import decisions, doors, editions
from bench.measure import REPOSITORY
from bench.turns import by_turns, million, sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.doors import Door
    from bench.turns import Turns

REPORT = REPOSITORY / "docs" / "benchmarks.md"
_MARKED = re.compile(r"(<!-- query -->\n).*?(\n<!-- /query -->)", re.DOTALL)
_LOOKUPS, _ROUNDS, _CLIENTS, _EACH = 200, 5, 50, 4
_LOOKUP_MS, _STREAM, _SUM, _SHARE, _DECISIONS, _EDITION = 30, 2.0, 1.2, 0.8, 50_000, 5.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds, each a median; None where the door cannot do it. `rate` is answers a second of many clients at once."""

    name: str
    trip: float
    lookup: float
    lookup95: float
    stream: float | None
    total: float
    rate: float | None
    failed: int = 0


def main() -> None:
    """Make the table, ask each door, and write the section."""
    asked = _arguments()
    page = asked.report.read_text(encoding="utf-8")
    if len(_MARKED.findall(page)) != 1:
        sys.exit(f"{asked.report}: has not one section between <!-- query --> and <!-- /query -->")
    load = os.getloadavg()[0]
    policies = _policies()
    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as name:
        folder = Path(name)
        parquet = folder / "mesure.parquet"
        duckdb.connect().execute(f"COPY ({doors.TABLE.format(rows=asked.rows)}) TO '{parquet}' (COMPRESSION zstd)")
        lab = doors.make_lab(folder / "lab", parquet)
        found = [_inside(parquet, asked.rows)]
        with doors.gateway(lab) as door:
            found.append(_outside(door, asked.rows))
            turns = by_turns(door, parquet)
        with doors.roapi(parquet) as door:
            found.append(_outside(door, asked.rows))
        with doors.datasette(folder, parquet) as door:
            found.append(_outside(door, asked.rows))
        with doors.datastore(folder, parquet, asked.ckan) as door:
            found.append(_outside(door, asked.ckan))
        found.append(_inside(parquet, asked.rows))
    text = section(found, turns, policies, asked.rows, load)
    asked.report.write_text(_MARKED.sub(lambda marks: marks[1] + text + marks[2], page), encoding="utf-8")
    print(text)


@dataclass(frozen=True, kw_only=True)
class PolicyTimes:
    """Decisions a second that allow and that deny; seconds of a plain copy and of an edition, by rows a person."""

    allowed: float
    denied: float
    editions: dict[int, tuple[float, float]]


def _policies() -> PolicyTimes:
    print("policies", file=sys.stderr)
    made = {times: editions.cost(1_000_000, times) for times in (1, 4, 20)}
    return PolicyTimes(allowed=decisions.rate(allowed=True), denied=decisions.rate(allowed=False), editions=made)


def _lookup(table: str, number: int, rows: int) -> str:
    return f"SELECT * FROM {table} WHERE id = {number * 7919 % rows}"


def _inside(parquet: Path, rows: int) -> Times:
    """DuckDB in this process, on the file."""
    print("in-process", file=sys.stderr)
    con = duckdb.connect()
    con.execute(f"CREATE VIEW lignes AS FROM read_parquet('{parquet}')")
    lookups = _timed(_LOOKUPS, lambda n: con.sql(_lookup("lignes", n, rows)).fetchall())
    stream = _timed(_ROUNDS, lambda _: con.sql("FROM lignes LIMIT 1000000").to_arrow_table())
    total = _timed(_ROUNDS, lambda _: con.sql(sums("lignes")).fetchall())
    return Times(
        name="DuckDB, in-process",
        trip=0.0,
        lookup=median(lookups),
        lookup95=sorted(lookups)[len(lookups) * 95 // 100],
        stream=median(stream),
        total=median(total),
        rate=_side_by_side(con),
    )


def _side_by_side(con: duckdb.DuckDBPyConnection) -> float:
    """The same sums by as many threads as there are processors: what the machine can do, without HTTP."""
    threads = os.cpu_count() or 1
    each = _CLIENTS * _EACH // threads

    def ask() -> None:
        own = con.cursor()
        for _ in range(each):
            own.execute(sums("lignes")).fetchall()

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return each * threads / (time.perf_counter() - start)


def _outside(door: Door, rows: int) -> Times:
    """The same by HTTP."""
    print(door.name, file=sys.stderr)
    with httpx.Client(timeout=600) as client:

        def ask(sql: str, *, arrow: bool = False) -> bytes:
            answer: httpx.Response = door.request(client, sql, arrow=arrow)
            if answer.is_error:
                sys.exit(f"{door.name} answers {answer.status_code} to {sql}: {answer.text[:300]}")
            return answer.content

        for number in range(20):
            ask(_lookup(door.table, number, rows))
        trip = _timed(50, lambda _: ask("SELECT 1 AS a"))
        lookups = _timed(_LOOKUPS, lambda n: ask(_lookup(door.table, n, rows)))
        total = _timed(_ROUNDS, lambda _: ask(sums(door.table)))
        stream = None
        if door.arrow is not None:
            sql = f"SELECT * FROM {door.table} LIMIT 1000000"
            stream = median(_timed(_ROUNDS, lambda _: million(ask(sql, arrow=True))))
    # A server that a single sum takes seconds is not asked for two hundred
    rate, failed = asyncio.run(_crowd(door)) if median(total) < 1 else (None, 0)
    return Times(
        name=door.name,
        trip=median(trip),
        lookup=median(lookups),
        lookup95=sorted(lookups)[len(lookups) * 95 // 100],
        stream=stream,
        total=median(total),
        rate=rate,
        failed=failed,
    )


async def _crowd(door: Door) -> tuple[float, int]:
    """So many clients at once, each asking for the sums again and again: answers a second, and how many failed."""
    failed = 0

    async def client(session: httpx.AsyncClient) -> None:
        nonlocal failed
        for _ in range(_EACH):
            answer = await door.request(session, sums(door.table))
            failed += answer.is_error

    limits = httpx.Limits(max_connections=_CLIENTS)
    async with httpx.AsyncClient(timeout=600, limits=limits) as session:
        start = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(_CLIENTS)))
        return _CLIENTS * _EACH / (time.perf_counter() - start), failed


def _timed(rounds: int, ask: Callable[[int], object]) -> list[float]:
    ask(0)
    found = []
    for number in range(1, rounds + 1):
        start = time.perf_counter()
        ask(number)
        found.append(time.perf_counter() - start)
    return found


def section(found: list[Times], turns: Turns, policies: PolicyTimes, rows: int, load: float) -> str:
    """The section for docs/benchmarks.md."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}, duckdb {version('duckdb')}"
    lines = [
        f"{rows} rows; {machine}, datasette 0.65, roapi 0.12; load before {load:.1f}. Times in ms, medians.",
        "",
        (
            "| | `SELECT 1` | a row by its key: median, 95 of 100 | 1M rows as Arrow | sums of all rows by commune "
            f"| the sums by {_CLIENTS} clients, a second |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        stream = "–" if one.stream is None else f"{one.stream * 1000:.0f}"
        rate = "–" if one.rate is None else f"{one.rate:.1f}" + (f", {one.failed} failed" if one.failed else "")
        lookup = f"{one.lookup * 1000:.1f}, {one.lookup95 * 1000:.1f}"
        lines.append(f"| {one.name} | {one.trip * 1000:.1f} | {lookup} | {stream} | {one.total * 1000:.0f} | {rate} |")
    lines += [
        "",
        "| policies | |",
        "|---|---|",
        f"| decisions by {decisions.GRANTS} grants, allowing | {policies.allowed:,.0f} a second of one processor |",
        f"| the same, denying with reasons | {policies.denied:,.0f} |",
    ]
    lines += [
        f"| 1M rows, {times} a person: a plain copy; an edition with k and pseudonyms | {plain:.2f} s; {whole:.2f} s |"
        for times, (plain, whole) in policies.editions.items()
    ]
    lines += [
        "",
        "| by turns | in-process | gateway |",
        "|---|---|---|",
        f"| 1M rows as Arrow | {turns.stream[0] * 1000:.0f} | {turns.stream[1] * 1000:.0f} |",
        f"| sums of all rows by commune | {turns.total[0] * 1000:.0f} | {turns.total[1] * 1000:.0f} |",
    ]
    lines += ["", "| promise | measured | |", "|---|---|---|"]
    lines += [
        f"| {what} | {told} | {'held' if held else '**not held**'} |"
        for what, told, held in promises(found, turns, policies)
    ]
    return "\n".join(lines)


def promises(found: list[Times], turns: Turns, policies: PolicyTimes) -> Iterator[tuple[str, str, bool]]:
    """Each promise, what was measured of it, and whether it held."""
    inside = [found[0], found[-1]]
    gateway = found[1]
    yield (
        f"a row by its key under {_LOOKUP_MS} ms, median",
        f"{gateway.lookup * 1000:.1f} ms",
        gateway.lookup * 1000 < _LOOKUP_MS,
    )
    stream = turns.stream[1] / turns.stream[0]
    yield f"1M rows as Arrow at most {_STREAM:g} x in-process", f"{stream:.2f} x", stream <= _STREAM
    total = (turns.total[1] - gateway.trip) / turns.total[0]
    yield f"the sums at most {_SUM:g} x in-process and the round trip", f"{total:.2f} x", total <= _SUM
    rate = (gateway.rate or 0.0) / max(one.rate or 1.0 for one in inside)
    what = f"{_CLIENTS} clients without an error, at {_SHARE:.0%} of the machine's rate or more"
    yield what, f"{rate:.0%}, {gateway.failed} errors", rate >= _SHARE and gateway.failed == 0
    decided = min(policies.allowed, policies.denied)
    yield f"{_DECISIONS:,} decisions a second or more", f"{decided:,.0f}", decided >= _DECISIONS
    worst = max(whole / plain for plain, whole in policies.editions.values())
    yield f"an edition of 1M rows at most {_EDITION:g} x a plain copy", f"{worst:.1f} x", worst <= _EDITION


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6_000_000)
    parser.add_argument("--ckan", type=int, default=50_000, help="how many of them CKAN is given")
    parser.add_argument("--report", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
