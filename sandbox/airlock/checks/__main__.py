"""Inside the jail: check the file at /airlock/file as /airlock/facts.json says, and print what was found as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path

from . import Candidate, check
from .facts import Earlier, Facts
from .finding import Finding
from .kind import TEXTS, kind_of
from .table import UnreadableError, table_of

HERE = Path("/airlock")
_LINES = 12
_CELL = 40
_WIDE = 200


def main() -> None:
    """Each earlier release that can be read no more is told of: nothing was compared with it."""
    told = json.loads((HERE / "facts.json").read_bytes())
    earlier, found = [], []
    for number, name, digest in told["earlier"]:
        content = (HERE / "earlier" / str(number)).read_bytes()
        try:
            table = table_of(kind_of(name), content)
        except (UnreadableError, UnicodeDecodeError):
            table = None
        if hashlib.sha256(content).hexdigest() != digest:
            said = "an earlier release is not what was released: nothing was compared with it"
            found.append(Finding("differencing", "stop", f"release {number}", said))
        elif table is not None:
            earlier.append(Earlier(number, table))
    content = (HERE / "file").read_bytes()
    candidate, more = check(told["name"], content, Facts.of(told, tuple(earlier)))
    table = candidate.table
    answer = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "kind": candidate.kind,
        "rows": None if table is None else len(table.rows),
        "preview": _preview(candidate),
        "findings": [dataclasses.asdict(one) for one in (*found, *more)],
    }
    json.dump(answer, sys.stdout)


def _preview(candidate: Candidate) -> list[str]:
    """The first lines of a table or a text, for who looks at it in a terminal."""
    table = candidate.table
    if table is not None:
        rows = [table.columns, *table.rows[:_LINES]]
        return [" | ".join("" if cell is None else cell[:_CELL] for cell in row)[:_WIDE] for row in rows]
    if candidate.kind not in TEXTS:
        return []
    return [line[:_WIDE] for line in candidate.content.decode("utf-8", "replace").split("\n")[:_LINES]]


if __name__ == "__main__":
    main()
