"""What a steward reads in a terminal: tables of outcomes, of what waits, of schedules, and a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as Sheet
from rich.text import Text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from catalog.receipt import Changes, Receipt
    from ingest.held import Held
    from ingest.outcome import Outcome
    from ingest.schedule import Planned

_SHOWN_REJECTS = 10
_SHOWN_FILES = 20
_COLOURS = {"failed": "red", "held": "yellow", "refused": "yellow"}


def outcome_table(outcomes: Sequence[Outcome]) -> Sheet:
    """One line a resource: rows in, out and rejected, its editions, the seconds it took or what else became of it."""
    sheet = _sheet("dataset", "resource")
    for heading in ("rows in", "out", "rejects"):
        sheet.add_column(heading, justify="right", no_wrap=True)
    sheet.add_column("editions", min_width=7)
    sheet.add_column("seconds", justify="right", no_wrap=True)
    for outcome in outcomes:
        untold = outcome.status in {"failed", "refused"}
        counts = (outcome.rows_in, outcome.rows_out, outcome.rejected)
        sheet.add_row(
            outcome.dataset,
            outcome.resource,
            *("" if untold else _count(count) for count in counts),
            ", ".join(outcome.editions),
            f"{outcome.seconds:.2f}" if outcome.status == "ingested" else outcome.status,
            style=_COLOURS.get(outcome.status),
        )
    return sheet


def review_table(waiting: Mapping[tuple[str, str], Held]) -> Sheet:
    """One line a resource that waits: since when (UTC), why, and its rows and columns before and after."""
    sheet = _sheet("waits", "since (UTC)")
    for heading in ("rows", "columns"):
        sheet.add_column(heading, justify="right", no_wrap=True)
    sheet.add_column("why", overflow="fold")
    for (slug, name), held in waiting.items():
        read = held.receipt is not None
        added = "→" if held.receipt is None or held.receipt.mode == "snapshot" else "+"
        sheet.add_row(
            Text(f"{slug}.{name}"),
            _moment(held.since),
            f"{_count(held.rows_before)} {added} {_count(held.receipt.rows_out) if held.receipt is not None else '?'}",
            f"{len(held.columns_before)} → {len(held.columns) if read else '?'}",
            Text("\n".join(held.reasons)),
        )
    return sheet


def schedule_table(plan: Iterable[Planned], now: dt.datetime, zone: dt.tzinfo) -> Sheet:
    """One line a resource with a schedule: when it was last asked and when it is due, in the lab's time zone."""
    sheet = _sheet("resource", "refresh", "last asked", f"due ({zone})")
    for one in plan:
        last = "never" if one.last is None else _moment(one.last.when, zone)
        failed = "" if one.last is None or one.last.failures == 0 else f", failures: {one.last.failures}"
        due = "now" if one.due <= now else _moment(one.due, zone)
        sheet.add_row(Text(f"{one.slug}.{one.resource}"), one.refresh, last + failed, due)
    return sheet


def receipt_sheets(receipt: Receipt, proves: str, rejects_are: str) -> RenderableType:
    """A receipt as a steward reads it: where it came from, the proof, each column's type and why, the first rejects.

    `proves` says what it is the receipt of, `rejects_are` where all rejects lie.
    """
    facts = Sheet.grid(padding=(0, 2, 0, 0))
    for name, value in ("table", proves), *_facts(receipt):
        facts.add_row(Text(name, style="bold"), Text(value))
    columns = _sheet("column", "type")
    columns.add_column("nulls", justify="right", no_wrap=True)
    columns.add_column("markers")
    columns.add_column("why", overflow="fold")
    for column in receipt.columns:
        markers = ", ".join(f"{marker} {_count(often)}" for marker, often in column.markers.items())
        columns.add_row(Text(column.name), column.type, _count(column.nulls), Text(markers), Text(column.why))
    parts: list[RenderableType] = [facts, Text(), columns]
    if receipt.rejects:
        rejects = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
        rejects.add_column("line", justify="right", no_wrap=True)
        rejects.add_column("why it was rejected", overflow="fold")
        rejects.add_column("what it said", overflow="fold")
        for reject in receipt.rejects[:_SHOWN_REJECTS]:
            rejects.add_row(str(reject.line), Text(reject.reason), Text(reject.text))
        parts += [Text(), rejects]
        if receipt.rejected > _SHOWN_REJECTS:
            parts.append(Text(f"{_count(receipt.rejected)} in all, in {rejects_are}"))
    return Group(*parts)


def _facts(receipt: Receipt) -> Iterable[tuple[str, str]]:
    yield "source", receipt.source
    yield "fetched", f"{_moment(receipt.fetched)} UTC, {_count(receipt.bytes)} bytes"
    yield "sha256", receipt.sha256
    dialect = ", ".join(f"{key} {value!r}" for key, value in receipt.dialect.items() if value is not None)
    yield "format", f"{receipt.format}: {dialect}" if dialect else receipt.format
    yield "rows", f"{_count(receipt.rows_in)} in = {_count(receipt.rows_out)} out + {_count(receipt.rejected)} rejected"
    for file in receipt.files[:_SHOWN_FILES]:
        read = (
            f"{_count(file.rows_in)} in, {_count(file.rejected)} rejected" if file.rows_in is not None else "in before"
        )
        yield "file", f"{file.name}: {read}, sha256 {file.sha256}"
    if len(receipt.files) > _SHOWN_FILES:
        yield "files", f"{_count(len(receipt.files))} in all; --json has them"
    for note in receipt.notes:
        yield "note", note
    for check in receipt.quality:
        yield "quality", str(check)
    if receipt.changes is not None:
        yield "changed", _changed(receipt.changes)
    if receipt.rows_total is not None:
        told = (receipt.rows_before, receipt.rows_out, receipt.rows_replaced)
        before, added, replaced = map(_count, told)
        yield receipt.mode, f"{before} before + {added} − {replaced} replaced = {_count(receipt.rows_total)}"  # noqa: RUF001
    if receipt.accepted is not None:
        why = f": {receipt.accepted.why}" if receipt.accepted.why else ""
        yield "accepted", f"by {receipt.accepted.by}, {_moment(receipt.accepted.when)} UTC{why}"
        for reason in receipt.accepted.reasons:
            yield "", reason


def _changed(changes: Changes) -> str:
    noun = "row" if changes.rows_added == 1 else "rows"
    told = [f"{_count(changes.rows_added)} {noun} added, {_count(changes.rows_removed)} removed"]
    named = {
        "new columns": changes.columns_added,
        "columns gone": changes.columns_removed,
        "retyped": [f"{name} ({how})" for name, how in changes.columns_retyped.items()],
    }
    told += [f"{what}: {', '.join(names)}" for what, names in named.items() if names]
    return "; ".join(told)


def _sheet(*headings: str) -> Sheet:
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    for heading in headings:
        sheet.add_column(heading, no_wrap=True)
    return sheet


def _moment(when: dt.datetime, zone: dt.tzinfo | None = None) -> str:
    return f"{when if zone is None else when.astimezone(zone):%Y-%m-%d %H:%M}"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
