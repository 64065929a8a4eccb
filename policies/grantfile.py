"""Changes to the grants in a policy's YAML text: comments and layout stay. Pure.

Only the text of what changes is touched. What comes out is read again: it must say what the policy said, with the
change and nothing else, or DocumentError tells what to write by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from policies.document import parse_yaml
from policies.errors import DocumentError
from policies.model import Grant, Policy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path


def with_grant(text: str, path: Path, grant: Grant) -> str:
    """The text with one more grant, the last of them. Raises DocumentError."""
    policy = parse_yaml(text, path, Policy)
    wanted = policy.model_copy(update={"grants": (*policy.grants, grant)})
    line = grant_line(grant)
    return _changed(path, wanted, lambda: _added(text, line), f"add this below 'grants': - {line}")


def with_end(text: str, path: Path, place: int, day: dt.date) -> str:
    """The text in which the grant at that place (from 0) ends on `day`. Raises DocumentError."""
    policy = parse_yaml(text, path, Policy)
    ended = policy.grants[place].model_copy(update={"until": day})
    wanted = policy.model_copy(update={"grants": (*policy.grants[:place], ended, *policy.grants[place + 1 :])})
    by_hand = f"give grant {place + 1} this end: until: {day}"
    return _changed(path, wanted, lambda: _ended(text, place, day), by_hand)


def grant_line(grant: Grant) -> str:
    """A grant as one line of YAML."""
    purposes = "any" if grant.purposes == "any" else f"[{', '.join(grant.purposes)}]"
    told = {
        "to": json.dumps(grant.to) if ":" in grant.to else grant.to,
        "edition": grant.edition,
        "purposes": purposes,
        "from": grant.from_,
        "until": grant.until,
        "why": json.dumps(grant.why, ensure_ascii=False),
    }
    return "{" + ", ".join(f"{key}: {value}" for key, value in told.items() if value is not None) + "}"


def _changed(path: Path, wanted: Policy, change: Callable[[], str], by_hand: str) -> str:
    why = "it would say something else, too"
    try:
        made = change()
        if parse_yaml(made, path, Policy) == wanted:
            return made
    except DocumentError as error:
        why = str(error)
    except (yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError):
        pass
    raise DocumentError(f"{path}: is left as it is ({why}); {by_hand}")


def _added(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    grants = _grants(text)
    if grants is None:
        end = "" if text.endswith("\n") else newline
        return f"{text}{end}grants:{newline}  - {line}{newline}"
    if not grants.flow_style:
        at = _line_end(text, _end(text, grants))
        return f"{text[:at]}{newline}{' ' * grants.start_mark.column}- {line}{text[at:]}"
    start, end = grants.start_mark.index, grants.end_mark.index
    if not grants.value:
        return f"{text[:start].rstrip(' ')}{newline}  - {line}{text[end:]}"
    inside = text[start : end - 1].rstrip()
    comma = " " if inside.endswith(",") else ", "
    return f"{text[:start]}{inside}{comma}{line}{text[end - 1 :]}"


def _ended(text: str, place: int, day: dt.date) -> str:
    grants: Any = _grants(text)
    grant = grants.value[place]
    until = next((value for key, value in grant.value if key.value == "until"), None)
    if until is not None:
        return f"{text[: until.start_mark.index]}{day}{text[until.end_mark.index :]}"
    if grant.flow_style:
        end = grant.end_mark.index - 1
        inside = text[:end].rstrip()
        comma = " " if inside.endswith(",") else ", "
        return f"{inside}{comma}until: {day}{text[end:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    at = _line_end(text, _end(text, grant))
    return f"{text[:at]}{newline}{' ' * grant.start_mark.column}until: {day}{text[at:]}"


def _grants(text: str) -> Any:
    """The node of the grants; None where the key does not stand."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    return next((value for key, value in root.value if key.value == "grants"), None)


def _end(text: str, node: Any) -> int:
    """Where a node's text ends, without the line ends and comments after it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        end = node.start_mark.index + len(text[node.start_mark.index : end].rstrip())
    return end


def _line_end(text: str, at: int) -> int:
    """The end of the line, so that a comment on it stays there."""
    found = text.find("\n", at)
    if found < 0:
        return len(text)
    return found - 1 if text[found - 1] == "\r" else found
