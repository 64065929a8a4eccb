"""One thing as it should be, and as CKAN holds it → the call that makes the one the other. Pure; a call is data.

Each call is whole in itself: a dataset is made or changed with all its resources, or not at all. A change says which
state of the dataset it was reckoned from (`metadata_modified`), and CKAN refuses it when a curator has been faster.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from catalog.ckan.names import MARK, OWNS, is_derived
from catalog.ckan.package import OWNED_EXTRAS

if TYPE_CHECKING:
    from catalog.ckan.facts import Wire

Kind = Literal["organisation", "group", "dataset", "table"]
What = Literal["create", "update", "reactivate", "delete", "unchanged"]

ROOMS: dict[Kind, str] = {"organisation": "organization", "group": "group", "dataset": "package"}
"""What CKAN calls them in the names of its actions."""

_LISTS = ("extras", "tags", "groups", "resources")


@dataclass(frozen=True)
class Action:
    """What is to become of one thing: `changes` names what differs, `call` is CKAN's action, empty when unchanged.

    `key` is its id or, of an organisation or a group, its name; `wanted` what it should be, None if it is to be gone.
    """

    kind: Kind
    name: str
    what: What
    changes: tuple[str, ...] = ()
    call: str = ""
    data: Wire = field(default_factory=dict)
    key: str = ""
    wanted: Wire | None = None


def again(action: Action, held: Wire | None) -> Action:
    """The action reckoned anew from what CKAN holds now; `unchanged` if what was asked has been done already."""
    if action.wanted is None:
        done = held is None or held["state"] == "deleted"
        return Action(action.kind, action.name, "unchanged", key=action.key) if done else action
    if action.kind == "dataset":
        return dataset(action.wanted, held)
    return group(action.kind, action.wanted, held)


def group(kind: Kind, ours: Wire, theirs: Wire | None) -> Action:
    """What to do for an organisation or group. One that somebody else made is used as it is."""
    room, name = ROOMS[kind], ours["name"]
    if theirs is None:
        return Action(kind, name, "create", call=f"{room}_create", data=ours, key=name, wanted=ours)
    is_ours = extras_of(theirs).get(MARK) == extras_of(ours)[MARK]
    changed = {"title": ours["title"]} if is_ours and theirs["title"] != ours["title"] else {}
    deleted = theirs["state"] != "active"
    if not changed and not deleted:
        return Action(kind, name, "unchanged", key=name, wanted=ours)
    data = {"id": theirs["id"], **changed, "state": "active"}
    what: What = "reactivate" if deleted else "update"
    return Action(kind, name, what, tuple(changed), f"{room}_patch", data, name, ours)


def dataset(ours: Wire, theirs: Wire | None) -> Action:
    """What to do for a dataset that should be there."""
    key, name = ours["id"], ours["name"]
    if theirs is None:
        said = ("private",) if ours["private"] else ()
        return Action("dataset", name, "create", said, "package_create", ours, key, ours)
    wanted = _merged(ours, theirs)
    changes = [(part, part) for part in ours if part not in _LISTS and not _same(ours[part], theirs.get(part))]
    changes += [("extras", one) for one in _differing(extras_of(wanted), extras_of(theirs))]
    changes += [(part, part) for part in ("tags", "groups") if _names(wanted[part]) != _names(theirs[part])]
    before, after = _by_id(theirs), _by_id(wanted)
    labels = {**before, **after}
    changes += [("resources", f"resource {labels[one]['name']}") for one in _differing(after, before)]
    if not changes:
        return Action("dataset", name, "unchanged", key=key, wanted=ours)
    parts = dict.fromkeys(part for part, _ in changes)
    data = {
        "match": {"id": theirs["id"], "metadata_modified": theirs["metadata_modified"]},
        # CKAN merges a list into the one that stands, by position, unless that is taken away first
        "filter": [f"-{part}" for part in parts if isinstance(wanted[part], list)],
        "update": {part: wanted[part] for part in parts},
        "include": ["+package__id", "-*"],
    }
    what: What = "reactivate" if theirs["state"] == "deleted" else "update"
    told = tuple(label for part, label in changes if part != "state" and label != OWNS)
    return Action("dataset", name, what, told, "package_revise", data, key, ours)


def extras_of(held: Wire) -> dict[str, str]:
    """The extras by their keys."""
    return {extra["key"]: extra["value"] for extra in held.get("extras", [])}


def was_put(resource: Wire) -> bool:
    """Whether we have put this resource: a curator's has another kind of id, and so has a copy of ours."""
    return is_derived(resource["id"]) and ("uri" in resource or "datalab_version" in resource)


def _merged(ours: Wire, theirs: Wire) -> Wire:
    """Our dataset with the curator's own extras, tags, groups, resources and fields of resources."""
    owned = _owned(theirs)
    keys, held = {resource["id"] for resource in ours["resources"]}, _by_id(theirs)
    return {
        **ours,
        "extras": ours["extras"] + [extra for extra in theirs["extras"] if extra["key"] not in OWNED_EXTRAS],
        **{part: _with_others(ours[part], theirs[part], owned.get(part, [])) for part in ("tags", "groups")},
        "resources": [{**held.get(resource["id"], {}), **resource} for resource in ours["resources"]]
        + [one for one in theirs["resources"] if one["id"] not in keys and not was_put(one)],
    }


def _with_others(ours: list[Wire], theirs: list[Wire], owned: list[str]) -> list[Wire]:
    """Our tags or groups, and those there that we never put: `owned` are the names that we did put."""
    known = {*owned, *_names(ours)}
    return ours + [one for one in theirs if one["name"] not in known]


def _owned(theirs: Wire) -> dict[str, list[str]]:
    """The names of the tags and groups that we have put; nothing if somebody has spoilt the extra that says so."""
    try:
        read = json.loads(extras_of(theirs).get(OWNS, "{}"))
    except ValueError:
        return {}
    if not isinstance(read, dict):
        return {}
    return {part: [str(name) for name in names] for part, names in read.items() if isinstance(names, list)}


def _names(held: list[Wire]) -> set[str]:
    return {one["name"] for one in held}


def _by_id(held: Wire) -> dict[str, Wire]:
    return {resource["id"]: resource for resource in held["resources"]}


def _differing(after: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """The keys whose values differ."""
    keys = dict.fromkeys([*after, *before])
    return [key for key in keys if not _same(after.get(key), before.get(key))]


def _same(after: object, before: object) -> bool:
    """Whether two values say the same; CKAN says '', [] or None for what is not there, and so do we."""
    if isinstance(after, dict) and isinstance(before, dict):
        return not _differing(after, before)
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return all(_same(one, other) for one, other in zip(after, before, strict=True))
    return after == before or (after in ("", None, []) and before in ("", None, []))
