"""An answer of an API that must be its data: what else it is becomes an error in the server's own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ingest.sources.cut import value_at
from policies.errors import SourceError

if TYPE_CHECKING:
    from ingest.sources.web import Answer, Web

_WORDS = ("error.message", "message", "error", "detail", "description", "title")
_SHOWN = 300


def asked(web: Web, url: str, headers: dict[str, str]) -> Answer:
    """The answer to a GET. Raises SourceError as `succeeded` does."""
    return succeeded(web.get(url, headers=headers, refusals=True), url)


def succeeded(answer: Answer, url: str) -> Answer:
    """The answer to a GET of `url`. Raises SourceError with what the server says if its status is not 200."""
    if answer.status != 200:  # noqa: PLR2004  HTTP's OK
        said = _said(answer.body)
        raise SourceError(
            f"{url}: the server answered {answer.status}{f': {said}' if said else ''}; check address, query and access"
        )
    return answer


def _said(body: bytes) -> str:
    """The server's words in a JSON answer; nothing if it has none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = (value_at(content, words) for words in _WORDS)
    return next((" ".join(one.split())[:_SHOWN] for one in found if isinstance(one, str) and one), "")
