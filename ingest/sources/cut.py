"""Records cut out of a JSON answer as they were written: `1.10` stays `1.10`, and no long number is rounded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from policies.document import suggest
from policies.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_LINE_ENDS = str.maketrans("\r\n", "  ")
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


def parsed(body: bytes, url: str) -> Any:
    """What an answer says in JSON; numbers are the texts they are written as. Raises SourceError if it is no JSON."""
    return _decoded(_text(body, url), url)


def cut(body: bytes, path: str, url: str) -> tuple[Any, list[str]]:
    """What an answer says, and the objects of its list at `path`, each on one line as it was written.

    The path is `data.items`, or `""` where the answer itself is the list. A list that is `null` has none. Raises
    SourceError if the body is no JSON, has no list there, or one of other values than objects.
    """
    text = _text(body, url)
    content = _decoded(text, url)
    listed, keys = content, path.split(".") if path else []
    for key in keys:
        if not isinstance(listed, dict):
            raise SourceError(f"{url}: expected an object with {key!r}, found {_kind(listed)}")
        if key not in listed:
            raise SourceError(f"{url}: the answer has no {key!r}; {suggest(key, list(listed))}; see `records`")
        listed = listed[key]
    at = _start(text, keys)
    if at is None:
        raise SourceError(f"{url}: one of the keys {path!r} stands twice in an object; tell the API's publisher")
    if listed is None:
        return content, []
    if not isinstance(listed, list):
        raise SourceError(f"{url}: expected a list of records at {path!r}, found {_kind(listed)}; see `records`")
    for number, record in enumerate(listed, start=1):
        if not isinstance(record, dict):
            raise SourceError(f"{url}: expected a list of objects, but the one at place {number} is {_kind(record)}")
    found = [text[start:end] for start, end in _elements(text, at)]
    # A line end in JSON stands only between values: within a text it is written \n
    return content, [record.translate(_LINE_ENDS) for record in found]


def without(record: str, key: str) -> str:
    """The object without its member `key`, all others as they were written."""
    kept = [record[start : _end(record, value)] for name, start, value in _members(record, 0) if name != key]
    return "{" + ", ".join(kept) + "}"


def value_at(content: Any, path: str) -> Any:
    """What stands at `path` in parsed JSON; None if nothing does."""
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _text(body: bytes, url: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{url}: expected JSON in UTF-8; byte {error.start} is not") from None


def _decoded(text: str, url: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        found = "an HTML page" if text.lstrip()[:1] == "<" else f"{error}"
        raise SourceError(f"{url}: expected JSON, found {found}; check the address") from None


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a single value")


def _after(text: str, at: int) -> int:
    """Where the white space that starts at `at` ends."""
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too


def _end(text: str, at: int) -> int:
    return _DECODER.raw_decode(text, at)[1]


def _start(text: str, keys: list[str]) -> int | None:
    """Where the value at `keys` starts, in a text that is known to have it; None if there are several."""
    at = _after(text, 0)
    for key in keys:
        values = [value for name, _, value in _members(text, at) if name == key]
        if len(values) > 1:
            return None
        at = values[0]
    return at


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The name of each member of the object at `at`, and where the member and its value start."""
    at = _after(text, at + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        value = _after(text, _after(text, end) + 1)
        yield name, at, value
        at = _after(text, _end(text, value))
        at = _after(text, at + 1) if text[at] == "," else at


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of the list at `at` starts and ends."""
    at = _after(text, at + 1)
    while text[at] != "]":
        end = _end(text, at)
        yield at, end
        at = _after(text, end)
        at = _after(text, at + 1) if text[at] == "," else at
