"""A table of more columns than the engine can write at once, put together from tables of some of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.parquetfile import write_parquet
from policies.errors import ReadingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

MOST_COLUMNS = 20_000
"""A table of so many takes half a minute and 1 GB for 100 rows."""
_CELLS = 10_000_000
"""A row group has no more."""


def write_beside(con: duckdb.DuckDBPyConnection, statements: Sequence[str], path: Path) -> None:
    """Write the columns of all statements, whose rows are the same, into one Parquet file.

    Raises ReadingError if they give unlike numbers of rows.
    """
    (spill,) = con.execute("SELECT current_setting('temp_directory')").fetchall()[0]
    with tempfile.TemporaryDirectory(dir=Path(spill).parent) as folder:
        parts = [Path(folder) / f"{number}.parquet" for number in range(len(statements))]
        for statement, part in zip(statements, parts, strict=True):
            write_parquet(con, statement, part)
        files = [pq.ParquetFile(part) for part in parts]
        schema = pa.schema([field for file in files for field in file.schema_arrow])
        if len({file.metadata.num_rows for file in files}) != 1:
            raise ReadingError("two passes over the same file gave unlike numbers of rows")
        size = max(1, _CELLS // len(schema))
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer:
            for batches in zip(*(file.iter_batches(size) for file in files), strict=True):
                columns = [column for batch in batches for column in batch.columns]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=size)
        for file in files:
            file.close()
