"""The portal as a Starlette application: which address answers what. The pages' content is made in pages.py."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from catalog import download, feed
from catalog.dcat import MEDIA_TYPES
from catalog.search.find import QUERY_LIMIT, search
from catalog.search.similar import similar
from catalog.search.uses import FILE as USES
from catalog.search.uses import Uses
from catalog.vocabulary import FREQUENCIES, LICENCES, THEMES
from catalog.web import joined, listing, origins, pages, texts
from catalog.web.frame import language, links, words
from catalog.web.headers import SECURITY, SecurityHeaders, unchanged
from catalog.web.state import Shelf, Shown
from catalog.web.visitor import PUBLIC, Visitor
from policies.audit.event import Event, Opened
from policies.errors import DatalabError

if TYPE_CHECKING:
    from starlette.requests import Request

    from catalog.entries import Entry
    from catalog.lab import Lab
    from catalog.search.find import Found

HERE = Path(__file__).parent
LOG = logging.getLogger("datalab.portal")

EXPORTS = 2
"""How many files are made at a time; more requests wait, and the pages go on."""

FROM_START = "bytes=0-"
"""How a request for a part starts that counts as a download: the later parts are of the same."""

VIEWS = 4
"""How many dataset pages are made at a time; more requests wait, and the list of datasets goes on."""


def create_app(lab: Lab, visitor: Visitor = PUBLIC) -> Starlette:
    """The portal of `lab`, for what a visitor is granted. Raises DocumentError if the section [catalog] is wrong."""
    portal = _Portal(lab, visitor)
    app = Starlette(
        routes=[
            Route("/", portal.index),
            Route("/datasets/{slug}", portal.dataset),
            Route("/data/{slug}/{edition}/{file}", portal.data),
            Route("/catalog.ttl", portal.feed),
            Route("/catalog.jsonld", portal.feed),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: portal.refused, DatalabError: portal.unreadable, Exception: portal.broken},
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header that a stranger may have written
    return app


class _Portal:
    """The endpoints; all they know is read from the shelf at each request."""

    def __init__(self, lab: Lab, visitor: Visitor) -> None:
        self.lab = lab
        self.visitor = visitor
        self.shelf = Shelf(lab, visitor)
        self.reader = pages.Reader(lab)
        self.read_by = origins.ReadBy(lab)
        self.joined = joined.Joined(lab)
        self.uses = Uses(lab.var / USES)
        self.pages = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.exporting = anyio.CapacityLimiter(EXPORTS)
        self.viewing = anyio.CapacityLimiter(VIEWS)

    def index(self, request: Request) -> Response:
        """Answer with the list of datasets: those that `q` finds and that are what was chosen in the facets."""
        asked = listing.asked(request.query_params)
        shown = self.shelf.lately()
        found = self._search(asked, shown)
        entries, pages_ = listing.paged(found.entries, asked.page)
        if not self.shelf.holds(shown, entries):
            found = self._search(asked, self.shelf.now())
            entries, pages_ = listing.paged(found.entries, asked.page)
        if not 1 <= asked.page <= pages_:
            raise HTTPException(404)
        facets = listing.facet_views(asked, found, language(request))
        return self._page(
            request,
            "index.html",
            asked=asked,
            entries=entries,
            found=found,
            facets=facets,
            chosen=listing.chosen(facets),
            pages=pages_,
        )

    def _search(self, asked: listing.Asked, shown: Shown) -> Found:
        return search(shown.index, asked.query, asked.chosen, shown.synonyms, self.uses.downloads())

    async def dataset(self, request: Request) -> Response:
        """Answer with the page of one dataset; 404 when it is not granted to everyone, as if it were not there."""
        return await run_sync(self._dataset, request, limiter=self.viewing)

    def _dataset(self, request: Request) -> Response:
        shown, held = self.shelf.of(request.path_params["slug"])
        if not held:
            raise HTTPException(404)
        lang = language(request)
        uses = self.read_by.now(shown.entries)
        views = [pages.edition_view(self.reader, entry, lang, uses) for entry in reversed(held)]
        slug = held[-1].slug
        found = self.joined.of(shown.entries, slug)
        return self._page(
            request,
            "dataset.html",
            entry=held[-1],
            editions=views,
            joins=joined.views(found.joins, lang),
            joins_more=max(0, len(found.joins) - joined.SHOWN),
            joins_left=found.left,
            similar=similar(shown.index, slug),
        )

    async def data(self, request: Request) -> Response:
        """Answer with one table as a file. The address is looked up among what is granted; it never becomes a path."""
        _, held = await run_sync(self.shelf.of, request.path_params["slug"])
        name, _, suffix = request.path_params["file"].rpartition(".")
        entry = next((one for one in held if one.edition == request.path_params["edition"]), None)
        form = next((known for known in download.FORMATS if known == suffix), None)
        if entry is None or form is None or name not in entry.resources:
            raise HTTPException(404)
        served = entry.current.resources[name]
        key = f"{form}-v{served.version}-{download.content_key(served)}"
        headers = {"ETag": f'"{key}"', "Cache-Control": "no-cache"}
        if unchanged(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        path = await run_sync(download.existing, self.lab, entry, name, form)
        if path is None:
            path = await run_sync(download.export, self.lab, entry, name, form, limiter=self.exporting)
        if request.method == "GET":
            whole = "range" not in request.headers
            await run_sync(self.lab.audit.write, _downloaded(self.visitor, entry, name, whole=whole))
        if request.method == "GET" and request.headers.get("range", FROM_START).startswith(FROM_START):
            await run_sync(self.uses.count, entry.slug)
        media_type = "text/csv; charset=utf-8; header=present" if form == "csv" else MEDIA_TYPES[form]
        filename = f"{entry.slug}.{name}.{entry.edition}-v{served.version}.{form}"
        return FileResponse(path, headers=headers, media_type=media_type, filename=filename)

    async def feed(self, request: Request) -> Response:
        """Answer with the DCAT-AP catalogue as Turtle or JSON-LD, whole or the `page` asked for, as it is made."""
        form: feed.Form = "ttl" if request.url.path.endswith(".ttl") else "jsonld"
        shown = await run_sync(self.shelf.now)
        page = listing.page_number(request.query_params) if "page" in request.query_params else None
        if page is not None and not 1 <= page <= feed.pages(shown.entries):
            raise HTTPException(404)
        headers = {"ETag": f'"{shown.stamp}-{page or 0}"', "Cache-Control": "no-cache"}
        if unchanged(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return StreamingResponse(shown.feed(form, page), headers=headers, media_type=feed.MEDIA_TYPES[form])

    def refused(self, request: Request, error: Exception) -> Response:
        """Answer 400, 404 or 405 with a page that says what to do."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._error(request, status)

    def unreadable(self, request: Request, error: Exception) -> Response:
        """Answer 503: the lake or a document is damaged; the log names it, the public is not told paths."""
        LOG.error("%s: %s", request.url.path, " ".join(str(error).split()))
        return self._error(request, 503)

    def broken(self, request: Request, _error: Exception) -> Response:
        """Answer 500; Starlette calls this outside of the middleware, hence the headers, and raises on to the log."""
        response = self._error(request, 500)
        response.headers.update(SECURITY)
        return response

    def _error(self, request: Request, status: int) -> Response:
        known = status if f"error_{status}" in texts.TEXTS["fr"] else 400
        response = self._page(request, "error.html", status=known)
        response.status_code = status
        return response

    def _page(self, request: Request, template: str, **context: Any) -> Response:
        """Fill a template; every one of them has the language's texts and the ways to write links and numbers."""
        lang = language(request)
        html = self.pages.get_template(template).render(
            **context,
            **words(lang),
            **links(request, lang),
            visitor=self.visitor,
            settings=self.shelf.settings,
            base=self.shelf.settings.base,
            api=self.shelf.settings.api_base,
            limit=QUERY_LIMIT,
            frequencies=FREQUENCIES,
            licences=LICENCES,
            themes=THEMES,
        )
        return HTMLResponse(
            html, headers={"Content-Language": lang, "Vary": "Accept-Language", "Cache-Control": "no-cache"}
        )


def _downloaded(visitor: Visitor, entry: Entry, resource: str, *, whole: bool) -> Event:
    """What the audit log is told of a download, before its first byte goes out; requests at once share one fsync.

    No address: what everyone may have is given without asking who takes it, and an address is personal data. For the
    same reason a file that is not there, or not granted, leaves no line: strangers would fill the log.
    """
    served = entry.current.resources[resource]
    opened = Opened(dataset=entry.slug, edition=entry.edition, resource=resource, version=served.version)
    return Event(
        what="open",
        door="portal",
        who=visitor.who,
        editions=(opened,),
        purpose=visitor.purpose,
        rows=served.rows if whole else None,
    )
