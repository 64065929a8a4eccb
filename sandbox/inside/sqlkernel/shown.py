"""Rows → what a cell shows: a table in HTML, and the same as text. Pure; every text is escaped, and cut."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS_SHOWN = 500
CELLS_SHOWN = 100
_LONGEST = 300
_TEXT_ROWS = 40
_TEXT_CELL = 40


def as_html(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, more: bool, wider: int) -> str:
    """A table. `more` says that there are rows beyond, `wider` how many columns are not shown."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    note = html.escape(_note(len(rows), more=more, wider=wider))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{note}</p>"


def as_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, more: bool, wider: int) -> str:
    """The first rows in columns, for a notebook that is read without JupyterLab."""
    texts = [[_cut(name, _TEXT_CELL) for name in columns]]
    texts += [["NULL" if value is None else _cut(_said(value), _TEXT_CELL) for value in row] for row in rows]
    shown = texts[: _TEXT_ROWS + 1]
    widths = [max(len(line[at]) for line in shown) for at in range(len(columns))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in shown]
    cut = more or len(texts) > len(shown)
    return "\n".join([*lines, _note(min(len(rows), _TEXT_ROWS), more=cut, wider=wider)])


def _cell(value: Any) -> str:
    if value is None:
        return '<td style="opacity: .6"><em>NULL</em></td>'
    align = ' style="text-align: right"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return f"<td{align}>{html.escape(_cut(_said(value), _LONGEST))}</td>"


def _said(value: Any) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def _cut(text: str, most: int) -> str:
    flat = " ".join(text.split("\n"))
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def _note(rows: int, *, more: bool, wider: int) -> str:
    said = f"the first {rows} rows" if more else f"{rows} row{'' if rows == 1 else 's'}"
    return said + (f"; {wider} more columns" if wider else "")
