"""The cost of an edition: 1,000,000 rows with k-suppression and keyed pseudonyms, beside a plain copy of the table.

    .venv/bin/python -m bench.editions [ROWS]      (-m, because bench has an ingest.py of its own)

Both are made from the same Parquet file in turn, and the ratio is that of the medians. A plain copy is DuckDB's own
`COPY (FROM read_parquet(…)) TO … (FORMAT parquet)`; an edition is all that an ingest does for one: the statement, the
counts for the receipt, and the check of what was written.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb

from ingest.building import Secret, build
from policies.editions import EditionTable, Source

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5
_PERSONS = """
SELECT
  printf('%013d', (range * 7919) % {people}) AS nir,
  'Personne ' || (range * 31) % {rows} AS nom,
  printf('%05d', 14000 + hash(range) % 700) AS commune,
  DATE '1930-01-01' + CAST(hash(range * 3) % 30000 AS INTEGER) AS ne,
  CASE hash(range * 5) % 2 WHEN 0 THEN 'F' ELSE 'H' END AS sexe,
  CAST(hash(range * 7) % 12000000 / 100 AS DECIMAL(18, 2)) AS montant,
  'Acte ' || hash(range * 11) % 5000 AS acte
FROM range({rows})
"""
_COLUMNS = {
    "nir": "VARCHAR",
    "nom": "VARCHAR",
    "commune": "VARCHAR",
    "ne": "DATE",
    "sexe": "VARCHAR",
    "montant": "DECIMAL(18,2)",
    "acte": "VARCHAR",
}
_KEPT = {
    "keep": ["nir", "commune", "ne", "sexe", "montant", "acte"],
    "drop": ["nom"],
    "pseudonymise": {"nir": "etude"},
    "generalise": {"ne": "year"},
    "top": {"montant": 100_000},
    "k": {"at_least": 5, "over": ["commune", "ne", "sexe"]},
}


def main(rows: int) -> None:
    """Print a line for tables whose persons come once, four times and twenty times."""
    print(f"{rows} rows, {ROUNDS} rounds, medians; DuckDB {duckdb.__version__}")
    for times in (1, 4, 20):
        plain, whole = cost(rows, times)
        print(f"each person {times:>2} times: copy {plain:.2f} s, edition {whole:.2f} s, ratio {whole / plain:.1f}")


def cost(rows: int, times: int) -> tuple[float, float]:
    """Seconds of a plain copy and of an edition of a table whose persons come so many times each, medians."""
    with tempfile.TemporaryDirectory() as folder:
        raw, made = Path(folder) / "raw.parquet", Path(folder) / "made.parquet"
        with duckdb.connect() as con:
            con.execute(f"COPY ({_PERSONS.format(rows=rows, people=rows // times)}) TO '{raw}' (FORMAT parquet)")
        table = EditionTable.model_validate(_KEPT)
        source = Source(item=f"read_parquet('{raw}')", columns=_COLUMNS, place=lambda *_: "bench")
        secret = Secret(key=b"1" * 32, scope="bench/open")

        def copy() -> None:
            with duckdb.connect() as con:
                con.execute(f"COPY (FROM read_parquet('{raw}')) TO '{made}' (FORMAT parquet)")

        plain, whole = [], []
        for _ in range(ROUNDS):
            plain.append(_seconds(copy))
            whole.append(_seconds(lambda: build(table, source, [raw], made, Path(folder), secret)))
        return median(plain), median(whole)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
