"""A file that somebody brings, in a form of multipart/form-data (RFC 7578), bounded."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from policies.errors import DeniedError
from sandbox.web.posted import Form, check_site

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.web.identity import User

_AROUND = 64 * 1024
_PARTS = 20
_BOUNDARY = re.compile(r"multipart/form-data;\s*boundary=\"?([A-Za-z0-9'()+_,./:=?-]{1,70})\"?")
_NAMED = re.compile(rb'name="([a-z]{1,20})"(?:; filename="([^"\r\n]{0,400})")?')


async def upload(request: Request, user: User, most: int) -> tuple[Form, str, bytes]:
    """The fields, the file's name and its bytes, at most `most`.

    Raises HTTPException 400 for what is no such form, 413 for more, DeniedError for a form that is not of our page.
    """
    check_site(request)
    told = _BOUNDARY.fullmatch(request.headers.get("content-type", ""))
    if told is None:
        raise HTTPException(400)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most + _AROUND:
            raise HTTPException(413)
    fields, name, content = parts(bytes(body), told[1].encode())
    found = Form(fields)
    if not secrets.compare_digest(found.one("csrf").encode(), user.csrf.encode()):
        raise DeniedError("this form is not of your login, so nothing was done; read the page again")
    if len(content) > most:
        raise HTTPException(413)
    return found, name, content


def parts(body: bytes, boundary: bytes) -> tuple[dict[str, list[str]], str, bytes]:
    """The texts by name, and the one file. Raises HTTPException 400 for what a browser would not send. Pure."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not 3 <= len(pieces) <= _PARTS or pieces[0] or pieces[-1] not in (b"--", b"--\r\n"):  # noqa: PLR2004  ends, and one
        raise HTTPException(400)
    fields: dict[str, list[str]] = {}
    files: list[tuple[str, bytes]] = []
    for piece in pieces[1:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        named = _NAMED.search(head)
        if not gap or named is None:
            raise HTTPException(400)
        try:
            if named[2] is None:
                fields.setdefault(named[1].decode(), []).append(content.decode())
            else:
                files.append((named[2].decode(), content))
        except UnicodeDecodeError:
            raise HTTPException(400) from None
    if len(files) != 1:
        raise HTTPException(400)
    return fields, *files[0]
