"""What CKAN should hold, and what it holds → the calls that make the one the other. Pure; a call is data.

Each call is whole in itself: a dataset is made or changed with all its resources, or not at all. A change says which
state of the dataset it was reckoned from (`metadata_modified`), and CKAN refuses it when a curator has been faster.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from catalog.ckan.package import MARK, OWNED_EXTRAS, OWNS, Catalogue, Wire
from policies.errors import RemoteError

Kind = Literal["organisation", "group", "dataset"]
What = Literal["create", "update", "reactivate", "delete", "unchanged"]

_WORDS: dict[What, str] = {
    "create": "created",
    "update": "updated",
    "unchanged": "unchanged",
    "delete": "deleted",
    "reactivate": "reactivated",
}
_LISTS = ("extras", "tags", "groups", "resources")
_DELETED_WITHOUT_ASKING = 0.1


@dataclass(frozen=True)
class Action:
    """What is to become of one thing: `changes` names what differs, `call` is CKAN's action, empty when unchanged."""

    kind: Kind
    name: str
    what: What
    changes: tuple[str, ...] = ()
    call: str = ""
    data: Wire = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Actions in the order to take them: CKAN silently drops a group that does not exist yet from a dataset."""

    actions: tuple[Action, ...]

    @property
    def todo(self) -> tuple[Action, ...]:
        """The actions that write."""
        return tuple(action for action in self.actions if action.what != "unchanged")

    @property
    def deletes_too_many(self) -> bool:
        """Whether more than one dataset, and more than a tenth of those there, would be deleted.

        So it looks when the lake is missing or the wrong lab was named.
        """
        datasets = Counter(action.what for action in self.actions if action.kind == "dataset")
        there = datasets["update"] + datasets["unchanged"] + datasets["delete"]
        return datasets["delete"] > max(1, _DELETED_WITHOUT_ASKING * there)

    @property
    def summary(self) -> str:
        """`3 created, 0 updated, 6 unchanged, 0 deleted`; reactivated ones are counted when there are any."""
        counts = Counter(action.what for action in self.actions)
        return ", ".join(
            f"{counts[what]} {word}" for what, word in _WORDS.items() if what != "reactivate" or counts[what]
        )


def plan(ours: Catalogue, theirs: Catalogue, *, delete: bool = True) -> Plan:
    """What to do so that CKAN, which holds `theirs`, holds `ours`.

    `theirs` must have what stands there under any name or id of ours, deleted or not, and every dataset with our mark.
    Without `delete`, datasets that are no longer ours stay. Raises RemoteError if another dataset has a name of ours.
    """
    _refuse_taken_names(ours, theirs)
    actions = [
        _group("organisation", made, theirs.organisations.get(name)) for name, made in ours.organisations.items()
    ]
    actions += [_group("group", made, theirs.groups.get(name)) for name, made in ours.groups.items()]
    ids = {made["id"]: theirs.organisations.get(name, made)["id"] for name, made in ours.organisations.items()}
    for key, made in ours.datasets.items():
        actions.append(_dataset({**made, "owner_org": ids[made["owner_org"]]}, theirs.datasets.get(key)))
    if delete:
        actions += [
            Action("dataset", held["name"], "delete", call="package_delete", data={"id": key})
            for key, held in theirs.datasets.items()
            if key not in ours.datasets and held["state"] == "active" and _is_of(held, ours)
        ]
    return Plan(tuple(actions))


def _refuse_taken_names(ours: Catalogue, theirs: Catalogue) -> None:
    names = {made["name"] for made in ours.datasets.values()}
    taken = [
        f"{held['name']} ({held['state']}, id {held['id']})"
        for key, held in theirs.datasets.items()
        if key not in ours.datasets and held["name"] in names
    ]
    if taken:
        raise RemoteError(
            f"CKAN already has other datasets with these names: {', '.join(sorted(taken))}; nothing was written. "
            "Rename or purge them there, or rename ours here; if they are of an earlier [ckan] organisation, set that"
        )


def _is_of(held: Wire, ours: Catalogue) -> bool:
    """Whether a dataset is ours to delete: a curator's copy of one has our mark, but not an id we derived."""
    return _extras(held).get(MARK) in ours.organisations and _is_derived(held["id"])


def _is_derived(key: str) -> bool:
    """Whether `package.stable_id` may have made this id: those that CKAN makes itself are random (version 4)."""
    try:
        return uuid.UUID(key).version == 5  # noqa: PLR2004
    except ValueError:
        return False


