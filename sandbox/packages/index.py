"""What an index's page offers → the page that a sandbox is shown. Pure.

A page is JSON (PEP 691) or HTML (PEP 503). Of its files only those are kept that are wheels or sdists of the project,
lie on a host of the index, and have a SHA-256.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from sandbox.packages.names import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

JSON = "application/vnd.pypi.simple.v1+json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Offer:
    """A file of a project. `python` is what it says of Python's version, `yanked` whether it was taken back."""

    file: str
    version: str
    url: str
    sha256: str
    python: str | None = None
    yanked: bool = False


def offers(project: str, page: bytes, kind: str, url: str, hosts: frozenset[str]) -> tuple[Offer, ...]:
    """The files of a page of that content type, read at `url`. Raises ValueError for what is no page of an index."""
    listed = _of_json(page) if kind == JSON else _of_html(page)
    secure = urlsplit(url).scheme == "https"
    found = {}
    for file, link, sha256, python, yanked in listed:
        at, version = urljoin(url, link), version_of(file, project)
        parts = urlsplit(at)
        if (
            version is not None
            and _SHA256.fullmatch(sha256)
            and parts.netloc.lower() in hosts
            and parts.scheme in ({"https"} if secure else {"http", "https"})
        ):
            found[file] = Offer(file, version, at, sha256, python, yanked)
    return tuple(found.values())


def page(project: str, shown: Iterable[Offer], at: str) -> str:
    """The page of a project in HTML; its files lie below `at`."""
    lines = [
        f'<a href="{at}/{project}/{one.sha256}/{html.escape(one.file)}#sha256={one.sha256}"{_said(one)}>'
        f"{html.escape(one.file)}</a><br>"
        for one in shown
    ]
    return "\n".join(["<!doctype html>", f"<title>{html.escape(project)}</title>", *lines, ""])


def _said(one: Offer) -> str:
    python = "" if one.python is None else f' data-requires-python="{html.escape(one.python)}"'
    return python + (' data-yanked=""' if one.yanked else "")


_Listed = tuple[str, str, str, str | None, bool]


def _of_json(text: bytes) -> list[_Listed]:
    try:
        return [_one(file) for file in json.loads(text)["files"]]
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no page of an index: {type(error).__name__}") from None


def _one(file: dict[str, Any]) -> _Listed:
    hashes, python = file["hashes"], file.get("requires-python")
    yanked = file.get("yanked", False) is not False
    return str(file["filename"]), str(file["url"]), str(hashes.get("sha256", "")), python and str(python), yanked


def _of_html(text: bytes) -> list[_Listed]:
    links = _Links()
    links.feed(text.decode("utf-8", "replace"))
    found: list[_Listed] = []
    for attributes in links.found:
        link, fragment = urldefrag(attributes.get("href") or "")
        file = unquote(urlsplit(link).path.rpartition("/")[2])
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        found.append((file, link, sha256, attributes.get("data-requires-python"), "data-yanked" in attributes))
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))
