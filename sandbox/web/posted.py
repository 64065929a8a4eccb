"""What a form may say: bounded, from a page of ours, and of this login."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException

from policies.errors import DeniedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from sandbox.web.identity import User

_MOST = 64 * 1024
_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form, in the order of the page."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        """As `parse_qs` gives them."""
        self._fields = fields

    def one(self, name: str) -> str:
        """The text of a field that may be there once; none is an empty one. Raises HTTPException 400."""
        values = self._fields.get(name, [""])
        if len(values) != 1:
            raise HTTPException(400)
        return values[0].strip()

    def many(self, name: str) -> tuple[str, ...]:
        """What was chosen of several."""
        return tuple(self._fields.get(name, ()))


async def form(request: Request, user: User) -> Form:
    """The form of a POST. Raises HTTPException 400 for what is none, DeniedError for one that is not of our page."""
    check_site(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        raise HTTPException(400)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise HTTPException(413)
    try:
        fields = parse_qs(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise HTTPException(400) from None
    found = Form(fields)
    if not secrets.compare_digest(found.one("csrf").encode(), user.csrf.encode()):
        raise DeniedError("this form is not of your login, so nothing was done; read the page again")
    return found


def check_site(request: Request) -> None:
    """Raise DeniedError where a browser does not say that the form is on a page of this very site."""
    origin = urlsplit(request.headers.get("origin", ""))
    site = request.headers.get("sec-fetch-site", "same-origin")
    if origin.scheme not in {"http", "https"} or origin.netloc != request.headers.get("host") or site != "same-origin":
        raise DeniedError("this form does not come from a page of this site, so nothing was done")
