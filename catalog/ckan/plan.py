"""What CKAN should hold, and what it holds → the calls that make the one the other, in their order. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.ckan import merge
from catalog.ckan.datastore import push, taken_away
from catalog.ckan.merge import Action, What, extras_of
from catalog.ckan.names import MARK, PUSHED, is_derived
from policies.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.ckan.datastore import Table
    from catalog.ckan.facts import Wire
    from catalog.ckan.package import Catalogue

_WORDS: dict[What, str] = {
    "create": "created",
    "update": "updated",
    "unchanged": "unchanged",
    "delete": "deleted",
    "reactivate": "reactivated",
}
_DELETED_WITHOUT_ASKING = 0.1


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
        """Whether more than a tenth of the lab's datasets there would be deleted.

        So it looks when the lake is missing or the wrong lab was named.
        """
        datasets = Counter(action.what for action in self.actions if action.kind == "dataset")
        there = datasets["update"] + datasets["unchanged"] + datasets["delete"]
        return datasets["delete"] > _DELETED_WITHOUT_ASKING * there

    @property
    def summary(self) -> str:
        """`3 created, 0 updated, 6 unchanged, 0 deleted`; reactivated ones are counted when there are any."""
        counts = Counter(action.what for action in self.actions)
        return ", ".join(
            f"{counts[what]} {word}" for what, word in _WORDS.items() if what != "reactivate" or counts[what]
        )


def plan(ours: Catalogue, theirs: Catalogue, tables: Mapping[str, Table] | None = None, *, delete: bool = True) -> Plan:
    """What to do so that CKAN, which holds `theirs`, holds `ours`, and its DataStore `tables`, by their resource's id.

    `theirs` must have what stands there under any name or id of ours, deleted or not, and every dataset with our mark.
    Without `delete`, datasets that are no longer ours stay. Raises RemoteError if another dataset has a name of ours.
    """
    _refuse_taken_names(ours, theirs)
    pushed = tables or {}
    return Plan(
        (
            *(
                merge.group("organisation", made, theirs.organisations.get(name))
                for name, made in ours.organisations.items()
            ),
            *(merge.group("group", made, theirs.groups.get(name)) for name, made in ours.groups.items()),
            *_tables_to_take_away(ours, theirs, pushed, delete=delete),
            *_datasets(ours, theirs, pushed, delete=delete),
            *(push(table, _resource(theirs, table)) for table in pushed.values()),
        )
    )


def _refuse_taken_names(ours: Catalogue, theirs: Catalogue) -> None:
    names = {made["name"] for made in ours.datasets.values()}
    taken = [
        f"{held['name']} ({held['state']}, id {held['id']})"
        for key, held in theirs.datasets.items()
        if key not in ours.datasets and held["name"] in names and held["state"] != "deleted"
    ]
    if taken:
        raise RemoteError(
            f"CKAN already has other datasets with these names: {', '.join(sorted(taken))}; nothing was written. "
            "Rename or delete them there, or rename ours here; if they are of an earlier [ckan] organisation, set that"
        )


def _datasets(ours: Catalogue, theirs: Catalogue, tables: Mapping[str, Table], *, delete: bool) -> Iterator[Action]:
    ids = {made["id"]: theirs.organisations.get(name, made)["id"] for name, made in ours.organisations.items()}
    for key, made in ours.datasets.items():
        held = theirs.datasets.get(key)
        pushed = {one["id"] for one in (held or {}).get("resources", []) if one.get(PUSHED)}
        emptied = pushed - tables.keys()
        resources = [{**one, PUSHED: None} if one["id"] in emptied else one for one in made["resources"]]
        yield merge.dataset({**made, "owner_org": ids[made["owner_org"]], "resources": resources}, held)
    for held in _gone(ours, theirs) if delete else ():
        key = held["id"]
        yield Action("dataset", held["name"], "delete", call="package_delete", data={"id": key}, key=key)


def _tables_to_take_away(
    ours: Catalogue, theirs: Catalogue, tables: Mapping[str, Table], *, delete: bool
) -> Iterator[Action]:
    """The tables that we have pushed and that are not to be there; those of datasets that stay, whatever else."""
    kept = (held for key, held in theirs.datasets.items() if key in ours.datasets)
    for held in (*kept, *(_gone(ours, theirs) if delete else ())):
        for resource in held["resources"]:
            if resource.get(PUSHED) and resource["id"] not in tables:
                yield taken_away(held, resource)


def _gone(ours: Catalogue, theirs: Catalogue) -> Iterator[Wire]:
    """The datasets that are ours to delete: a curator's copy of one has our mark, but not an id we derived."""
    for key, held in theirs.datasets.items():
        ours_once = extras_of(held).get(MARK) in ours.organisations and is_derived(held["id"])
        if key not in ours.datasets and held["state"] == "active" and ours_once:
            yield held


def _resource(theirs: Catalogue, table: Table) -> Wire | None:
    """The resource that a table is to hang on, as CKAN holds it; None if it has it not yet."""
    held = theirs.datasets.get(table.package_id)
    found = [] if held is None else [one for one in held["resources"] if one["id"] == table.resource_id]
    return found[0] if found else None
