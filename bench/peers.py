"""What DataLab is measured against, each in a process of its own: `python -m bench.peers NAME FILE OUT`.

A peer is told the delimiter and, if it can be told, the decimal comma; DataLab is not. The bare COPY, and dlt that is
given what it reads, are told all types. OUT is a folder; a peer that only describes a file writes the types that it
found to OUT/types.json instead of Parquet.

Peers are imported by name, as they are in .venv-bench and not in the product's environment, where types are checked.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
from importlib import import_module
from pathlib import Path
from typing import Any

_MEMORY = 12 * 2**30
_BATCH = 100_000
_BARE_TYPES = {
    "id": "BIGINT",
    "code_commune": "VARCHAR",
    "nom_commune": "VARCHAR",
    "siret": "VARCHAR",
    "code_naf": "VARCHAR",
    "date_decision": "DATE",
    "montant_eur": "DECIMAL(18,2)",
    "taux": "DOUBLE",
    "latitude": "DOUBLE",
    "longitude": "DOUBLE",
    "effectif": "VARCHAR",
    "objet": "VARCHAR",
}


def _typed_read(source: Path) -> str:
    return (
        f"SELECT * FROM read_csv('{source}', delim=';', quote='\"', escape='\"', header=true, auto_detect=false,"
        f" columns={_BARE_TYPES}, dateformat='%d/%m/%Y', decimal_separator=',')"
    )


def bare(source: Path, out: Path) -> None:
    """DuckDB's typed COPY: it is told all types and proves nothing."""
    with import_module("duckdb").connect() as con:
        con.execute(f"COPY ({_typed_read(source)}) TO '{out}/bare.parquet' (FORMAT parquet, COMPRESSION zstd)")


def dlt(source: Path, out: Path) -> None:
    """Arrow batches of DuckDB's typed reading into dlt, which writes Parquet into a folder."""
    with import_module("duckdb").connect() as con:
        _load(con.sql(_typed_read(source)).to_arrow_reader(_BATCH), out)


def dlt_ids(source: Path, out: Path) -> None:
    """The same, with the two columns that dlt can add to follow a row: of the load and of the row."""
    config = import_module("dlt").config
    config["normalize.parquet_normalizer.add_dlt_load_id"] = True
    config["normalize.parquet_normalizer.add_dlt_id"] = True
    dlt(source, out)


def dlt_dicts(source: Path, out: Path) -> None:
    """The same reading, given to dlt row by row."""
    with import_module("duckdb").connect() as con:
        _load((batch.to_pylist() for batch in con.sql(_typed_read(source)).to_arrow_reader(_BATCH)), out)


def _load(batches: Any, out: Path) -> None:
    library = import_module("dlt")
    library.config["runtime.dlthub_telemetry"] = False
    pipeline = library.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(out / "_work"),
        destination=library.destinations.filesystem(bucket_url=out.as_uri()),
        dataset_name="bench",
    )
    pipeline.run(library.resource(batches, name="big"), loader_file_format="parquet")


def polars(source: Path, out: Path) -> None:
    """scan_csv, types inferred from 10,000 rows, into sink_parquet."""
    library = import_module("polars")
    rows = library.scan_csv(source, separator=";", decimal_comma=True, try_parse_dates=True, infer_schema_length=10_000)
    rows.sink_parquet(out / "polars.parquet", compression="zstd")


def pandas(source: Path, out: Path) -> None:
    """read_csv with types inferred from the whole file, into to_parquet."""
    rows = import_module("pandas").read_csv(source, sep=";", decimal=",", low_memory=False)
    rows.to_parquet(out / "pandas.parquet", compression="zstd", index=False)


def pyarrow(source: Path, out: Path) -> None:
    """pyarrow.csv in a stream, types inferred from the first block of 16 MB."""
    csv, parquet = import_module("pyarrow.csv"), import_module("pyarrow.parquet")
    batches = csv.open_csv(
        source,
        read_options=csv.ReadOptions(block_size=16 * 2**20),
        parse_options=csv.ParseOptions(delimiter=";", newlines_in_values=True),
        convert_options=csv.ConvertOptions(decimal_point=","),
    )
    with parquet.ParquetWriter(out / "pyarrow.parquet", batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def csv_detective(source: Path, out: Path) -> None:
    """The analysis of the whole file, which finds formats and types and writes no table."""
    found = import_module("csv_detective").routine(str(source), num_rows=-1, save_results=False, sep=";")
    types = {name: column["python_type"] for name, column in found["columns"].items()}
    (out / "types.json").write_text(json.dumps(types), encoding="utf-8")


def frictionless(source: Path, out: Path) -> None:
    """Describe the file, then validate every row against what was described; it writes no table."""
    library, formats = import_module("frictionless"), import_module("frictionless.formats")
    dialect = library.Dialect(controls=[formats.CsvControl(delimiter=";")])
    with library.system.use_context(trusted=True):
        described = library.describe(str(source), dialect=dialect)
        library.validate(described)
    types = {field.name: field.type for field in described.schema.fields}
    (out / "types.json").write_text(json.dumps(types), encoding="utf-8")


def small_polars(sources: list[Path], out: Path) -> None:
    """A loop over small files, told delimiter and comma; the encoding is the first that decodes."""
    library = import_module("polars")
    for source in sources:
        rows = library.read_csv(_text(source).encode(), separator=";", decimal_comma=True, try_parse_dates=True)
        rows.write_parquet(out / f"{source.stem}.parquet")


def small_pandas(sources: list[Path], out: Path) -> None:
    """The same loop with pandas."""
    library = import_module("pandas")
    for source in sources:
        rows = library.read_csv(io.StringIO(_text(source)), sep=";", decimal=",")
        rows.to_parquet(out / f"{source.stem}.parquet", index=False)


def _text(source: Path) -> str:
    data = source.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")


LARGE = {
    "bare": bare,
    "dlt": dlt,
    "dlt-ids": dlt_ids,
    "dlt-dicts": dlt_dicts,
    "polars": polars,
    "pandas": pandas,
    "pyarrow": pyarrow,
    "csv-detective": csv_detective,
    "frictionless": frictionless,
}
SMALL = {"polars": small_polars, "pandas": small_pandas}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=LARGE)
    parser.add_argument("source", type=Path, help="a file, or a folder of small ones")
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    # A peer that wants more than the machine has fails with a word, and stops nobody else.
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    if asked.source.is_dir():
        SMALL[asked.name](sorted(asked.source.iterdir()), asked.out)
    else:
        LARGE[asked.name](asked.source, asked.out.resolve())
