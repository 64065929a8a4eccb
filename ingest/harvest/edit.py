"""Changes to a YAML file that a person wrote: only the text of what changes is touched, comments and form stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from ingest.harvest.draft import KEYS, Values
from ingest.harvest.merge import NOTHING, with_changes
from ingest.harvest.yamltext import entry, flow, resource_entry, values_of
from policies.errors import DatalabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.harvest.merge import Change


def edited(text: str, values: Values, changes: Sequence[Change]) -> str | None:
    """The text with the changes; None if it cannot be had without touching more.

    `values` are what the text says. What comes out is read again, and says that with the changes and nothing else.
    """
    made, expected = text, values
    for change in changes:
        try:
            made = _with(made, expected, change)
            expected = with_changes(expected, [change])
            if values_of(made, "edited") != expected:
                return None
        except (yaml.YAMLError, DatalabError, LookupError, TypeError, AttributeError, ValueError):
            return None
    return made


def _with(text: str, values: Values, change: Change) -> str:
    """The text with one change."""
    parent: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    is_flow = False
    said: Any = values
    for step in change.path[:-1]:
        parent = _value(parent, step)
        is_flow = is_flow or parent.flow_style
        said = said[step]
    if not isinstance(parent, yaml.MappingNode):
        raise TypeError
    key = change.path[-1]
    pair = next((pair for pair in parent.value if pair[0].value == key), None)
    if is_flow or parent.flow_style:
        return _in_flow(text, parent, said, change)
    column = parent.start_mark.column
    lines = _lines(change, column)
    if pair is None:
        return _inserted(text, parent, change, lines)
    start, end = pair[0].start_mark.index, _end(text, pair[1])
    if change.value is NOTHING:
        start = text.rindex("\n", 0, start) + 1 if "\n" in text[:start] else 0
        rest = text[end:]
        return text[:start] + (rest.partition("\n")[2] if "\n" in rest else "")
    return text[:start] + lines.lstrip() + text[end:]


def _value(node: yaml.Node, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


def _lines(change: Change, column: int) -> str:
    """The key and its value, indented to the column."""
    if change.value is NOTHING:
        return ""
    *above, key = change.path
    made = resource_entry(key, change.value) if above == ["resources"] else entry(key, change.value)
    return "\n".join(" " * column + line if line else line for line in made.split("\n"))


def _in_flow(text: str, parent: yaml.MappingNode, said: Any, change: Change) -> str:
    """A change within `{…}`: a new key comes last, a value is replaced, and without a key all is written again."""
    start, end = parent.start_mark.index, parent.end_mark.index
    key = change.path[-1]
    pair = next((pair for pair in parent.value if pair[0].value == key), None)
    if change.value is NOTHING:
        return text[:start] + flow({name: value for name, value in said.items() if name != key}) + text[end:]
    if pair is not None:
        return text[: pair[1].start_mark.index] + flow(change.value) + text[pair[1].end_mark.index :]
    inside = text[start : end - 1].rstrip()
    comma = ", " if parent.value and not inside.endswith(",") else " " if parent.value else ""
    return text[:start] + inside + comma + flow({key: change.value})[1:-1] + text[end - 1 :]


def _inserted(text: str, parent: yaml.MappingNode, change: Change, lines: str) -> str:
    """A new key of a block: where its order says, and in the place of the comment that says it is to do."""
    key = change.path[-1]
    if len(change.path) == 1:
        found = re.search(rf"^# to do: {re.escape(key)}:[^\n]*$", text, re.MULTILINE)
        if found is not None:
            return text[: found.start()] + lines + text[found.end() :]
    before = [
        pair
        for pair in parent.value
        if key not in KEYS or pair[0].value not in KEYS or _comes_before(pair[0].value, key)
    ]
    if len(change.path) > 1 or not before:
        before = parent.value
    at = _end(text, before[-1][1])
    line_end = text.find("\n", at)
    line_end = len(text) if line_end < 0 else line_end
    return text[:line_end] + "\n" + lines + text[line_end:]


def _comes_before(other: str, key: str) -> bool:
    return KEYS.index(other) < KEYS.index(key)


def _end(text: str, node: yaml.Node) -> int:
    """Where a value's text ends, without the line ends and comments that come after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        end = node.start_mark.index + len(text[node.start_mark.index : end].rstrip())
    return end
