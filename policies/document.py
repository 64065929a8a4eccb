"""A YAML or TOML file that a person writes → a checked, frozen pydantic model; every error with file and line.

The YAML read here is YAML 1.2's core schema, not 1.1's: `NO` is text, `01001` is text, a date is text until the model
says otherwise. A key that stands twice, or that the model does not know, is an error.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from policies.errors import DocumentError
from policies.yamlnodes import composed, constructed, refuse_duplicates
from policies.yamlnodes import line_of as node_line

if TYPE_CHECKING:
    from collections.abc import Mapping
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
        root = composed(text)
        if root is None:
            message = f"{path}:1: the file is empty"
            raise DocumentError(message)
        refuse_duplicates(path, root, set())
        data = constructed(root)
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
        message = f"{path}:{node_line(root, (*first['loc'], *_further(first)))}: {_explain(first, model)}"
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
    root = composed(path.read_text(encoding="utf-8"))
    return 1 if root is None else node_line(root, place)


def _further(error: ErrorDetails) -> tuple[int | str, ...]:
    """Where, within what it looked at, a model's own check found the error."""
    found = error.get("ctx", {}).get("error")
    return found.place if isinstance(found, PlacedError) else ()


def _missing(path: Path | str, root: yaml.Node, errors: list[ErrorDetails]) -> str:
    """All keys that are missing, those of one place in one line."""
    keys: dict[int, list[str]] = {}
    for error in errors:
        if error["type"] == "missing":
            keys.setdefault(node_line(root, error["loc"]), []).append(repr(_place(error)))
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
