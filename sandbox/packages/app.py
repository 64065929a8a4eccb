"""The two addresses of the pass-through: a project's page, and its files. Everything else is not there."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from policies.audit.event import Event
from policies.errors import DatalabError
from sandbox.homes import check_room
from sandbox.packages.cache import Cache
from sandbox.packages.fetch import Fetch, hosts_of
from sandbox.packages.index import JSON, Offer, offers, page
from sandbox.packages.names import NAME, normalised
from sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.requests import Request

    from catalog.lab import Lab
    from sandbox.packages.settings import PackagesSettings

_ACCEPT = f"{JSON}, text/html;q=0.5"
_PAGES = frozenset({JSON, "text/html", "application/vnd.pypi.simple.v1+html"})
_PAGE = 64 * 1024**2
_FRESH = 300.0
"""Seconds for which a page is believed."""
_AT_ONCE = 4
_DENIALS = 100
"""So many different names are written down as refused, and no more: a loop would fill the log."""


def create_app(lab: Lab, user: str, settings: PackagesSettings, fetch: Fetch) -> Starlette:
    """What one user's sandbox may ask."""
    passing = _Passing(lab, user, settings, fetch)
    return Starlette(
        routes=[
            Route("/simple/{name}/", passing.simple),
            Route("/files/{name}/{sha256}/{file}", passing.file),
        ],
        exception_handlers={HTTPException: passing.refused, DatalabError: passing.failed},
    )


class _Passing:
    def __init__(self, lab: Lab, user: str, settings: PackagesSettings, fetch: Fetch) -> None:
        self.lab = lab
        self.user = user
        self.settings = settings
        self.fetch = fetch
        self.cache = Cache(lab.var / "packages")
        self.at_once = anyio.CapacityLimiter(_AT_ONCE)
        self.guard = threading.Lock()
        self.known: dict[str, tuple[float, Mapping[str, Offer]]] = {}
        self.denied: set[str] = set()

    async def simple(self, request: Request) -> Response:
        """The page of a project that is allowed."""
        project = await run_sync(self._allowed, request.path_params["name"])
        found = await run_sync(self._offers, project, limiter=self.at_once)
        return HTMLResponse(page(project, found.values(), "/files"))

    async def file(self, request: Request) -> Response:
        """A file that its project's page offers, with that hash."""
        project = await run_sync(self._allowed, request.path_params["name"])
        path = await run_sync(self._file, project, request.path_params, limiter=self.at_once)
        return FileResponse(path, media_type="application/octet-stream")

    def refused(self, _: Request, error: Exception) -> Response:
        """Say why in a line, which pip shows or not."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return PlainTextResponse(f"{error.detail if isinstance(error, HTTPException) else 'error'}\n", status)

    def failed(self, _: Request, error: Exception) -> Response:
        """The index has not what it should have."""
        return PlainTextResponse(f"{error}\n", 502)

    def _allowed(self, name: str) -> str:
        project = normalised(name)
        if NAME.fullmatch(name) and project in self.settings.allow:
            return project
        self._deny(project if NAME.fullmatch(name) else "a name that is none")
        raise HTTPException(403, f"{project[:100]!r} is not among the packages that this lab allows; ask its stewards")

    def _deny(self, what: str) -> None:
        with self.guard:
            is_new = what not in self.denied and len(self.denied) < _DENIALS
            self.denied.add(what) if is_new else None
        if is_new:
            why = f"{what}: not in [packages] allow"
            self.lab.audit.write(Event(what="deny", door="packages", who=f"user:{self.user}", reason=why))

    def _offers(self, project: str) -> Mapping[str, Offer]:
        held = self.known.get(project)
        if held is not None and time.monotonic() - held[0] < _FRESH:
            return held[1]
        at = urljoin(str(self.settings.index).rstrip("/") + "/", f"{project}/")
        with self.fetch.get(at, _ACCEPT, _PAGE) as answer:
            if answer is None:
                raise HTTPException(404, f"the index has no {project}")
            url, kind, pieces = answer
            if kind not in _PAGES:
                raise HTTPException(502, f"{url}: the index answers with {kind[:100]}, and not with a page of files")
            content = b"".join(pieces)
        try:
            found = {one.file: one for one in offers(project, content, kind, url, hosts_of(self.settings))}
        except ValueError as error:
            raise HTTPException(502, f"{url}: {error}") from None
        self.known[project] = (time.monotonic(), found)
        return found

    def _file(self, project: str, asked: Mapping[str, str]) -> Path:
        offer = self._offers(project).get(asked["file"])
        if offer is None or offer.sha256 != asked["sha256"]:
            raise HTTPException(404, f"{project} has no such file with that hash; pip asks its page first")
        path = self.cache.kept(offer.sha256)
        if path is None:
            check_room(self.lab, self.lab.section("sandbox", SandboxSettings).free)
            with self.fetch.get(offer.url, "*/*", int(self.settings.size)) as answer:
                if answer is None:
                    raise HTTPException(404, f"{offer.url}: is gone from the index")
                path = self.cache.keep(offer.sha256, answer[2], offer.url)
        self.lab.audit.write(
            Event(
                what="open",
                door="packages",
                who=f"user:{self.user}",
                bytes=path.stat().st_size,
                reason=f"package {project} {offer.version}: {offer.file}",
                sha256=offer.sha256,
            )
        )
        return path
