"""A request → who asks, what, for which purpose, in which form; everything of it bounded and checked here."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.entries import EVERYONE
from policies.errors import UsageError
from sandbox.sql.engine import Question
from sandbox.sql.tokens import LONGEST, is_purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from catalog.answers import Form
    from sandbox.sql.access import Access, Reader
    from sandbox.sql.tokens import Tokens

MEDIA_TYPES: Mapping[Form, str] = {
    "json": "application/json",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8; header=present",
}
_SQL_TYPES = {"application/sql", "text/plain"}
_ACCEPT_LIMIT = 1000
_PARAMETERS = 1000
_BODY_SECONDS = 30


@dataclass
class ProblemError(Exception):
    """A request that is refused: the status, what to say, and headers."""

    status: int
    said: str
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Asked:
    """A question, and the purpose that was stated with it."""

    question: Question
    purpose: str | None


def reader_of(access: Access, tokens: Tokens, request: Request, purpose: str | None) -> Reader:
    """Whoever the request's token names, or everyone when it has none. Raises ProblemError 401, 403 or 400.

    A token stands in `Authorization: Bearer …`, or as the password of Basic, which is what spreadsheets can do.
    """
    if purpose is not None and not is_purpose(purpose):
        raise ProblemError(400, "a purpose is a word of a-z, 0-9 and -, as the policy's grants name it")
    said = request.headers.get("authorization")
    if said is None:
        return access.reader("everyone", EVERYONE, purpose)
    token = tokens.of(_token(said))
    if token is None:
        raise _unknown()
    try:
        principals = tokens.principals(token)
    except UsageError:  # the user is gone, so their tokens say nothing
        raise _unknown() from None
    if token.purpose is not None and purpose not in {None, token.purpose}:
        raise ProblemError(403, f"the token is for the purpose {token.purpose!r} alone")
    return access.reader(f"user:{token.user}", principals, token.purpose if purpose is None else purpose)


async def asked(request: Request, limit: int) -> Asked:
    """The question of a `POST /sql`. Raises ProblemError 400, 406, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form = form_of(request)
    if kind not in {"application/json", *_SQL_TYPES}:
        raise ProblemError(415, 'expected Content-Type application/json, {"sql": "SELECT …"}, or text/plain, the SQL')
    body = await _body(request, limit)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProblemError(400, f"the request is no UTF-8 at byte {error.start}") from None
    if kind in _SQL_TYPES:
        return Asked(Question(_statement(text), None, form), request.query_params.get("purpose"))
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(400, f"the request is no JSON: {str(error)[:200]}") from None
    if not isinstance(told, dict) or not told.keys() <= {"sql", "params", "purpose"}:
        raise ProblemError(400, 'expected a JSON object with "sql", and "params" and "purpose" where they are needed')
    sql, purpose = told.get("sql"), told.get("purpose")
    if not isinstance(sql, str) or not (purpose is None or isinstance(purpose, str)):
        raise ProblemError(400, '"sql" is a text, and so is "purpose"')
    return Asked(Question(_statement(sql), _params(told.get("params")), form), purpose)


def form_of(request: Request) -> Form:
    """The form that the request accepts best; JSON where it takes any. Raises ProblemError 406."""
    accepted = _accepted(request.headers.get("accept", "*/*")[:_ACCEPT_LIMIT])
    best: tuple[float, Form | None] = (0.0, None)
    for form, media_type in MEDIA_TYPES.items():
        plain = media_type.partition(";")[0]
        quality = max(accepted.get(one, 0.0) for one in (plain, f"{plain.partition('/')[0]}/*", "*/*"))
        if quality > best[0]:
            best = (quality, form)
    if best[1] is None:
        known = ", ".join(one.partition(";")[0] for one in MEDIA_TYPES.values())
        raise ProblemError(406, f"answers come as {known}: name one in Accept")
    return best[1]


def _accepted(header: str) -> dict[str, float]:
    """Media type → quality, RFC 9110 12.5.1."""
    found = {}
    for part in header.split(","):
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        found[name] = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0.0
    return found


def _token(said: str) -> str:
    scheme, _, value = said.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and len(value) <= 4 * LONGEST:
        try:
            return base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _unknown() -> ProblemError:
    said = "the token is unknown or has ended; `datalab token create` makes one, and a steward can"
    return ProblemError(401, said, {"WWW-Authenticate": 'Bearer realm="datalab"'})


async def _body(request: Request, limit: int) -> bytes:
    pieces = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                pieces += piece
                if len(pieces) > limit:
                    raise ProblemError(413, f"a request has {limit} bytes at most", {"Connection": "close"})
    except TimeoutError:
        said = f"the request did not come within {_BODY_SECONDS} seconds"
        raise ProblemError(408, said, {"Connection": "close"}) from None
    return bytes(pieces)


def _statement(sql: str) -> str:
    statement = sql.strip().removesuffix(";").rstrip()
    if not statement or "\0" in statement:
        raise ProblemError(400, "expected one SELECT")
    return statement


def _params(told: Any) -> list[Any] | dict[str, Any] | None:
    """Parameters that are bound, never pasted: a list for `?` and `$1`, an object for `$name`."""
    if told is None:
        return None
    values = told.values() if isinstance(told, dict) else told if isinstance(told, list) else None
    if values is None or len(told) > _PARAMETERS:
        raise ProblemError(400, f'"params" is a list or an object of at most {_PARAMETERS} values')
    if not all(one is None or isinstance(one, str | int | float | bool) for one in values):
        raise ProblemError(400, "a parameter is a text, a number, true, false or null; dates are texts: $1::DATE")
    params: list[Any] | dict[str, Any] = told
    return params or None
