"""What is kept of a table for the comparisons with later ones: its counts by their positions, without its measures.

So a release is read once, when it is checked, and not again for each file that comes after it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .counts import Counted, counted

if TYPE_CHECKING:
    from .table import Table


def sketch(table: Table | None) -> str:
    """One line of JSON; of what is no table, a sketch without counts."""
    found = [] if table is None else counted(table)
    cells = list(found[0].counts) if found else []
    told = {
        "dimensions": found[0].dimensions if found else (),
        "cells": cells,
        "counts": [(one.column, [one.counts[cell] for cell in cells]) for one in found],
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def unsketched(text: str) -> tuple[Counted, ...]:
    """The columns of counts that a sketch tells. Raises ValueError for what is none."""
    try:
        told = json.loads(text)
        cells = [tuple(cell) for cell in told["cells"]]
        dimensions = tuple(told["dimensions"])
        return tuple(
            Counted(column, dimensions, dict(zip(cells, values, strict=True))) for column, values in told["counts"]
        )
    except (LookupError, TypeError) as error:
        raise ValueError(str(error)) from None
