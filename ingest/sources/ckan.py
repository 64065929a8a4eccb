"""A resource of a CKAN portal: the file it links to, or its rows in the DataStore, kept as NDJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ingest.sources import Fetched, fetched_file
from ingest.sources.asked import asked
from ingest.sources.cut import cut, parsed, value_at, without
from ingest.sources.linked import fetch_linked
from ingest.sources.pages import number_of
from ingest.sources.paging import ChangedError, Page, Paging, collect
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import CkanSource
    from ingest.settings import IngestSettings

_ROWS = 10_000
"""Rows a page; CKAN gives at most 32 000 by default (ckan.datastore.search.rows_max), and a portal may give fewer."""


def fetch_ckan(source: CkanSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring the resource's file into `cache`, or its rows with the DataStore's values and without its column `_id`.

    Raises SourceError: no such resource, or not for this token; a resource that has no rows in the DataStore; rows that
    change while they are read; and what fetching a file may raise.
    """
    with Web(str(source.ckan), settings) as web:
        asking = _Asking(source, web)
        resource = asking.resource()
        if source.datastore:
            place = f"{asking.home}/datastore/dump/{source.resource}"
            target = cache / "records.ndjson"
            collect(Paging(first=asking.at(0), ask=asking.page), target, place, settings)
            return fetched_file(target, target.name, place, "ndjson")
    form = resource.get("format")
    return fetch_linked(
        str(resource.get("url")),
        form if isinstance(form, str) else None,
        str(source.ckan),
        source.token,
        cache,
        settings,
    )


class _Asking:
    def __init__(self, source: CkanSource, web: Web) -> None:
        self._source, self._web = source, web
        self._headers = {} if source.token is None else {"Authorization": secret(source.token)}
        self._last_id: str | None = None
        self.home = str(source.ckan).rstrip("/")

    def resource(self) -> dict[str, Any]:
        url = f"{self.home}/api/3/action/resource_show?{urlencode({'id': self._source.resource})}"
        found = value_at(self._succeeded(url, parsed(self._body(url), url)), "result")
        if not isinstance(found, dict):
            raise SourceError(f"{url}: expected a resource of CKAN; check `ckan`")
        if self._source.datastore and found.get("datastore_active") is not True:
            raise SourceError(f"{url}: the resource has no rows in the DataStore; take its file: without `datastore`")
        return found

    def at(self, offset: int) -> str:
        query = {"resource_id": self._source.resource, "sort": "_id", "limit": _ROWS, "offset": offset}
        return f"{self.home}/api/3/action/datastore_search?{urlencode(query)}"

    def page(self, url: str, before: int) -> Page:
        """A page that starts with the last row of the page before, so that rows that shift are seen."""
        content, records = cut(self._body(url), "result.records", url)
        result = self._succeeded(url, content)["result"]
        if result.get("total_was_estimated"):
            raise SourceError(f"{url}: the portal only estimates how many rows there are; take the file instead")
        ids = [row.get("_id") for row in result["records"] or ()]
        if not all(isinstance(one, str) for one in ids):
            raise SourceError(f"{url}: a row has no number as its _id; take the file instead: without `datastore`")
        if before:
            if not ids or ids[0] != self._last_id:
                raise ChangedError(f"the row {before}, with _id {self._last_id}, has moved")
            records, ids = records[1:], ids[1:]
        self._last_id = ids[-1] if ids else self._last_id
        total, rows = number_of(result.get("total")), before + len(records)
        return Page(
            records=[without(record, "_id") for record in records],
            next=self.at(rows - 1) if records and rows != total else None,
            total=total,
            keys=ids,
        )

    def _body(self, url: str) -> bytes:
        return asked(self._web, url, self._headers).body

    def _succeeded(self, url: str, content: Any) -> Any:
        """The answer of an action, which says apart from HTTP whether it succeeded."""
        if not isinstance(content, dict) or content.get("success") is not True:
            said = value_at(content, "error.message") or "it does not say why"
            raise SourceError(f"{url}: the portal refuses: {said}")
        return content
