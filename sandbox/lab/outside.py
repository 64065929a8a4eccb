"""The lab from outside a sandbox: SQL to its service over HTTPS, and Arrow back."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import duckdb
import pyarrow as pa

from .query import quoted

if TYPE_CHECKING:
    from email.message import Message
    from typing import IO

_ARROW = "application/vnd.apache.arrow.stream"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_SECONDS = 3600
"""The service ends a query long before; this is for a network that has gone."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an error: it would carry the token to wherever it points."""

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Follow none."""


class Outside:
    """One lab, asked with one token for one purpose."""

    def __init__(self, url: str, token: str, purpose: str | None) -> None:
        """Ask once whether the lab answers and knows the token; raises as `lab.connect` says."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            message = f"{url}: expected https://…, or the token could be read on the way"
            raise ValueError(message)
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            message = "there is no token; give it, or set $DATALAB_TOKEN: a steward makes one by `datalab token create`"
            raise ValueError(message)
        self._url = url.rstrip("/") + "/sql"
        self._token = token
        self._purpose = purpose
        self._engine = duckdb.connect()
        self.datasets()

    def __repr__(self) -> str:
        """Where it asks; never the token."""
        return f"<lab at {self._url}>"

    def sql(self, query: str, params: object = None) -> duckdb.DuckDBPyRelation:
        """The answer to one query, whole. `params` is a list for `?` or `$1`, a dict for `$name`.

        Raises duckdb.Error if the engine refuses it, PermissionError, ConnectionError.
        """
        asked = {"sql": query, "params": _plain(params), "purpose": self._purpose}
        request = Request(  # noqa: S310  https, or loopback: __init__
            self._url,
            json.dumps({key: value for key, value in asked.items() if value is not None}).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Accept": _ARROW},
        )
        try:
            with (
                build_opener(_NoRedirect).open(request, timeout=_SECONDS) as answer,
                pa.ipc.open_stream(answer) as rows,
            ):
                return self._engine.from_arrow(rows.read_all())
        except HTTPError as error:
            raise _refusal(error) from None
        except (URLError, OSError, pa.ArrowInvalid) as error:
            message = f"{self._url}: {getattr(error, 'reason', error)}"
            raise ConnectionError(message) from None

    def table(self, name: str) -> duckdb.DuckDBPyRelation:
        """All of `dataset.resource` or `dataset@edition.resource`."""
        return self.sql(f"FROM {quoted(*name.split('.', 1))}")

    def datasets(self) -> duckdb.DuckDBPyRelation:
        """Every table you were granted."""
        return self.sql("FROM main.datasets ORDER BY ALL")


def _refusal(error: HTTPError) -> Exception:
    try:
        said = str(json.loads(error.read())["error"])
    except (ValueError, LookupError, TypeError, OSError):
        said = f"{error.url} answers {error.code} {error.reason}"
    if error.code in _REFUSALS:
        return PermissionError(said)
    return duckdb.Error(said) if error.code == HTTPStatus.BAD_REQUEST else ConnectionError(said)


def _plain(value: Any) -> Any:
    """Parameters as JSON has them; the engine makes a date of its text where one is asked for."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return (
        value.isoformat()
        if isinstance(value, dt.date | dt.time)
        else str(value)
        if isinstance(value, Decimal)
        else value
    )
