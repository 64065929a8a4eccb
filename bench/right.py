"""Is what was written what the file says? `python -m bench.right FOLDER ROWS [--signs]` prints the answer as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Literal

import duckdb

from bench.french_csv import truth_sql

Kind = Literal["integer", "number", "date", "text"]
Verdict = Literal["typed", "text", "changed"]
EXPECTED: dict[str, Kind] = {
    "id": "integer",
    "code_commune": "text",
    "nom_commune": "text",
    "siret": "text",
    "code_naf": "text",
    "date_decision": "date",
    "montant_eur": "number",
    "taux": "number",
    "latitude": "number",
    "longitude": "number",
    "effectif": "integer",
    "objet": "text",
}
WORK = "_work"
_MARKER = "effectif_marker"
_SAID: dict[str, Kind] = {"int": "integer", "float": "number", "string": "text"}


def written(folder: Path) -> list[Path]:
    """The Parquet files that a contender left in its folder, without its own working copies."""
    return sorted(file for file in folder.rglob("*.parquet") if WORK not in file.parts)


def verdicts(folder: Path, rows: int, *, signs: bool) -> dict[str, Verdict]:
    """For each column: `typed`, as expected and every value right; `text`, each the file's own; or else `changed`.

    Numbers are compared at the decimals that the file has. A folder with types.json alone is judged by its types.
    """
    told = folder / "types.json"
    if told.exists():
        types = json.loads(told.read_text(encoding="utf-8"))
        return {name: _by_type(_SAID.get(types[name], types[name]), kind) for name, kind in EXPECTED.items()}
    files = [str(file) for file in written(folder)]
    if not files:
        return dict.fromkeys(EXPECTED, "changed")
    with duckdb.connect() as con:
        source = f"read_parquet({files})"
        types = {name: kind for name, kind, *_ in con.execute(f"DESCRIBE FROM {source}").fetchall()}
        kinds = {name: _kind(types.get(name, "")) for name in EXPECTED}
        pairs = truth_sql(f"(SELECT TRY_CAST(id AS BIGINT) AS i, o FROM {source} o)", signs=signs)
        counted = "count(*), count(DISTINCT id), min(id), max(id), " + ", ".join(
            f"count(*) FILTER ({_same(name, kinds[name], marker=_MARKER in types)})" for name in EXPECTED
        )
        found = con.execute(f"SELECT {counted} FROM ({pairs}) t").fetchall()[0]
    whole = found[:4] == (rows, rows, 1, rows)
    return {
        name: _by_type(kinds[name], kind) if whole and same == rows else "changed"
        for (name, kind), same in zip(EXPECTED.items(), found[4:], strict=True)
    }


def _by_type(found: str, expected: Kind) -> Verdict:
    if found == expected:
        return "typed"
    return "text" if found == "text" else "changed"


def _kind(type_name: str) -> str:
    if type_name in {"BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT"}:
        return "integer"
    if type_name.startswith(("DECIMAL", "DOUBLE", "FLOAT")):
        return "number"
    return {"DATE": "date", "VARCHAR": "text"}.get(type_name, "other")


def _same(name: str, found: str, *, marker: bool) -> str:
    """The condition that the value written, `o`, is the true one, `t`."""
    expected = EXPECTED[name]
    if name == "effectif" and marker:
        return f"coalesce(o.{_MARKER}, o.{name}::VARCHAR) IS NOT DISTINCT FROM t.{name}"
    if found == "text":
        french = {"number": f"replace(t.{name}::VARCHAR, '.', ',')", "date": f"strftime(t.{name}, '%d/%m/%Y')"}
        text = french.get(expected, f"t.{name}::VARCHAR")
        return f"nullif(o.{name}, '') IS NOT DISTINCT FROM {text}"
    if found == expected == "number":
        return f"o.{name}::DECIMAL(18, 6) = t.{name}"
    return f"o.{name} = t.{name}" if found == expected else "false"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--signs", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(verdicts(asked.folder, asked.rows, signs=asked.signs)))
