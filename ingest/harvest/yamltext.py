"""A draft as the YAML that a steward reads: in the manner of `examples/normandie`, with what is to do as comments.

Read again it is the draft's values, to the last sign: that is tried before it is given.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import RootModel

from ingest.harvest.draft import KEYS, Draft, Note, Values
from policies.document import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_WIDE = 110  # signs that a mapping on one line may have
_LONG = 90  # signs from which a text is folded
_BLOCK = frozenset({"description", "provenance", "licence_note"})
_KINDS = {"missing": "to do", "guessed": "guessed", "told": "note"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WIDEST = 10**9
_NUMBER_LIKE = re.compile(r"|(?=.*[0-9])[-+0-9.,_:eExXoOTZ]+|[0-9]+[A-Za-z][0-9A-Za-z]*")


def values_of(text: str, path: Path | str) -> Values:
    """What a descriptor's YAML says, unchecked but for its being a mapping. Raises DocumentError with the line."""
    return copy.deepcopy(parse_yaml(text, path, RootModel[dict[str, Any]]).root)  # what is read may be kept, and shared


def descriptor_yaml(draft: Draft) -> str:
    """The draft's YAML: its keys in their usual order, what is missing in its place, and why."""
    made = _written(draft, checked=False)
    return made if _read(made) == draft.values else _written(draft, checked=True)


def _written(draft: Draft, *, checked: bool) -> str:
    lines: list[str] = [*_comments(draft.notes, ())]
    for key in (*KEYS, *(one for one in draft.values if one not in KEYS)):
        place = (key,)
        said = [note for note in draft.notes if note.place == place]
        if key in draft.values:
            lines += _comments([note for note in said if note.kind != "missing"], place)
            lines += [entry(key, draft.values[key], draft.notes, checked=checked)]
        else:
            missing = [note for note in said if note.kind == "missing"]
            why = "; ".join(_one_line(note.what) for note in missing)
            if key in draft.missing or missing:
                lines.append(f"# to do: {key}: {why or 'say it'}")
            lines += _comments([note for note in said if note.kind != "missing"], place)
    return "\n".join(lines) + "\n"


def entry(key: str, value: Any, notes: Sequence[Note] = (), *, checked: bool = True) -> str:
    """One key of a descriptor with its value, as lines without a line end; the notes on resources stand among them.

    `checked`: it is read again, and written in quotes if it does not say the value. It takes a while.
    """
    if key != "resources" or not isinstance(value, dict) or not value:
        return _dumped({key: value}, fold=key in _BLOCK, checked=checked)
    lines = ["resources:"]
    for name, resource in value.items():
        lines += [f"  {line}" for line in _comments([one for one in notes if one.place == (key, name)], (key, name))]
        lines.append(_indented(resource_entry(name, resource, checked=checked), 2))
    made = "\n".join(lines)
    return made if not checked or _read(made) == {key: value} else _dumped({key: value})


def resource_entry(name: str, resource: Any, *, checked: bool = True) -> str:
    """One resource, a key a line; its columns a line each."""
    if not isinstance(resource, dict) or not resource:
        return _dumped({name: resource}, checked=checked)
    lines = [f"{_scalar(name)}:"]
    for key, value in resource.items():
        if key == "columns" and isinstance(value, dict) and value:
            lines.append("  columns:")
            lines += [_indented(_dumped({column: said}, checked=checked), 4) for column, said in value.items()]
        else:
            lines.append(_indented(_dumped({key: value}, fold=key in _BLOCK, checked=checked), 2))
    return "\n".join(lines)


def flow(value: Any) -> str:
    """The value on one line."""
    made: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=_WIDEST, sort_keys=False
    )
    return made.removesuffix("\n").removesuffix("\n...")


def _comments(notes: Sequence[Note], place: tuple[str, ...]) -> Iterator[str]:
    for note in notes:
        if note.place == place:
            yield f"# {_KINDS[note.kind]}: {_one_line(note.what)}"


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _scalar(text: str) -> str:
    return flow({text: 0}).removeprefix("{").removesuffix(": 0}") if text else '""'


def _dumped(value: Values, *, fold: bool = False, checked: bool = True) -> str:
    """The mapping in block style, its values on one line where they fit; texts are folded if `fold`."""
    for style in (True, False) if fold else (False,):
        made: str = yaml.dump(
            _Block({key: _styled(one, fold=style) for key, one in value.items()}),
            Dumper=_Dumper,
            allow_unicode=True,
            width=_WIDE if style else _WIDEST,
            sort_keys=False,
        )
        made = made.removesuffix("\n")
        if not checked or _read(made) == value:
            return made
    made = yaml.dump(_Block(value), Dumper=_Quoting, allow_unicode=False, width=_WIDEST, sort_keys=False)
    return made.removesuffix("\n")


def _read(text: str) -> Any:
    try:
        return values_of(text, "draft")
    except Exception:  # noqa: BLE001  whatever it does not read is not written so
        return None


def _styled(value: Any, *, fold: bool) -> Any:
    if isinstance(value, dict):
        if fold and any(isinstance(one, str) and (len(one) > _LONG or "\n" in one) for one in value.values()):
            return _Block({key: _styled(one, fold=True) for key, one in value.items()})
        return value if not fold or len(flow(value)) <= _WIDE else _Block(value)
    if fold and isinstance(value, str):
        return _Literal(value) if "\n" in value else _Folded(value) if len(value) > _LONG else value
    return value


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line if line else line for line in text.split("\n"))


class _Block(dict[str, Any]):
    """A mapping, a key a line."""


class _Folded(str):
    __slots__ = ()


class _Literal(str):
    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Collections on one line but for _Block; dates plain, as YAML 1.2's core schema has none."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


class _Quoting(_Dumper):
    """Every text in quotes and in ASCII, whatever signs it has."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None
    if _DAY.fullmatch(value):
        return yaml.ScalarNode("tag:yaml.org,2002:timestamp", value)
    if isinstance(value, _Folded):
        style = ">"
    elif isinstance(value, _Literal):
        style = "|"
    node = dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style=style)
    if style is None and node.style is None and _quoted(str(value)):
        node.style = '"'
    return node


def _quoted(value: str) -> bool:
    """Codes and what another reader might take for a number, a word of YAML 1.1 or an address with a colon: quoted."""
    if _NUMBER_LIKE.fullmatch(value) is not None or "://" in value:
        return True
    return "'" in value and any(sign in value for sign in ":#,[]{}&*!|>%@`")  # else in single quotes, the own one twice


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Folded, _text)
_Dumper.add_representer(_Literal, _text)
_Dumper.add_representer(
    _Block, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=False)
)
_Dumper.add_representer(
    dict, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)
)
_Dumper.add_representer(
    list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)
_Quoting.add_representer(str, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))
