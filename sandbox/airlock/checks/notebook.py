"""A notebook leaves as what its author wrote: no output, attachment, widget, or what else a tool kept in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .candidate import Candidate, Check, Example
from .finding import Finding, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .facts import Facts

_OF_NOTEBOOK = frozenset({"cells", "metadata", "nbformat", "nbformat_minor"})
_OF_METADATA = frozenset({"kernelspec", "language_info"})
_OF_CELL = frozenset({"cell_type", "id", "source", "metadata", "outputs", "execution_count"})


def _run(candidate: Candidate, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001  as all checks
    if candidate.kind != "notebook":
        return
    try:
        told = json.loads(candidate.content)
        cells, extra = told["cells"], sorted(set(told) - _OF_NOTEBOOK)
        extra += [f"metadata.{key}" for key in sorted(set(told["metadata"]) - _OF_METADATA)]
        outputs, attached = [], []
        for at, cell in enumerate(cells, 1):
            outputs += [f"cell {at}"] if cell.get("outputs") else []
            attached += [f"cell {at}"] if cell.get("attachments") else []
            extra += [f"cell {at}, {key}" for key in sorted(_beside(cell))]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        yield Finding("notebook", "stop", candidate.name, "is no notebook of format 4")
        return
    if outputs:
        said = "the notebook holds outputs; clear them, and release tables and figures as files of their own"
        yield Finding("notebook", "stop", places(outputs), said)
    if attached:
        yield Finding("notebook", "stop", places(attached), "the notebook holds attached files")
    if extra:
        said = "the notebook holds what tools kept in it; its metadata may say the kernel and the language"
        yield Finding("notebook", "stop", places(extra), said)


def _beside(cell: dict[str, Any]) -> set[str]:
    """The keys of a cell that may hold more than its source."""
    return (set(cell) - _OF_CELL - {"attachments"}) | {f"metadata.{key}" for key in cell["metadata"] if key != "tags"}


def _notebook(**changes: Any) -> bytes:
    code: dict[str, Any] = {"cell_type": "code", "id": "a", "source": "1", "metadata": {}, "outputs": []}
    told: dict[str, Any] = {"cells": [{**code, **changes}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(told).encode()


NOTEBOOK = Check(
    word="notebook",
    run=_run,
    good=(Example("study.ipynb", _notebook()),),
    bad=(
        Example("study.ipynb", _notebook(outputs=[{"output_type": "stream", "name": "stdout", "text": "a row"}])),
        Example("study.ipynb", _notebook(attachments={"a.png": {"image/png": "iVBO"}})),
        Example("study.ipynb", _notebook(metadata={"kept": "a row"})),
        Example("study.ipynb", _notebook().replace(b'"metadata": {}, "nbf', b'"metadata": {"widgets": 1}, "nbf')),
        Example("study.ipynb", b"[]"),
    ),
)
