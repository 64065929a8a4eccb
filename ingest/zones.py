"""The tables of the lab that tell the EPCI or the region of a commune, for editions that generalise to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.document import suggest
from policies.editions import literal, quoted
from policies.errors import DocumentError
from policies.model import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from catalog.lake import Lake
    from policies.editions import EditionTable
    from policies.settings import ZoneTable


@dataclass(frozen=True, kw_only=True)
class Zone:
    """One kind of zone: a FROM item of `commune` and `zone`, the files it reads, and what names their content.

    A commune that lies in several zones is in none: which one is meant cannot be known.
    """

    item: str
    files: tuple[Path, ...]
    content: str


def zones_of(
    lake: Lake, table: EditionTable, declared: Mapping[str, ZoneTable], place: Callable[..., str]
) -> dict[str, Zone]:
    """The zones that an edition's table generalises to, by their names, as they are served now.

    Raises DocumentError where datalab.toml names no table of one, or one that is not there.
    """
    wanted = {how: column for column, how in table.generalise.items() if how in ("epci", "region")}
    return {how: _zone(lake, how, declared, place("generalise", column)) for how, column in wanted.items()}


def _zone(lake: Lake, name: str, declared: Mapping[str, ZoneTable], place: str) -> Zone:
    if name not in declared:
        line = f'{name} = {{table = "DATASET.RESOURCE", commune = "COLUMN", code = "COLUMN"}}'
        raise DocumentError(
            f"{place}: no table has the {name} of a commune; name one in datalab.toml: [policies.zones] {line}"
        )
    told = declared[name]
    dataset, _, resource = told.table.partition(".")
    current = lake.current(dataset, RAW)
    served = None if current is None else current.resources.get(resource)
    if served is None:
        raise DocumentError(
            f"datalab.toml: [policies.zones] {name}: there is no {told.table}; run `datalab ingest {dataset}`"
        )
    columns = [column.name for column in served.columns]
    for column in (told.commune, told.code):
        if column not in columns:
            said = f"{told.table} has no column {column!r}; {suggest(column, columns)}"
            raise DocumentError(f"datalab.toml: [policies.zones] {name}: {said}")
    files = tuple(lake.files(dataset, RAW, resource, served))
    commune, code = (f"CAST({quoted(column)} AS VARCHAR)" for column in (told.commune, told.code))
    item = (
        f"(SELECT {commune} AS commune, min({code}) AS zone FROM read_parquet([{', '.join(map(literal, files))}]) "  # noqa: S608
        f"GROUP BY 1 HAVING count(DISTINCT {code}) = 1)"
    )
    return Zone(item=item, files=files, content=f"{told.table}:{','.join(sorted(served.files))}")
