"""The airlock's pages as an application, to be called with the `root_path` of the portal that it is part of."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from catalog.search.find import QUERY_LIMIT
from catalog.settings import CatalogSettings
from catalog.web import app as portal
from catalog.web.frame import language, links, words
from catalog.web.headers import SECURITY, SecurityHeaders
from catalog.web.visitor import Visitor
from policies.errors import DatalabError, DeniedError, UsageError
from sandbox.airlock.admit import admit
from sandbox.airlock.collect import collect
from sandbox.airlock.review import StaleError, approve, speak
from sandbox.airlock.settings import AirlockSettings
from sandbox.airlock.speaker import Speaker
from sandbox.airlock.store import Submissions
from sandbox.airlock.submission import CLOSED
from sandbox.web import texts
from sandbox.web.posted import form
from sandbox.web.served import served
from sandbox.web.upload import upload
from sandbox.web.view import OWN, STEWARDS, for_requester, for_steward

if TYPE_CHECKING:
    from starlette.requests import Request

    from catalog.lab import Lab
    from sandbox.airlock.submission import Submission, Word
    from sandbox.web.identity import Identity, Proof, User
    from sandbox.web.posted import Form
    from sandbox.web.view import Page

HERE = Path(__file__).parent
LOG = logging.getLogger("datalab.airlock")
AT = "/airlock"

_SHOWN = 100
"""Lines of a list; of what is closed, the latest."""
_HIGHEST = 10**9
_CHECKS = 2
"""So many files are checked at a time; more requests wait."""


def create_app(lab: Lab, identity: Identity, *, stewards: frozenset[str], proof: Proof | None = None) -> Starlette:
    """The pages below `/airlock` of a portal. `stewards` are the principals who decide; see identity.py for the others.

    Raises DocumentError if a section of datalab.toml is wrong.
    """
    pages = _Pages(lab, identity, stewards, proof)
    return Starlette(
        routes=[
            Route(f"{AT}/", pages.index),
            Route(f"{AT}/collect", pages.collect, methods=["POST"]),
            Route(f"{AT}/in", pages.bring, methods=["POST"]),
            Route(f"{AT}/{{number:int}}", pages.one),
            Route(f"{AT}/{{number:int}}", pages.say, methods=["POST"]),
            Route(f"{AT}/{{number:int}}/file", pages.file),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={HTTPException: pages.refused, DatalabError: pages.told, Exception: pages.broken},
    )


class _Pages:
    """The endpoints. Nothing is kept between requests: who may and what there is is asked each time."""

    def __init__(self, lab: Lab, identity: Identity, stewards: frozenset[str], proof: Proof | None) -> None:
        self.lab = lab
        self.identity = identity
        self.stewards = stewards
        self.proof = proof
        self.settings = lab.section("catalog", CatalogSettings)
        self.pages = Environment(
            loader=FileSystemLoader([HERE / "templates", portal.HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.checking = anyio.CapacityLimiter(_CHECKS)

    async def index(self, request: Request) -> Response:
        """Answer with what the user has asked for, and to a steward with what waits."""
        user = await self._user(request)
        every = await run_sync(Submissions.of(self.lab).all)
        steward = self._is_steward(user)
        mine = [one for one in every if one.is_of(user.name)]
        others = [one for one in every if steward and not one.is_of(user.name)]
        return self._page(
            request,
            user,
            "airlock.html",
            steward=steward,
            mine=mine[::-1][:_SHOWN],
            waiting=[one for one in others if one.state not in CLOSED][:_SHOWN],
            closed=[one for one in others if one.state in CLOSED][::-1][:_SHOWN],
        )

    async def collect(self, request: Request) -> Response:
        """Take what lies in the outboxes; for stewards."""
        user = await self._user(request)
        await form(request, user)
        if not self._is_steward(user):
            raise HTTPException(404)
        await run_sync(collect, self.lab, LOG.warning, limiter=self.checking)
        return RedirectResponse(links(request, language(request))["link"](f"{AT[1:]}/"), 303)

    async def bring(self, request: Request) -> Response:
        """Ask that a file of the user's own is let into their sandboxes; somebody else decides."""
        user = await self._user(request)
        most = int(self.lab.section("airlock", AirlockSettings).size)
        posted, name, content = await upload(request, user, most)
        origin = "" if request.client is None else request.client.host
        by = Speaker(f"user:{user.name}", user.name, origin)
        made = await run_sync(self._admit, name, content, by, posted.one("why"))
        return RedirectResponse(links(request, language(request))["link"](f"{AT[1:]}/{made.number}"), 303)

    async def one(self, request: Request) -> Response:
        """Answer with one submission; 404 where it is neither the user's nor are they a steward, as if it were not."""
        user = await self._user(request)
        page = await run_sync(self._found, user, request.path_params["number"])
        return self._page(request, user, "submission.html", page=page, one=page.one, asks=self.proof is not None)

    async def say(self, request: Request) -> Response:
        """Say a word on a submission, if it still is what the page showed."""
        user = await self._user(request)
        posted = await form(request, user)
        page = await run_sync(self._found, user, request.path_params["number"])
        word, seen = posted.one("word"), posted.one("seen")
        if word not in (*STEWARDS, *OWN) or len(seen) != len(page.one.seen):
            raise HTTPException(400)
        if (word in OWN) == page.steward:
            raise DeniedError(f"submission {page.one.number}: that word is for somebody else to say")
        await run_sync(self._proven, user, posted, word)
        origin = "" if request.client is None else request.client.host
        by = Speaker(f"user:{user.name}", user.name, origin, seen)
        await run_sync(self._speak, page.one.number, word, by, posted, limiter=self.checking)
        return RedirectResponse(links(request, language(request))["link"](f"{AT[1:]}/{page.one.number}"), 303)

    async def file(self, request: Request) -> Response:
        """Answer with the bytes that are to be decided on, to stewards; the audit log has who read them."""
        user = await self._user(request)
        page = await run_sync(self._found, user, request.path_params["number"])
        if not page.steward or not page.readable:
            raise HTTPException(404)
        origin = "" if request.client is None else request.client.host
        by = Speaker(f"user:{user.name}", user.name, origin)
        return await run_sync(served, self.lab, page.one, by)

    def refused(self, request: Request, error: Exception) -> Response:
        """Answer with a page that says what to do."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._error(request, status, None)

    def told(self, request: Request, error: Exception) -> Response:
        """Answer with why nothing was done. What is wrong with the machine is told to stewards, and to the log."""
        if isinstance(error, StaleError):
            return self._error(request, 409, str(error))
        if isinstance(error, DeniedError):
            return self._error(request, 403, str(error))
        if isinstance(error, UsageError):
            return self._error(request, 400, str(error))
        LOG.error("%s: %s", request.url.path, " ".join(str(error).split()))
        return self._error(request, 503, str(error) if getattr(request.state, "steward", False) else None)

    def broken(self, request: Request, _error: Exception) -> Response:
        """Answer 500; Starlette calls this outside of the middleware, hence the headers, and raises on to the log."""
        response = self._error(request, 500, None)
        response.headers.update(SECURITY)
        return response

    async def _user(self, request: Request) -> User:
        user = await self.identity(request)
        if user is None:
            raise HTTPException(401)
        request.state.steward = self._is_steward(user)
        return user

    def _is_steward(self, user: User) -> bool:
        return not self.stewards.isdisjoint(user.principals)

    def _found(self, user: User, number: int) -> Page:
        store = Submissions.of(self.lab)
        if not 1 <= number < _HIGHEST:
            raise HTTPException(404)
        try:
            one = store.one(number)
        except UsageError:
            raise HTTPException(404) from None
        if one.is_of(user.name):
            return for_requester(one)
        if not self._is_steward(user):
            raise HTTPException(404)
        return for_steward(one, store.related(one))

    def _proven(self, user: User, posted: Form, word: str) -> None:
        if self.proof is not None and word not in OWN and not self.proof(user.name, posted.one("password")):
            raise DeniedError("that is not your password, so nothing was done; after some failures one has to wait")

    def _speak(self, number: int, word: Word, by: Speaker, posted: Form) -> Submission:
        why = posted.one("why")
        if word == "approve":
            despite = posted.many("despite")
            return approve(self.lab, number, by=by, why=why, despite=despite, warn=LOG.warning)
        return speak(self.lab, number, word, by=by, why=why, warn=LOG.warning)

    def _admit(self, name: str, content: bytes, by: Speaker, why: str) -> Submission:
        if "/" in name or not name.strip("."):
            raise UsageError("expected the name of a file")
        scratch = self.lab.var / "scratch"
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            path = Path(folder) / name[-255:]
            try:
                path.write_bytes(content)
            except (OSError, ValueError):
                raise UsageError("the file's name cannot be one here") from None
            return admit(self.lab, path, by.account, by=by, why=why)

    def _error(self, request: Request, status: int, why: str | None) -> Response:
        known = status if f"airlock_{status}" in texts.TEXTS["fr"] else 400
        response = self._page(request, None, "airlock_error.html", status=known, why=why)
        response.status_code = status
        return response

    def _page(self, request: Request, user: User | None, template: str, **context: Any) -> Response:
        lang = language(request)
        around = {**words(lang), **links(request, lang), "t": texts.TEXTS[lang]}
        home = request.scope.get("root_path", "")
        visitor = Visitor() if user is None else Visitor(name=user.name, places=user.places, home=home)
        html = self.pages.get_template(template).render(
            **context,
            **around,
            csrf="" if user is None else user.csrf,
            visitor=visitor,
            settings=self.settings,
            limit=QUERY_LIMIT,
        )
        return HTMLResponse(html, headers={"Content-Language": lang, "Cache-Control": "no-store"})
