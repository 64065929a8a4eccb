"""The SQL gateway as a Starlette application: which address answers what.

POST /sql                                        one SELECT, its answer in the form that Accept names
GET  /data/{dataset}/{edition}                   the tables of one edition
GET  /data/{dataset}/{edition}/{resource}        the table as a Parquet file: Range, ETag
GET  /data/{dataset}/{edition}/{resource}/rows   its rows by filters, sorts and aggregates, page by page
GET  /datasets                                   what the token's owner is granted
GET  /openapi.json                               all of this for programs
GET  /client/{file}                              `import lab` for machines outside, as a wheel for pip
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from catalog.entries import EVERYONE
from catalog.web.headers import SecurityHeaders
from policies.errors import DatalabError
from sandbox.sql import asked
from sandbox.sql.access import Access, Reader
from sandbox.sql.asked import ProblemError
from sandbox.sql.client import wheel, wheel_name
from sandbox.sql.files import Files
from sandbox.sql.openapi import document
from sandbox.sql.pool import Pool
from sandbox.sql.service import Service
from sandbox.sql.settings import GatewaySettings
from sandbox.sql.streamed import CORS, Paged, Streamed
from sandbox.sql.table import Table, page_of
from sandbox.sql.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from catalog.lab import Lab
    from sandbox.hub.client import HubClient

LOG = logging.getLogger("datalab.gateway")

_SAID = {404: "there is nothing here, or nothing that you were granted", 405: "this address takes another method"}


def create_app(lab: Lab, hub: HubClient | None = None) -> Starlette:
    """The gateway of `lab`; with a Hub, its tokens count, too. Raises DocumentError if [gateway] is wrong."""
    gateway = _Gateway(lab, hub)
    return Starlette(
        routes=[
            Route("/", gateway.index),
            Route("/sql", gateway.sql, methods=["POST"]),
            Route("/datasets", gateway.datasets),
            Route("/data/{dataset}/{edition}", gateway.edition),
            Route("/data/{dataset}/{edition}/{resource}", gateway.file),
            Route("/data/{dataset}/{edition}/{resource}/rows", gateway.rows),
            Route("/openapi.json", gateway.openapi),
            Route("/client/{file}", gateway.client),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={ProblemError: _problem, HTTPException: _refused, DatalabError: _unavailable, 500: _broken},
        lifespan=gateway.lifespan,
    )


class _Gateway:
    """The endpoints."""

    def __init__(self, lab: Lab, hub: HubClient | None) -> None:
        self.lab = lab
        self.settings = lab.section("gateway", GatewaySettings)
        self.tokens = Tokens(lab, hub)
        self.access = Access(lab)
        self.pool = Pool(lab, self.settings)
        self.service = Service(lab, self.access, self.pool, self.settings)
        self.files = Files(lab)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Have an engine ready for everyone and for each token's owner; end all of them at the end."""
        beside = [asyncio.create_task(self._warm()), asyncio.create_task(self.pool.tidy())]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self.service.close()
            await self.pool.close()

    async def _warm(self) -> None:
        readers = {Reader("everyone", EVERYONE, None)}
        try:
            for token in (await run_sync(self.tokens.all))[-8:]:
                with contextlib.suppress(DatalabError):
                    readers.add(self.access.reader(f"user:{token.user}", self.tokens.principals(token), token.purpose))
            for reader in readers:
                await self.pool.warm(reader, await run_sync(self.access.view, reader))
        except DatalabError as error:
            LOG.error("no engine is ready: %s", " ".join(str(error).split()))  # noqa: TRY400  the message says it all

    async def index(self, _request: Request) -> Response:
        """Answer with where to go on."""
        told = {
            "sql": "POST sql",
            "datasets": "datasets",
            "openapi": "openapi.json",
            "python": f"client/{wheel_name()}",
        }
        return JSONResponse(told, headers=CORS)

    async def openapi(self, _request: Request) -> Response:
        """Answer with the OpenAPI document."""
        return JSONResponse(document(), headers=CORS)

    async def client(self, request: Request) -> Response:
        """Answer with the wheel of `lab`, which is the same for everybody."""
        if request.path_params["file"] != wheel_name():
            raise ProblemError(404, f"the client is client/{wheel_name()}")
        return Response(await run_sync(wheel), headers=CORS, media_type="application/zip")

    async def sql(self, request: Request) -> Response:
        """Answer one SELECT, piece by piece."""
        # The token first: a stranger's body is not read
        reader = await run_sync(asked.reader_of, self.access, self.tokens, request, None)
        if reader.who == "everyone":
            raise ProblemError(401, "SQL needs a token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        told = await asked.asked(request, self.settings.body)
        if told.purpose is not None:
            reader = await run_sync(asked.reader_of, self.access, self.tokens, request, told.purpose)
        return Streamed(self.service, reader, told.question, _origin(request))

    async def datasets(self, request: Request) -> Response:
        """Answer with every table that is granted, its columns, and where it is."""
        reader = await self._reader(request)
        view = await run_sync(self.access.view, reader)
        return JSONResponse(await run_sync(self.files.listed, view), headers=CORS)

    async def edition(self, request: Request) -> Response:
        """Answer with the tables of one edition."""
        view = await run_sync(self.access.view, await self._reader(request))
        named = (request.path_params["dataset"], request.path_params["edition"])
        listed = await run_sync(self.files.listed, view)
        tables = [one for one in listed if (one["dataset"], one["edition"]) == named]
        if not tables:
            raise ProblemError(404, _SAID[404])
        return JSONResponse(tables, headers=CORS)

    async def file(self, request: Request) -> Response:
        """Answer with one table as a Parquet file."""
        reader = await self._reader(request)
        table = await self._table(request, reader)
        return await self.files.answer(request, reader, table, _origin(request))

    async def rows(self, request: Request) -> Response:
        """Answer with rows of one table: a page as JSON with where to go on, or all of them in another form."""
        reader = await self._reader(request)
        table = await self._table(request, reader)
        form = asked.form_of(request)
        chosen = table.rows(request.query_params.multi_items())
        if form != "json":
            whole = "page" not in request.query_params and "page_size" not in request.query_params
            return Streamed(self.service, reader, chosen.question(form, whole=whole), _origin(request))
        return Paged(page_of(self.service, reader, chosen, request.url, _origin(request)))

    async def _reader(self, request: Request) -> Reader:
        purpose = request.query_params.get("purpose")
        return await run_sync(asked.reader_of, self.access, self.tokens, request, purpose)

    async def _table(self, request: Request, reader: Reader) -> Table:
        """What an address names; looked up among what is granted now, it never becomes a path."""
        named: dict[str, Any] = request.path_params
        if not named["dataset"].isidentifier():
            raise ProblemError(404, _SAID[404])
        view = await run_sync(self.access.view, reader)
        if not await run_sync(self.access.holds, view, [named["dataset"]]):
            view = await run_sync(lambda: self.access.view(reader, fresh=True))
        granted = view.of(named["dataset"], named["edition"])
        name = named["resource"].removesuffix(".parquet")
        if granted is None or name not in granted.current.resources:
            raise ProblemError(404, _SAID[404])
        return Table(granted, name, granted.current.resources[name])


def _origin(request: Request) -> str | None:
    """The reader's address, as the proxy in front says it; None for what is no address."""
    try:
        return None if request.client is None else str(ip_address(request.client.host))
    except ValueError:
        return None


def _problem(_request: Request, error: Exception) -> Response:
    known = error if isinstance(error, ProblemError) else ProblemError(500, "the gateway failed; its log says why")
    return _said(known.status, known.said, known.headers)


def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return _said(status, _SAID.get(status, "the request is wrong"), getattr(error, "headers", None))


def _unavailable(_request: Request, error: Exception) -> Response:
    LOG.error("%s", " ".join(str(error).split()))
    return _said(503, "the lab cannot answer now; its log says why", {"Retry-After": "5"})


def _broken(_request: Request, _error: Exception) -> Response:
    return _said(500, "the gateway failed; its log says why")


def _said(status: int, said: str, headers: Any = None) -> Response:
    """A refusal as JSON: `{"error": …}`."""
    text = json.loads(json.dumps(said).encode("ascii", "replace"))
    return JSONResponse({"error": text}, status, headers={**(headers or {}), **CORS, "Cache-Control": "no-store"})
