"""A YAML or TOML file that a person writes → a checked, frozen pydantic model; every error with file and line.

The YAML read here is YAML 1.2's core schema, not 1.1's: `NO` is text, `01001` is text, a date is text until the model
says otherwise. A key that stands twice, or that the model does not know, is an error.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from policies.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails


class Model(BaseModel):
    """The base of everything read from a file: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, coerce_numbers_to_str=True)


class PlacedError(ValueError):
    """What a model's own check found wrong, and where: the keys that lead from the model to it."""

    def __init__(self, message: str, *place: int | str) -> None:
        """`place` is as `"k", "over", 2`; nothing where the model as a whole is wrong."""
        super().__init__(message)
        self.place = place


M = TypeVar("M", bound=BaseModel)


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


def read_yaml(path: Path, model: type[M]) -> M:
    """Read `path` as one `model`; raises DocumentError naming file and line of what is wrong first.

    All keys that are missing are named at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"{path}: no such file"
        raise DocumentError(message) from None
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read as UTF-8 text: {error}"
        raise DocumentError(message) from None
    return parse_yaml(text, path, model)


def parse_yaml(text: str, path: Path | str, model: type[M]) -> M:
    """The model that a YAML text is; `path` names it in errors. Raises DocumentError."""
    made: M = _parsed(text, path, model)
    return made


@lru_cache(maxsize=4)  # one reading asks for the same descriptor several times
def _parsed(text: str, path: Path | str, model: type[BaseModel]) -> Any:
    try:
        root = _composed(text)
        if root is None:
            message = f"{path}:1: the file is empty"
            raise DocumentError(message)
        _refuse_duplicates(path, root, set())
        data = _data(root)
    except RecursionError:
        raise DocumentError(f"{path}:1: is nested too deeply; a document has a few levels") from None
    except TypeError as error:
        raise DocumentError(f"{path}:1: not a document of plain keys and values: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        message = f"{path}:{line}: not valid YAML: {getattr(error, 'problem', None) or error}"
        raise DocumentError(message) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A misspelt key explains a missing one, so unknown keys are named first
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        if first["type"] == "missing":
            raise DocumentError(_missing(path, root, error.errors())) from None
        message = f"{path}:{_line_of(root, (*first['loc'], *_further(first)))}: {_explain(first, model)}"
        raise DocumentError(message) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; raises DocumentError naming the file (and the line, which tomllib puts in its message)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{path}: no such file"
        raise DocumentError(message) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: not valid TOML: {error}"
        raise DocumentError(message) from None


def check_section(path: Path, name: str, values: Mapping[str, Any], model: type[M]) -> M:
    """Check the section `[name]` of a settings file against its model; raises DocumentError naming both."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        message = f"{path}: [{name}] {_explain(error.errors()[0], model)}"
        raise DocumentError(message) from None


def suggest(word: str, known: list[str]) -> str:
    """The tail of an error on an unknown `word`: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"


def line_of(path: Path, *place: int | str) -> int:
    """The 1-based line of `place`, as `"grants", 2, "to"`, in a YAML document that was read before."""
    root = _composed(path.read_text(encoding="utf-8"))
    return 1 if root is None else _line_of(root, place)


def _composed(text: str) -> yaml.Node | None:
    """The document's nodes, None if it is empty; what libyaml refuses is read again by the loader that says more."""
    try:
        return yaml.compose(text, Loader=_FastLoader if _depth(text) <= _DEEPEST else _CoreLoader)
    except (yaml.YAMLError, UnicodeEncodeError):
        return yaml.compose(text, Loader=_CoreLoader)


def _depth(text: str) -> int:
    """At most how deep a document nests: by a bracket each, and twice by each column in which a block can start."""
    columns = max(map(len, _INDENTED.findall(text)), default=0)
    return text.count("[") + text.count("{") + 2 * (columns + 1)


def _data(root: yaml.Node) -> Any:
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


def _refuse_duplicates(path: Path | str, node: yaml.Node, looked_at: set[int]) -> None:
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
            _refuse_duplicates(path, value, looked_at)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item, looked_at)


def _line_of(root: yaml.Node, loc: tuple[int | str, ...]) -> int:
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


def _further(error: ErrorDetails) -> tuple[int | str, ...]:
    """Where, within what it looked at, a model's own check found the error."""
    found = error.get("ctx", {}).get("error")
    return found.place if isinstance(found, PlacedError) else ()


def _missing(path: Path | str, root: yaml.Node, errors: list[ErrorDetails]) -> str:
    """All keys that are missing, those of one place in one line."""
    keys: dict[int, list[str]] = {}
    for error in errors:
        if error["type"] == "missing":
            keys.setdefault(_line_of(root, error["loc"]), []).append(repr(_place(error)))
    return "\n".join(
        f"{path}:{line}: {', '.join(found)} {'is' if len(found) == 1 else 'are'} missing"
        for line, found in sorted(keys.items())
    )


def _place(error: ErrorDetails) -> str:
    # pydantic names the model of a union that was tried (`HttpSource`), which stands in no document
    return ".".join(str(step) for step in error["loc"] if step != "[key]" and not str(step).endswith("Source"))


def _explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    place = _place(error)
    if error["type"] == "extra_forbidden":
        unknown = str(error["loc"][-1])
        return f"unknown key {place!r}; {suggest(unknown, _known_keys(model, error['loc']))}"
    if error["type"] == "missing":
        return f"{place!r} is missing"
    said = error["msg"].removeprefix("Value error, ")
    given = error.get("input")
    shown = (
        f", not {given!r}"
        if isinstance(given, str | int | float | bool) and "not" not in said and repr(given) not in said
        else ""
    )
    return f"{place!r}: {said}{shown}" if place else said


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that stand beside the unknown one, found by its path through the model's JSON Schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    nodes = [schema]

    def opened(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return opened(definitions[node["$ref"].rsplit("/", 1)[-1]])
        branches = [*node.get("anyOf", []), *node.get("oneOf", [])]
        return [deep for branch in branches for deep in opened(branch)] or [node]

    nodes = opened(schema)
    for step in loc[:-1]:
        deeper: list[dict[str, Any]] = []
        for node in nodes:
            if isinstance(step, int):
                child = node.get("items")
            else:
                others = next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))
                child = node.get("properties", {}).get(step, others)
            if isinstance(child, dict):
                deeper += opened(child)
        nodes = deeper or nodes  # a step that names a union's branch leads nowhere: stay
    return sorted({key for node in nodes for key in node.get("properties", {})})
