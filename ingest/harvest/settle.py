"""One dataset of a portal → what becomes of its file in the lab, and what is told of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.metadata import said
from ingest.harvest.drafting import draft_of
from ingest.harvest.edit import edited
from ingest.harvest.memory import Remembered
from ingest.harvest.merge import NOTHING, Change, merged
from ingest.harvest.report import Entry
from ingest.harvest.shelf import DRAFTS, Standing, sha256_of
from ingest.harvest.yamltext import descriptor_yaml, flow
from policies.errors import DocumentError, SourceError

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from ingest.harvest.draft import Draft, Values
    from ingest.harvest.memory import Memory
    from ingest.harvest.merge import Conflict
    from ingest.harvest.portals import Portal
    from ingest.harvest.record import Record
    from ingest.harvest.shelf import Shelf

_GONE = ("harvested", "gone")
_SHOWN = 60


@dataclass
class Settling:
    """The lab's side of a harvest: its files of a portal, and what is remembered of them. `dry` writes nothing."""

    portal: Portal
    memory: Memory
    shelf: Shelf
    dry: bool

    def settle(self, record: Record) -> Entry:
        """Draft the dataset, or bring the file that it stands in in step. What fails is an entry that says why."""
        known, standing = self.memory.known.get(record.identifier), self.shelf.standing.get(record.identifier)
        broken = self.shelf.broken_file(record.identifier, None if known is None else known.file)
        if standing is None and broken is not None:
            return Entry(what="failed", identifier=record.identifier, why=f"{broken}; mend or delete it")
        try:
            names = known.names if known is not None else _names_in(standing, record)
            draft = draft_of(
                record, self.shelf.taken - ({standing.path.stem} if standing is not None else set()), names
            )
            if standing is not None:
                return self._kept_in_step(draft, known, standing)
        except (SourceError, DocumentError, OSError) as error:
            return Entry(what="failed", identifier=record.identifier, why=str(error))
        if known is not None:
            return Entry(what="dismissed", identifier=record.identifier, title=_title(draft.values), file=known.file)
        return self._added(draft)

    def _added(self, draft: Draft) -> Entry:
        path = self.shelf.root / DRAFTS / f"{draft.slug}.yaml"
        text = descriptor_yaml(draft)
        self.shelf.taken.add(draft.slug)
        self._write(path, text)
        self._remember(draft, None, path, text, whole=True)
        return Entry(what="added", missing=draft.missing, **self._of(draft, path))

    def _kept_in_step(self, draft: Draft, known: Remembered | None, standing: Standing) -> Entry:
        text, same = standing.text, known is not None and known.sha256 == sha256_of(standing.text)
        untouched = known is not None and known.whole and same and not standing.adopted
        of = self._of(draft, standing.path)
        twice = self.shelf.twice.get(draft.values["harvested"]["identifier"])
        why = (
            "" if twice is None else f"it stands in {self.shelf.name(twice.path)} too, which is left alone: delete one"
        )
        if known is not None and known.values == draft.values and known.gone is None:
            self._remember(draft, known, standing.path, text, whole=known.whole and same)
            return Entry(what="unchanged", why=why, **of)
        ours = dict(known.values) if known is not None and untouched else standing.values()
        if untouched and known is not None and known.gone is not None:
            ours["harvested"] = {**ours["harvested"], "gone": known.gone.isoformat()}
        merge = merged(None if known is None else known.values, ours, draft.values, adopted=standing.adopted)
        if untouched:  # nothing of it is a steward's, so there is nothing to dispute
            merge.changes += [Change(one.path, one.ours, one.theirs) for one in merge.conflicts]
            merge.conflicts.clear()
        made = descriptor_yaml(draft) if untouched else edited(text, ours, merge.changes)
        if made is None:
            what = "; ".join(_told(change) for change in merge.changes)
            raise DocumentError(f"{standing.path}: its form lets nothing be changed by itself; change by hand: {what}")
        self._write(standing.path, made, before=text)
        whole = untouched or (known is None and made == descriptor_yaml(draft))
        self._remember(draft, known, standing.path, made, whole=whole)
        back = any(change.path == _GONE for change in merge.changes)
        return Entry(
            what="back" if back else "changed" if merge.changes else "unchanged",
            changes=tuple(_told(change) for change in merge.changes),
            conflicts=tuple(_disputed(conflict) for conflict in merge.conflicts),
            why=why,
            **of,
        )

    def vanished(self, seen: set[str]) -> list[str]:
        """The identifiers of those in the lab that the portal no longer lists in what was asked for."""
        return sorted(one for one in self.shelf.standing if one not in seen and self._in_scope(one))

    def in_scope(self) -> int:
        """How many of the lab's are of what was asked for, and not marked as gone."""
        there = (one for one in self.shelf.standing if self._in_scope(one))
        return sum(1 for one in there if self.gone_since(one) is None)

    def gone_since(self, identifier: str) -> str | None:
        """The day on which it was marked as gone, None if it is not."""
        known = self.memory.known.get(identifier)
        if known is not None:
            return None if known.gone is None else known.gone.isoformat()
        harvested = self.shelf.standing[identifier].values().get("harvested")
        since = harvested.get("gone") if isinstance(harvested, dict) else None
        return None if since is None else str(since)

    def gone_before(self, identifier: str, since: str) -> Entry:
        """What is told of a dataset that was marked before."""
        standing = self.shelf.standing[identifier]
        return Entry(what="gone", since=since, **self._in(identifier, standing, standing.values()))

    def mark(self, identifier: str, day: dt.date) -> Entry:
        """Write into the file of a dataset that the portal no longer lists since when that is so."""
        standing, known = self.shelf.standing[identifier], self.memory.known.get(identifier)
        values = standing.values()
        of = self._in(identifier, standing, values)
        others = () if known is None else tuple(one for one in known.scopes if one != self.portal.scope)
        if known is not None and others and self.portal.scope:
            self.memory.keep(known.model_copy(update={"scopes": others}))
            return Entry(what="unchanged", why="it is still in another part of the catalogue that is harvested", **of)
        change = Change(_GONE, NOTHING, day.isoformat())
        made = edited(standing.text, values, [change])
        if made is None:
            why = "it is gone upstream, and its form lets nothing be added by itself; write by hand"
            return Entry(what="failed", why=f"{standing.path}: {why}: {_told(change)}", **of)
        self._write(standing.path, made, before=standing.text)
        if known is not None:
            whole = known.whole and known.sha256 == sha256_of(standing.text)
            update = {"sha256": sha256_of(made), "gone": day, "whole": whole, "file": of["file"]}
            self.memory.keep(known.model_copy(update=update))
        return Entry(what="gone", changes=(_told(change),), **of)

    def _in_scope(self, identifier: str) -> bool:
        known = self.memory.known.get(identifier)
        return not self.portal.scope or (known is not None and self.portal.scope in known.scopes)

    def _remember(self, draft: Draft, known: Remembered | None, path: Path, text: str, *, whole: bool) -> None:
        before = known.scopes if known is not None else ()
        self.memory.keep(
            Remembered(
                identifier=draft.values["harvested"]["identifier"],
                scopes=tuple(sorted({*before, self.portal.scope})),
                file=self.shelf.name(path),
                sha256=sha256_of(text),
                whole=whole,
                values=draft.values,
                names={**(known.names if known is not None else {}), **draft.names},
            )
        )

    def _write(self, path: Path, text: str, before: str | None = None) -> None:
        if self.dry or text == before:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".yaml.new")
        part.write_bytes(text.encode())
        part.replace(path)

    def _in(self, identifier: str, standing: Standing, values: Values) -> dict[str, Any]:
        return {"identifier": identifier, "title": _title(values), "file": self.shelf.name(standing.path)}

    def _of(self, draft: Draft, path: Path) -> dict[str, Any]:
        return {
            "identifier": draft.values["harvested"]["identifier"],
            "title": _title(draft.values),
            "file": self.shelf.name(path),
        }


def _names_in(standing: Standing | None, record: Record) -> dict[str, str]:
    """The names of a record's links in a file, where they are not remembered: by their sources."""
    resources = {} if standing is None else standing.values().get("resources")
    found: dict[str, str] = {}
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        source = resource.get("source") if isinstance(resource, dict) else None
        for link in record.links:
            if source is not None and source == (dict(link.source) if link.source is not None else {"url": link.url}):
                found.setdefault(link.key, name)
    return found


def _title(values: Values) -> str | None:
    title = values.get("title")
    return said(title) if isinstance(title, dict) and title else None


def _told(change: Change) -> str:
    return f"{'.'.join(change.path)}: {_short(change.before)} → {_short(change.value)}"


def _disputed(conflict: Conflict) -> str:
    here, there = _short(conflict.ours), _short(conflict.theirs, 20 * _SHOWN)
    return f"{'.'.join(conflict.path)}: {conflict.why}; here {here}, there {there}"


def _short(value: Any, longest: int = _SHOWN) -> str:
    text = "nothing" if value is NOTHING else flow(value)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
