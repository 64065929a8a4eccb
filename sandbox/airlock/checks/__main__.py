"""Inside the jail: check the file at /airlock/file as /airlock/facts.json says.

Prints what was found as JSON on one line, and the sketch of its table on the next.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import Candidate, check
from .facts import Earlier, Facts
from .kind import TEXTS
from .sketch import sketch, unsketched

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path("/airlock")
_LINES = 12
_CELL = 40
_WIDE = 200


class _Earlier:
    """The sketches of earlier releases, one a line: `NUMBER SKETCH`. One is in memory at a time."""

    def __iter__(self) -> Iterator[Earlier]:
        with (HERE / "earlier").open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                number, _, text = line.partition(" ")
                yield Earlier(int(number), unsketched(text))


def main() -> None:
    """An earlier sketch that cannot be read ends it: nothing would have been compared with it."""
    told = json.loads((HERE / "facts.json").read_bytes())
    content = (HERE / "file").read_bytes()
    candidate, findings = check(told["name"], content, Facts.of(told, _Earlier()))
    table = candidate.table
    answer = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "kind": candidate.kind,
        "rows": None if table is None else len(table.rows),
        "preview": _preview(candidate),
        "findings": [dataclasses.asdict(one) for one in findings],
    }
    said = f"{json.dumps(answer)}\n{sketch(table)}"
    # A JSON text may hold half a surrogate pair; written as its escape it stays JSON
    sys.stdout.buffer.write(said.encode("utf-8", "backslashreplace"))


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
