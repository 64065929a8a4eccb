"""What a harvest did, dataset by dataset: data for the table, for JSON, and for the exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

What = Literal["added", "changed", "back", "gone", "unchanged", "dismissed", "skipped", "failed"]
WORDS: tuple[What, ...] = ("added", "changed", "back", "gone", "unchanged", "dismissed", "skipped", "failed")
"""What may become of a dataset: in the order in which they are counted.

`back`: it was gone, and the portal lists it again. `dismissed`: its draft was deleted here, and no other is made.
`skipped`: it is listed, and is no dataset.
"""
_SHOWN = {"added", "changed", "back", "gone", "failed"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one thing that a catalogue lists, or listed.

    `file` is where it stands in the lab, `changes` what was written there, `conflicts` what was not and why, `missing`
    the keys that a steward must still say. `since` is the day on which it was first gone. A page that failed has no
    identifier.
    """

    what: What
    identifier: str | None = None
    title: str | None = None
    file: str | None = None
    changes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""
    since: str | None = None

    @property
    def shown(self) -> bool:
        """Whether it is news."""
        return (self.what in _SHOWN and not (self.what == "gone" and self.since)) or bool(self.conflicts)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a harvest of `scope` of a portal did, or, with `dry_run`, would have done.

    `incomplete` says why not all of the catalogue came: then nothing counts as gone. `refused` says why what is gone
    was not marked.
    """

    portal: str
    kind: str
    scope: str
    dry_run: bool
    entries: tuple[Entry, ...]
    incomplete: str = ""
    refused: str = ""

    @property
    def failed(self) -> bool:
        """Whether something could not be done."""
        return bool(self.refused) or any(entry.what == "failed" for entry in self.entries)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each, and the conflicts."""
        found = Counter(str(entry.what) for entry in self.entries)
        return {**{what: found[what] for what in WORDS}, "conflicts": sum(len(one.conflicts) for one in self.entries)}

    @property
    def summary(self) -> str:
        """`3 added, 1 changed, 0 gone, 6 unchanged, 0 failed`, and the rest where there is any."""
        always = {"added", "changed", "gone", "unchanged", "failed"}
        said = [f"{number} {what}" for what, number in self.counts.items() if number or what in always]
        return ", ".join(said)

    def as_json(self) -> dict[str, Any]:
        """All of it, as `--json` prints it."""
        return {
            "portal": self.portal,
            "kind": self.kind,
            "scope": self.scope,
            "dry_run": self.dry_run,
            "complete": not self.incomplete,
            "incomplete": self.incomplete,
            "refused": self.refused,
            "summary": self.counts,
            "datasets": [asdict(entry) for entry in self.entries],
        }
