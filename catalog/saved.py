"""What the lab has saved that asks its tables: `queries/*.sql`, `dashboards/*.yaml`, and the notebooks' cells."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from catalog.lab import Lab

_MOST = 10_000_000
"""Bytes: a longer file is not looked at."""
_NAMED = re.compile(r"\b([a-z][a-z0-9_]*)(?:@([a-z0-9_]+))?\.([a-z][a-z0-9_]*)\b")


@dataclass(frozen=True)
class Saved:
    """A text that may be SQL, and where it stands: the file in the lab, and the place in it."""

    file: str
    place: str
    text: str


class Named(NamedTuple):
    """What looks like the name of a table: `dataset.resource`, or `dataset@edition.resource`."""

    dataset: str
    edition: str | None
    resource: str


def saved(lab: Lab) -> Iterator[Saved]:
    """Every text in the lab's queries, dashboards and notebooks that may be SQL, or name a table or a column.

    A file that cannot be read is told by nobody here: its own door says so.
    """
    readers = (("queries", "*.sql", _query), ("dashboards", "*.yaml", _dashboard), ("notebooks", "*.ipynb", _notebook))
    for room, pattern, read in readers:
        for path in sorted((lab.root / room).rglob(pattern)):
            if not path.is_file() or path.stat().st_size > _MOST:
                continue
            try:
                text = path.read_text(encoding="utf-8")
                yield from (Saved(str(path.relative_to(lab.root)), place, one) for place, one in read(text))
            except (OSError, ValueError, RecursionError, yaml.YAMLError, AttributeError, TypeError, KeyError):
                continue


def named(texts: Iterable[Saved]) -> dict[str, frozenset[Named]]:
    """The tables that each file names: a name counts in SQL, and in `lab.table("…")`."""
    found: dict[str, set[Named]] = {}
    for one in texts:
        found.setdefault(one.file, set()).update(
            Named(dataset, edition or None, resource)
            for dataset, edition, resource in _NAMED.findall(one.text.replace('"', ""))
        )
    return {file: frozenset(tables) for file, tables in found.items()}


def _query(text: str) -> Iterator[tuple[str, str]]:
    yield "", text


def _dashboard(text: str) -> Iterator[tuple[str, str]]:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    stack = [] if node is None else [node]
    while stack:
        held = stack.pop()
        if isinstance(held, yaml.ScalarNode):
            yield f"line {held.start_mark.line + 1}", held.value
        elif isinstance(held, yaml.SequenceNode):
            stack += held.value
        elif isinstance(held, yaml.MappingNode):
            stack += [value for _, value in held.value]


def _notebook(text: str) -> Iterator[tuple[str, str]]:
    """The texts in the code of each cell; of a cell that is no Python (`%%sql`), all of it after its first line."""
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        place = f"cell {number}"
        try:
            tree = ast.parse(source)
        except SyntaxError:
            yield place, source.partition("\n")[2] if source.startswith("%%") else source
            continue
        for node in ast.walk(tree):
            yield from ((place, one) for one in _texts(node))


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts that a piece of code holds, also those with holes in them, and the names of columns it may take."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts: list[Any] = [one.value if isinstance(one, ast.Constant) else "?" for one in node.values]
        yield "".join(map(str, parts))
    elif isinstance(node, ast.Attribute):
        yield node.attr
