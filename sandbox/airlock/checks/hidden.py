"""What a person who looks at a text does not see: control and invisible characters, long encoded runs; in Parquet,
what is kept beside the columns, and columns of bytes.

Not found: what is hidden in the choice of visible words, digits or the order of rows; in Parquet, bytes that no column
chunk uses. A table that a steward wants to be sure of leaves as CSV.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from .candidate import Candidate, Check, Example
from .finding import Finding, places
from .kind import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ENCODED = re.compile(r"[A-Za-z0-9+/_=-]{200,}")
_LONGEST = 2000
_LINES = 200


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    if candidate.kind == "parquet":
        yield from _of_parquet(candidate)
    if candidate.kind not in TEXTS:
        return
    text = candidate.content.decode("utf-8-sig", "replace")
    if candidate.kind in ("json", "notebook"):
        text = _unescaped(text)
    lines = text.split("\n")
    control = [f"line {at}" for at, line in enumerate(lines, 1) if _CONTROL.search(line)]
    if control:
        yield Finding("hidden", "stop", places(control), "control characters, in which anything may be hidden")
    unseen = [f"line {at}" for at, line in enumerate(lines, 1) if not line.isascii() and any(map(_unseen, line))]
    if unseen:
        yield Finding("hidden", "stop", places(unseen), "characters that nobody sees")
    encoded = [f"line {at}" for at, line in enumerate(lines, 1) if _ENCODED.search(line)]
    if encoded:
        yield Finding("hidden", "stop", places(encoded), "a long run of characters that may encode anything")
    long = [f"line {at}" for at, line in enumerate(lines, 1) if len(line) > _LONGEST]
    if candidate.kind == "text" and (long or len(lines) > _LINES):
        said = f"a text of more than {_LINES} lines, or {_LONGEST} characters in one, that is to be read whole"
        yield Finding("hidden", "look", places(long) or f"{len(lines)} lines", said)


def _unescaped(text: str) -> str:
    """JSON as its reader sees it: an escape for a character that nobody sees counts as one."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=0).replace("\\u", "\x00")
    except (ValueError, RecursionError):
        return "\n".join(line.replace("\\u00", "\x00").replace("\\u2", "\x00") for line in text.split("\n"))


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Co", "Cn", "Cs")


def _of_parquet(candidate: Candidate) -> Iterator[Finding]:
    import duckdb  # noqa: PLC0415  only here

    from .table import on_disk  # noqa: PLC0415

    with on_disk(candidate.content) as (con, path):
        try:
            keys = [bytes(key).decode("utf-8", "replace") for (key,) in con.execute(_KEYS, [path]).fetchall()]
            kinds = con.execute("DESCRIBE FROM read_parquet(?)", [path]).fetchall()
        except duckdb.Error as error:
            yield Finding("hidden", "stop", candidate.name, f"cannot be read: {str(error).partition(chr(10))[0]}")
            return
    kept = [repr(key) for key in keys if key not in ("ARROW:schema", "pandas")]
    if kept:
        yield Finding("hidden", "stop", places(kept), "Parquet's metadata hold more than what says how to read it")
    opaque = [f"column {at}" for at, (_, kind, *_) in enumerate(kinds, 1) if "BLOB" in kind or "GEOMETRY" in kind]
    if opaque:
        yield Finding("hidden", "stop", places(opaque), "columns of bytes, which nobody can read")
    nested = [f"column {at}" for at, (_, kind, *_) in enumerate(kinds, 1) if "(" in kind and "DECIMAL" not in kind]
    nested += [f"column {at}" for at, (_, kind, *_) in enumerate(kinds, 1) if kind.endswith("]")]
    if nested:
        yield Finding(
            "hidden", "look", places(nested), "columns of lists or records, whose values no other check reads"
        )


_KEYS = "SELECT key FROM parquet_kv_metadata(?)"

HIDDEN = Check(
    word="hidden",
    run=_run,
    good=(
        Example("t.csv", "région;n\nCœur d’Est;12\n".encode()),
        Example("t.json", '[{"region": "Île", "n": 12}]'.encode()),
        Example("notes.md", b"# Results\n\nAll is well.\n"),
    ),
    bad=(
        Example("t.csv", b"region;n\nEst\x03;12\n"),
        Example("t.csv", "region;n\nEst\u200b\u200d;12\n".encode()),
        Example("t.json", b'[{"region": "Est\\u200b", "n": 12}]'),
        Example("notes.md", b"QUJD" * 60),
        Example("notes.txt", b"7;8;9\n" * 300),
        Example("t.csv", b"region;n\nEst;12\nPK\x03\x04\x05;12\n"),
    ),
)
