"""What the first signs of a text say that it is: XML by its root, JSON by its first keys and lines."""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_LINE = 16 * 2**20
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
    b"{\0": "utf-16-le",
    b"[\0": "utf-16-le",
    b"\0{": "utf-16-be",
    b"\0[": "utf-16-be",
}
_RS = b"\x1e"
_BLANKS = b"\xef\xbb\xbf \t\r\n"
_JSON_START = re.compile(r'\{\s*(["}]|$)|\[\s*([\[{\]"\-0-9]|true\b|false\b|null\b|$)')
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|[{}\[\]:,]')
_FEATURE = re.compile(r'"type"\s*:\s*"Feature"')
_TAG = re.compile(r"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(?=[\s/>])")
_HTML = frozenset("html head body table div meta script style title p center span form br".split())  # noqa: SIM905


@dataclass(frozen=True)
class Root:
    """The first element of a text: its name without prefix, and whether an XML declaration or a DOCTYPE precedes it."""

    name: str
    html: bool
    declared: bool


def text_of(head: bytes) -> str:
    """The first bytes of a file as text, by their mark or as UTF-8; what is neither becomes U+FFFD."""
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), "utf-8")
    return head.decode(encoding, errors="replace")


def text_encoding(path: Path, declared: str | None) -> str:
    """The encoding of a JSON text: the declared one, or what its first bytes show (RFC 4627, part 3), or UTF-8."""
    with path.open("rb") as file:
        start = file.read(4)
    shown = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    if declared is None:
        return shown or "utf-8"
    marked = shown in {"utf-8-sig", "utf-16"} and declared.lower().startswith("utf")
    return str(shown) if marked else declared


def root_of(text: str) -> Root | None:
    """The first element of the text if it is XML or HTML, past declarations and comments."""
    rest, declared, html = text.lstrip("\ufeff \t\r\n"), False, False
    is_xml = rest.startswith("<?xml")
    while rest.startswith(("<?", "<!")):
        comment = rest.startswith("<!--")
        declared = declared or not comment
        html = html or rest[:14].lower() == "<!doctype html"
        end = rest.find("-->" if comment else ">")
        if rest[:9].upper() == "<!DOCTYPE" and "[" in rest[:end]:
            end = rest.find(">", rest.find("]"))
        if end < 0:
            return Root("", html, declared=True)
        rest = rest[end + 1 :].lstrip("->\ufeff \t\r\n") if comment else rest[end + 1 :].lstrip()
    found = _TAG.match(rest)
    if found is None:
        return None
    html = html or found[2].lower() == "html" or (not is_xml and found[1] is None and found[2].lower() in _HTML)
    return Root(found[2], html, declared)


def json_kind(path: Path, text: str) -> Literal["json", "ndjson", "geojson"] | None:
    """What kind of JSON the file is, `text` being its start; None if it is none."""
    start = text.lstrip("\ufeff \t\r\n\x1e")
    if not _JSON_START.match(start):
        return None
    if start.startswith("{") and _is_feature_collection(start):
        return "geojson"
    texts = _first_text(path)
    if texts.first.get("type") == "Feature" and "geometry" in texts.first:
        return "geojson"
    return "ndjson" if texts.several else "json"


def has_json_texts(path: Path) -> bool:
    """Whether several JSON objects stand in the file, one a line, or each after the sign RS."""
    return _first_text(path).several


def _is_feature_collection(text: str) -> bool:
    """Whether the outermost object, as far as the text goes, says that it is one, or has a list of features."""
    depth, key, before = 0, "", ""
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if depth == 1 and sign == ":":
            key = before
        elif depth == 1 and key == "type" and token[1] is not None:
            return token[1] == "FeatureCollection"
        elif depth == 1 and key == "features" and sign == "[" and _FEATURE.search(text, token.start()):
            return True
        elif depth == 1 and sign == ",":
            key = ""
        depth += (sign in {"{", "["}) - (sign in {"}", "]"})
        before = token[1] or ""
    return False


class _Texts(NamedTuple):
    """The first JSON object that is a text of its own, and whether others stand, or may stand, in the file."""

    first: dict[str, Any]
    several: bool


def _first_text(path: Path) -> _Texts:
    with path.open("rb") as file:
        first = b""
        while not first.strip() and (first := file.readline(_LINE)):
            pass
        if first.lstrip(_BLANKS).startswith(_RS):
            rest = first + file.read(_LINE)
            found = (_object(text) for text in rest.split(_RS) if text.strip())
            return _Texts(next((one for one in found if one is not None), {}), several=True)
        second = b""
        while not second.strip() and (second := file.readline(64)):
            pass
    one = _object(first)
    return _Texts(one or {}, several=one is not None and second.strip() != b"")


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
