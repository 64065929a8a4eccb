"""A submission as a steward reads it: the file, the checks, what it may be made of, and what was released before."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sandbox.airlock.outbox import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from sandbox.airlock.submission import Found, Submission

_COLOURS = {"stop": "bold red", "look": "yellow", "note": "dim"}
_ORDER = ("stop", "look", "note")
_RELEASE = re.compile(r"release (\d+)")


def listed(submissions: Sequence[Submission]) -> Table:
    """One line a submission."""
    sheet = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("no", "taken", "who", "file", "bytes", "state", "checks", "why"):
        sheet.add_column(heading, overflow="fold")
    for one in submissions:
        approved = f" ({len(one.approvals())} of {one.needed})" if one.state == "in review" else ""
        cells = (
            str(one.number),
            f"{one.taken:%Y-%m-%d}",
            one.user if one.direction == "out" else f"for {one.user}",
            one.name,
            str(one.size),
            one.state + approved,
            ", ".join(f"{found.check}: {found.severity}" for found in _gravest(one)) or "nothing found",
            one.why,
        )
        sheet.add_row(*(Text(plain(cell)) for cell in cells))
    return sheet


def shown(one: Submission, place: str, earlier: Sequence[Submission]) -> Group:
    """All that is known of it. `place` is where its bytes lie, `earlier` are the related releases, oldest first."""
    facts = (
        ("file", f"{one.name}, {one.size} bytes" + (f", {one.rows} rows" if one.rows is not None else "")),
        ("SHA-256", one.sha256),
        ("bytes at", place),
        ("from" if one.direction == "out" else "for", f"user:{one.user}, taken {one.taken:%Y-%m-%d %H:%M} UTC"),
        *([] if one.asker is None else [("asked by", one.asker)]),
        ("why", one.why),
        ("made of", ", ".join(one.editions) or "not said"),
        ("could read", ", ".join(one.could) or "nothing, by the audit log"),
        ("purpose", ", ".join(one.purposes) or "none stated"),
        ("state", f"{one.state}, {len(one.approvals())} of {one.needed} approvals"),
    )
    parts: list[RenderableType] = [Text(f"{name:<11}{plain(value)}") for name, value in facts]
    parts += [Text(""), *_checks(one), Text(""), *_words(one), Text(""), *_before(one, earlier)]
    return Group(*parts)


def beside(one: Submission, earlier: Sequence[Submission]) -> list[Submission]:
    """Which of the earlier releases stand side by side with a file: those that a check named, and the last one."""
    named = {int(number) for found in one.findings for number in _RELEASE.findall(found.place)}
    return [other for other in earlier if other.number in named or other is earlier[-1]]


def by_severity(one: Submission) -> list[Found]:
    """What was found, the gravest first."""
    return sorted(one.findings, key=lambda found: _ORDER.index(found.severity))


def _checks(one: Submission) -> list[RenderableType]:
    if one.state == "submitted":
        return [Text("checks     not run yet: datalab airlock collect")]
    if not one.findings:
        return [Text("checks     found nothing")]
    lines: list[RenderableType] = []
    for found in by_severity(one):
        lines.append(
            Text.assemble((f"{found.severity:<5}", _COLOURS[found.severity]), f"{found.check}: {plain(found.said)}")
        )
        if found.place:
            lines.append(Text(f"       {plain(found.place)}"))
    return lines


def _words(one: Submission) -> list[RenderableType]:
    return [
        Text(
            plain(
                f"{said.when:%Y-%m-%d %H:%M} {said.word} by {said.by} (account {said.account}): "
                f"{said.why}{_named(said.despite)}"
            )
        )
        for said in one.said
    ]


def _named(despite: Sequence[str]) -> str:
    return f" [despite {', '.join(despite)}]" if despite else ""


def _before(one: Submission, earlier: Sequence[Submission]) -> list[RenderableType]:
    """The earlier releases in a list; side by side with the file, those that a check named, and the last one."""
    if not earlier:
        return [*_side_by_side(one, ()), Text("nothing was released before out of these datasets")]
    sheet = Table("release", "when", "who", "file", "rows", "why", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for other in earlier:
        when = f"{other.said[-1].when:%Y-%m-%d}"
        rows = "" if other.rows is None else str(other.rows)
        cells = (str(other.number), when, other.user, other.name, rows, other.why)
        sheet.add_row(*(Text(plain(cell)) for cell in cells))
    return [*_side_by_side(one, beside(one, earlier)), Text("released before out of the same datasets:"), sheet]


def _side_by_side(one: Submission, others: Sequence[Submission]) -> list[RenderableType]:
    texts = [one, *(other for other in others if other.preview)]
    if not one.preview:
        return []
    sheet = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for each in texts:
        head = "this file" if each is one else f"release {each.number}"
        sheet.add_column(Text(plain(f"{head}: {each.name}")), overflow="fold")
    for lines in zip_longest(*(each.preview for each in texts), fillvalue=""):
        sheet.add_row(*(Text(plain(line)) for line in lines))
    return [sheet]


def _gravest(one: Submission) -> list[Found]:
    found: dict[str, Found] = {}
    for each in by_severity(one):
        found.setdefault(each.check, each)
    return [each for each in found.values() if each.severity != "note"]
