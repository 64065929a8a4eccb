"""A granted table as the Parquet file that DuckDB, Polars or a browser read just the columns of that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from starlette.responses import FileResponse, Response

from catalog import download
from catalog.dcat import MEDIA_TYPES
from catalog.web.headers import unchanged
from policies.audit.event import Event, Opened

if TYPE_CHECKING:
    from starlette.requests import Request

    from catalog.lab import Lab
    from sandbox.sql.access import Reader, View
    from sandbox.sql.table import Table

_EXPORTS = 2
"""How many files are made at a time; more requests wait."""


class Files:
    """The files of one lab."""

    def __init__(self, lab: Lab) -> None:
        """Make none yet."""
        self._lab = lab
        self._exporting = anyio.CapacityLimiter(_EXPORTS)

    async def answer(self, request: Request, reader: Reader, table: Table, origin: str | None) -> Response:
        """The file, or the part of it that Range names. The audit log has a line before it goes out."""
        etag = f'"v{table.served.version}-{download.content_key(table.served)}"'
        # An edition that not everyone is granted is kept by nobody in between
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
        headers["Access-Control-Allow-Origin"] = "*"
        if unchanged(request, etag):
            return Response(status_code=304, headers=headers)
        granted, version = table.granted, table.served.version
        path = await run_sync(download.existing, self._lab, granted, table.name, "parquet")
        if path is None:
            path = await run_sync(download.export, self._lab, granted, table.name, "parquet", limiter=self._exporting)
        opened = Opened(dataset=granted.dataset, edition=granted.edition, resource=table.name, version=version)
        event = Event(
            what="open",
            door="gateway",
            who=reader.who,
            editions=(opened,),
            purpose=reader.stated,
            origin=origin,
            reason=request.headers.get("range"),
        )
        if request.method == "GET":
            await run_sync(self._lab.audit.write, event)
        name = f"{granted.dataset}.{table.name}.{granted.edition}-v{version}.parquet"
        return FileResponse(path, headers=headers, media_type=MEDIA_TYPES["parquet"], filename=name)

    def listed(self, view: View) -> list[dict[str, Any]]:
        """Every table of a view: what it is called, what it holds, and where it is."""
        return [
            {
                "dataset": granted.dataset,
                "edition": granted.edition,
                "resource": name,
                "rows": served.rows,
                "version": served.version,
                "committed": served.committed.isoformat(),
                "columns": [{"name": column.name, "type": column.type} for column in served.columns],
                "parquet": f"data/{granted.dataset}/{granted.edition}/{name}",
            }
            for granted in view.granted
            for name, served in granted.current.resources.items()
        ]
