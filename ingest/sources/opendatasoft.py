"""A dataset of an Opendatasoft portal, by the exports of its Explore API v2.1, which have no limit of rows.

https://help.opendatasoft.com/apis/ods-explore-v2/: JSON lines keep a text `01001`, lists and nested values as they are;
a CSV would join lists. The portal says apart from the export how many records it must have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.sources import Fetched, fetched_file
from ingest.sources.asked import asked
from ingest.sources.cut import parsed, value_at
from ingest.sources.pages import number_of
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.errors import SourceError
from policies.wording import count_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from catalog.model import Format
    from catalog.sources import OpendatasoftSource
    from ingest.settings import IngestSettings

_FORMATS: dict[str, Format] = {"jsonl": "ndjson", "geojson": "geojson", "parquet": "parquet"}
_TRIES = 3
_DEEPEST = 200


def fetch_opendatasoft(source: OpendatasoftSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the dataset's export into `cache`.

    Raises SourceError: no such dataset, a key or a query that the portal refuses, or an export of fewer or more records
    than the portal says before and after it, three times.
    """
    place = f"{str(source.opendatasoft).rstrip('/')}/api/explore/v2.1/catalog/datasets/{source.dataset}"
    with Web(place, settings) as web:
        asking = _Asking(source, web, place)
        export = source.export or asking.best_export()
        url = f"{place}/exports/{export}"
        new, target = cache / "export.new", cache / f"export.{export}"
        for _ in range(_TRIES):
            before = asking.total()
            web.download(asking.queried(url), new, headers=asking.headers)
            after, came = asking.total(), _count(new, export, url)
            if before == after == came:
                new.replace(target)
                return fetched_file(target, target.name, url, _FORMATS[export])
    raise SourceError(
        f"{url}: the portal counts {count_of(before, 'record')}, then {after}, and the export has {came}, "
        f"{_TRIES} times; try again at a quieter time"
    )


class _Asking:
    def __init__(self, source: OpendatasoftSource, web: Web, place: str) -> None:
        self._source, self._web, self._place = source, web, place
        # In the header and not in the address, where logs would show it
        self.headers = {} if source.apikey is None else {"Authorization": f"Apikey {secret(source.apikey)}"}

    def queried(self, url: str, **more: int) -> str:
        query = {"select": self._source.select, "where": self._source.where, **more}
        said = urlencode({name: value for name, value in query.items() if value is not None})
        return f"{url}?{said}" if said else url

    def total(self) -> int:
        url = self.queried(f"{self._place}/records", limit=0)
        total = number_of(value_at(parsed(asked(self._web, url, self.headers).body, url), "total_count"))
        if total is None:
            raise SourceError(f"{url}: the answer has no total_count; is this an Opendatasoft portal?")
        return total

    def best_export(self) -> str:
        """GeoJSON where it makes the one field of shapes the geometry, else JSON lines."""
        content = parsed(asked(self._web, self._place, self.headers).body, self._place)
        fields = value_at(content, "fields")
        if not isinstance(fields, list):
            raise SourceError(f"{self._place}: the answer has no fields; is this an Opendatasoft portal?")
        shapes = [one for one in fields if isinstance(one, dict) and one.get("type") == "geo_shape"]
        return "geojson" if len(shapes) == 1 and self._source.select is None else "jsonl"


def _count(path: Path, export: str, url: str) -> int:
    """How many records the export holds, by its bytes."""
    try:
        if export == "parquet":
            return int(pq.read_metadata(path).num_rows)
        if export == "geojson":
            with path.open("rb") as file:
                return _features(file, url)
    except (pa.ArrowException, ijson.JSONError, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{url}: the export is not whole: {error}; try again") from None
    with path.open("rb") as file:
        return sum(not line.isspace() for line in file)


def _features(file: BinaryIO, url: str) -> int:
    """How many features a collection has. By events: ijson's items keep the whole path of each, however deep."""
    count = depth = 0
    key = None
    for event, value in ijson.basic_parse(file, use_float=True):
        if event == "map_key":
            key = value if depth == 1 else key
            continue
        count += depth == 2 and key == "features" and event not in {"end_array", "end_map"}  # noqa: PLR2004  in the list
        depth += event in {"start_map", "start_array"}
        depth -= event in {"end_map", "end_array"}
        if depth > _DEEPEST:
            raise SourceError(f"{url}: nested more than {_DEEPEST} levels deep; that is no geodata")
    return count
