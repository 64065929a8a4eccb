"""A YAML text → its nodes, with their lines, and what they say: YAML 1.2's core schema, each key once.

`NO` is text, `01001` is text, and so is a date. What is repeated by an alias is made once, and looked at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's core schema and without duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_CoreLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|)$"), ["~", "n", ""])
_CoreLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
_CoreLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"),
    list("-+0123456789"),
)


_FastLoader: Any = type(
    "_FastLoader",
    (getattr(yaml, "CSafeLoader", yaml.SafeLoader),),
    {"yaml_implicit_resolvers": _CoreLoader.yaml_implicit_resolvers},
)
"""The same by libyaml, where PyYAML was built with it: a dozen times as fast."""

_DEEPEST = 200
"""Documents that may nest deeper are left to the other loader: libyaml's composing would overflow the stack."""

_INDENTED = re.compile(r"(?:^|[\n\r\x85\u2028\u2029])[ \t?:\ufeff-]*")
"""What stands on a line before a block's first key or item: indentation, and the signs of the blocks around it."""


def composed(text: str) -> yaml.Node | None:
    """The document's nodes, None if it is empty; what libyaml refuses is read again by the loader that says more."""
    try:
        return yaml.compose(text, Loader=_FastLoader if _depth(text) <= _DEEPEST else _CoreLoader)
    except (yaml.YAMLError, UnicodeEncodeError):
        return yaml.compose(text, Loader=_CoreLoader)


def _depth(text: str) -> int:
    """At most how deep a document nests: by a bracket each, and twice by each column in which a block can start."""
    columns = max(map(len, _INDENTED.findall(text)), default=0)
    return text.count("[") + text.count("{") + 2 * (columns + 1)


def constructed(root: yaml.Node) -> Any:
    """What a document says: as YAML's own constructor has it, which takes five times as long, and knows more tags."""
    try:
        return _plain(root, {})
    except (KeyError, ValueError):
        return _CoreLoader("").construct_document(root)


def _plain(node: yaml.Node, made: dict[int, Any]) -> Any:
    """What a node of the core schema's tags says; raises KeyError for another tag. What is repeated is made once."""
    if isinstance(node, yaml.ScalarNode):
        return _SCALARS[node.tag](node.value)
    known = made.get(id(node))
    if known is None:
        kind = _COLLECTIONS[node.tag]
        if kind is dict:
            known = {_plain(key, made): _plain(value, made) for key, value in node.value}
        else:
            known = [_plain(item, made) for item in node.value]
        made[id(node)] = known
    return known


_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": {"true": True, "false": False}.__getitem__,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}
_COLLECTIONS = {"tag:yaml.org,2002:map": dict, "tag:yaml.org,2002:seq": list}


def refuse_duplicates(path: Path | str, node: yaml.Node, looked_at: set[int]) -> None:
    """Raise DocumentError for a key that stands twice; `looked_at` are the nodes that need not be looked at again."""
    if id(node) in looked_at:  # an alias: nine lists of nine of nine … are looked at once each
        return
    looked_at.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise DocumentError(f"{path}:{key.start_mark.line + 1}: a key must be plain text")
            if key.value in seen:
                message = f"{path}:{key.start_mark.line + 1}: the key {key.value!r} stands twice"
                raise DocumentError(message)
            seen.add(key.value)
            refuse_duplicates(path, value, looked_at)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            refuse_duplicates(path, item, looked_at)


def line_of(root: yaml.Node, loc: tuple[int | str, ...]) -> int:
    """The 1-based line of the deepest part of `loc` that stands in the document."""
    node, line = root, root.start_mark.line + 1
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == step:
                    node, line = value, key.start_mark.line + 1
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
