"""Records that a JSON API gives page by page, kept as NDJSON in the order given, numbers as written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx

from ingest.sources import Fetched, fetched_file
from ingest.sources.asked import asked
from ingest.sources.cut import cut, value_at
from ingest.sources.paging import Page, Paging, collect
from ingest.sources.secret import secret
from ingest.sources.web import Web
from policies.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.sources import PagesSource
    from ingest.settings import IngestSettings
    from ingest.sources.web import Answer

_TOTAL_HEADERS = ("x-total-count", "x-total")
_TOTALS = ("total_count", "totalCount", "total", "count", "nhits", "total_results", "totalResults", "totalElements")
_BESIDE = ("", "meta.", "metadata.", "pagination.", "paging.", "page.")
_HINT = "check `records`, `parameter`, `first` and `total`, sort by a key in the address, or try at a quieter time"


def fetch_pages(source: PagesSource, cache: Path, settings: IngestSettings) -> Fetched:
    """Bring all records into one NDJSON file in `cache`.

    Raises SourceError: an answer that is no JSON or has no records where they should be, pages that change while they
    are read or lead in a circle, a next page on another server where a secret would be sent to it, or too much of all.
    """
    place = str(source.pages)
    target = cache / "records.ndjson"
    with Web(place, settings) as web:
        asking = _Asking(source, web)
        collect(
            Paging(first=asking.first(), ask=asking.page, steady=source.next == "cursor", hint=_HINT),
            target,
            place,
            settings,
        )
    return fetched_file(target, target.name, place, "ndjson")


class _Asking:
    """How this source's pages are asked for; it knows from the first where the answers say their total."""

    def __init__(self, source: PagesSource, web: Web) -> None:
        self._source, self._web = source, web
        self._headers = {"Accept": "application/json"}
        if source.authorization is not None:
            self._headers["Authorization"] = secret(source.authorization)
        self._parameter = source.parameter or source.next
        self._first = source.first if source.first is not None else int(source.next == "page")
        self._total_at: str | None = None

    def first(self) -> str:
        url = httpx.URL(str(self._source.pages))
        if self._source.size is not None:
            url = url.copy_set_param(self._source.size_parameter, self._source.size)
        return str(self._at(url, self._first) if self._source.next in {"offset", "page"} else url)

    def page(self, url: str, before: int) -> Page:
        answer = asked(self._web, url, self._headers)
        content, records = cut(answer.body, self._source.records, url)
        if before == 0:
            self._total_at = self._find_total(content, answer, len(records))
        total = None if self._total_at is None else number_of(self._said(self._total_at, content, answer))
        if self._source.total and total is None:
            raise SourceError(f"{url}: the answer has no number at total: {self._source.total}")
        return Page(
            records=records, total=total, next=self._next(httpx.URL(url), answer, content, len(records), before, total)
        )

    def _next(
        self, url: httpx.URL, answer: Answer, content: Any, came: int, before: int, total: int | None
    ) -> str | None:
        if self._source.next == "link":
            return self._allowed(url, _linked(answer))
        if self._source.cursor is not None and self._source.next == "cursor":
            return self._by_cursor(url, value_at(content, self._source.cursor), came, total)
        if came == 0 or before + came == total:
            return None
        if self._source.next == "offset":
            return str(self._at(url, self._first + before + came))
        return str(self._at(url, int(url.params[self._parameter]) + 1))

    def _by_cursor(self, url: httpx.URL, cursor: Any, came: int, total: int | None) -> str | None:
        if cursor is None or cursor == "" or cursor is False:
            return None
        if not isinstance(cursor, str):
            raise SourceError(f"{url}: cursor: {self._source.cursor} is no text or number in the answer")
        if self._source.parameter is None or cursor.startswith(("https://", "http://")):
            return self._allowed(url, cursor)
        if cursor == url.params.get(self._parameter):
            # Some say so that this was the last page; without a total it may be a cursor that is stuck
            if came and total is None:
                raise SourceError(f"{url}: the answer's cursor is the one that was asked with; it leads nowhere")
            return None
        return str(self._at(url, cursor))

    def _at(self, url: httpx.URL, value: str | int) -> httpx.URL:
        return url.copy_set_param(self._parameter, value)

    def _allowed(self, url: httpx.URL, address: str | None) -> str | None:
        """The next page's address; where a secret is sent with it, only on the server that the descriptor names."""
        if address is None:
            return None
        return next_address(
            str(url), address, str(self._source.pages), secret_sent=self._source.authorization is not None
        )

    def _find_total(self, content: Any, answer: Answer, came: int) -> str | None:
        """Where the answer says how many records there are: as told, or where such numbers stand.

        A number that is not more than this page has may count the page alone, so it is no total.
        """
        if self._source.total is not None:
            return self._source.total or None
        levels = self._source.records.split(".")[:-1] if self._source.records else []
        inside = [".".join(levels[:depth]) + "." if depth else "" for depth in range(len(levels) + 1)]
        names = [f"{level}{beside}{name}" for level in inside for beside in _BESIDE for name in _TOTALS]
        for place in (*_TOTAL_HEADERS, *names):
            number = number_of(self._said(place, content, answer))
            if number is not None and number > came:
                return place
        return None

    def _said(self, place: str, content: Any, answer: Answer) -> Any:
        return answer.headers.get(place) if place in _TOTAL_HEADERS else value_at(content, place)


def next_address(at: str, address: str, source: str, *, secret_sent: bool) -> str:
    """The address that an answer at `at` names as the next page's.

    A portal behind a proxy may say http of itself where it is asked by https: that is mended. Raises SourceError if a
    secret is sent and the address is not on the server of `source`.
    """
    try:
        there, home = httpx.URL(urljoin(at, address)), httpx.URL(source)
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceError(f"{at}: the next page's address is none: {error}") from None
    if there.scheme == "http" and home.scheme == "https" and there.host == home.host and there.port is None:
        there = there.copy_with(scheme="https", port=home.port)
    if secret_sent and (there.scheme, there.host, there.port) != (home.scheme, home.host, home.port):
        raise SourceError(f"{at}: the next page is on {there.host}, where the secret of {home.host} is not sent")
    return str(there)


def _linked(answer: Answer) -> str | None:
    """The address of `rel="next"` in the Link header (RFC 8288)."""
    links = httpx.Response(200, headers={"Link": answer.headers.get("link", "")}).links
    return next((link["url"] for rel, link in links.items() if "next" in str(rel).lower().split()), None)


def number_of(value: Any) -> int | None:
    """The whole number that a value of parsed JSON, or a text, is; None if it is none."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else None  # noqa: PLR2004