def _group(kind: Kind, ours: Wire, theirs: Wire | None) -> Action:
    """An organisation or group. One that somebody else made is used as it is."""
    room = "organization" if kind == "organisation" else "group"
    if theirs is None:
        return Action(kind, ours["name"], "create", call=f"{room}_create", data=ours)
    is_ours = _extras(theirs).get(MARK) == _extras(ours)[MARK]
    changed = {"title": ours["title"]} if is_ours and theirs["title"] != ours["title"] else {}
    deleted = theirs["state"] != "active"
    if not changed and not deleted:
        return Action(kind, ours["name"], "unchanged")
    data = {"id": theirs["id"], **changed, "state": "active"}
    return Action(
        kind, ours["name"], "reactivate" if deleted else "update", tuple(changed), call=f"{room}_patch", data=data
    )


def _dataset(ours: Wire, theirs: Wire | None) -> Action:
    if theirs is None:
        return Action("dataset", ours["name"], "create", call="package_create", data=ours)
    wanted = _merged(ours, theirs)
    changes = [(name, name) for name in ours if name not in _LISTS and not _same(ours[name], theirs.get(name))]
    changes += [("extras", key) for key in _differing(_extras(wanted), _extras(theirs))]
    changes += [(part, part) for part in ("tags", "groups") if _names(wanted[part]) != _names(theirs[part])]
    before, after = _by_id(theirs), _by_id(wanted)
    labels = {**before, **after}
    changes += [("resources", f"resource {labels[key]['name']}") for key in _differing(after, before)]
    if not changes:
        return Action("dataset", ours["name"], "unchanged")
    fields = dict.fromkeys(part for part, _ in changes)
    data = {
        "match": {"id": theirs["id"], "metadata_modified": theirs["metadata_modified"]},
        # CKAN merges a list into the one that stands, by position, unless that is taken away first
        "filter": [f"-{part}" for part in fields if part in _LISTS],
        "update": {part: wanted[part] for part in fields},
        "include": ["+package__id", "-*"],
    }
    what: What = "reactivate" if theirs["state"] == "deleted" else "update"
    said = tuple(label for part, label in changes if part != "state" and label != OWNS)
    return Action("dataset", ours["name"], what, said, call="package_revise", data=data)


def _merged(ours: Wire, theirs: Wire) -> Wire:
    """Our dataset with the curator's own extras, tags, groups, resources and fields of resources."""
    owned = _owned(theirs)
    keys, held = {resource["id"] for resource in ours["resources"]}, _by_id(theirs)
    return {
        **ours,
        "extras": ours["extras"] + [extra for extra in theirs["extras"] if extra["key"] not in OWNED_EXTRAS],
        **{part: _with_others(ours[part], theirs[part], owned.get(part, [])) for part in ("tags", "groups")},
        "resources": [{**held.get(resource["id"], {}), **resource} for resource in ours["resources"]]
        + [one for one in theirs["resources"] if one["id"] not in keys and not _was_put(one)],
    }


def _was_put(resource: Wire) -> bool:
    """Whether we have put this resource: a curator's has another kind of id, and a copy of ours has one too."""
    return "datalab_version" in resource and _is_derived(resource["id"])


def _with_others(ours: list[Wire], theirs: list[Wire], owned: list[str]) -> list[Wire]:
    """Our tags or groups, and those there that we never put: `owned` are the names that we did put."""
    known = {*owned, *_names(ours)}
    return ours + [one for one in theirs if one["name"] not in known]


def _owned(theirs: Wire) -> dict[str, list[str]]:
    """The names of the tags and groups that we have put; nothing if somebody has spoilt the extra that says so."""
    try:
        read = json.loads(_extras(theirs).get(OWNS, "{}"))
    except ValueError:
        return {}
    if not isinstance(read, dict):
        return {}
    return {part: [str(name) for name in names] for part, names in read.items() if isinstance(names, list)}


def _extras(held: Wire) -> dict[str, str]:
    return {extra["key"]: extra["value"] for extra in held.get("extras", [])}


def _names(held: list[Wire]) -> set[str]:
    return {one["name"] for one in held}


def _by_id(held: Wire) -> dict[str, Wire]:
    return {resource["id"]: resource for resource in held["resources"]}


def _differing(after: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """The keys whose values differ; CKAN says '' or None for what is not there, and so do we."""
    keys = dict.fromkeys([*after, *before])
    return [key for key in keys if not _same(after.get(key), before.get(key))]


def _same(after: object, before: object) -> bool:
    if isinstance(after, dict) and isinstance(before, dict):
        return not _differing(after, before)
    return after == before or (after in ("", None) and before in ("", None))
