"""What JupyterLab asks of a kernel: run a cell, complete a word."""

from __future__ import annotations

from typing import Any

import duckdb
import lab  # type: ignore[import-not-found]
from ipykernel.kernelbase import Kernel

from .complete import completed
from .shown import CELLS_SHOWN, ROWS_SHOWN, as_html, as_text

_NAMES = (
    "SELECT table_schema, table_name, list(column_name ORDER BY ordinal_position) FROM information_schema.columns "
    "WHERE table_schema NOT IN ('information_schema', 'pg_catalog') GROUP BY ALL ORDER BY ALL"
)


class SqlKernel(Kernel):
    """SQL on what was granted, by the engine that `import lab` has."""

    implementation = "datalab-sql"
    implementation_version = "1"
    banner = "SQL (lab): FROM datasets"
    language_info = {
        "name": "sql",
        "mimetype": "text/x-sql",
        "codemirror_mode": "sql",
        "file_extension": ".sql",
    }

    async def do_execute(
        self,
        code: str,
        silent: bool,  # noqa: FBT001  as ipykernel calls it
        store_history: bool = True,  # noqa: ARG002, FBT001, FBT002  the same
        user_expressions: dict[str, Any] | None = None,  # noqa: ARG002  the same
        allow_stdin: bool = False,  # noqa: ARG002, FBT001, FBT002  the same
        *,
        cell_meta: dict[str, Any] | None = None,  # noqa: ARG002  the same
        cell_id: str | None = None,  # noqa: ARG002  the same
    ) -> dict[str, Any]:
        """Run one cell, and show its rows."""
        try:
            data = _answer(code) if code.strip().strip(";") else None
        except (duckdb.Error, LookupError, ValueError, RuntimeError) as error:
            return self._failed(type(error).__name__, str(error))
        except KeyboardInterrupt:
            return self._failed("Interrupted", "the query was stopped")
        if data is not None and not silent:
            content = {"data": data, "metadata": {}, "execution_count": self.execution_count}
            self.send_response(self.iopub_socket, "execute_result", content)  # type: ignore[no-untyped-call]
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """What the word at the cursor may become."""
        try:
            tables = {(schema, name): columns for schema, name, columns in lab.sql(_NAMES).fetchall()}
        except (duckdb.Error, LookupError, OSError):
            tables = {}
        matches, start = completed(code, cursor_pos, tables)
        return {"status": "ok", "matches": matches, "cursor_start": start, "cursor_end": cursor_pos, "metadata": {}}

    def _failed(self, name: str, said: str) -> dict[str, Any]:
        """What went wrong, without a traceback: that would be of our code."""
        error = {"ename": name, "evalue": said, "traceback": [said]}
        self.send_response(self.iopub_socket, "error", error)  # type: ignore[no-untyped-call]
        return {"status": "error", "execution_count": self.execution_count, **error}


def _answer(code: str) -> dict[str, str] | None:
    """What a cell shows, as text and as HTML; None of a statement without rows."""
    relation = lab.sql(code)
    if relation is None:
        return None
    columns = relation.columns[:CELLS_SHOWN]
    rows = relation.limit(ROWS_SHOWN + 1).fetchall()
    more, wider = len(rows) > ROWS_SHOWN, len(relation.columns) - len(columns)
    shown = [row[: len(columns)] for row in rows[:ROWS_SHOWN]]
    return {
        "text/plain": as_text(columns, shown, more=more, wider=wider),
        "text/html": as_html(columns, shown, more=more, wider=wider),
    }
