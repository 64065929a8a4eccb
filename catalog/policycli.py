"""`datalab explain` and `datalab grants`: who may open what, and why."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from catalog.grants import explained, grants
from policies.errors import DatalabError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.grants import Explanation, Row
    from catalog.lab import Lab
    from policies.model import Grant

app = typer.Typer()

_DENIED = 1


@app.command("explain")
def explain_command(
    ctx: typer.Context,
    principal: Annotated[str, typer.Argument(help="everyone, user:NAME, group:NAME, or a user's NAME.")],
    what: Annotated[str, typer.Argument(metavar="DATASET[/EDITION]", help="An edition, or all of a dataset.")],
    purpose: Annotated[str | None, typer.Option(help="What for.", show_default="none is stated")] = None,
    on: Annotated[str | None, typer.Option(metavar="DATE", help="On which day.", show_default="today")] = None,
) -> None:
    """Say whether somebody may open an edition and why, with each grant that nearly matched and what of it failed.

    Exits with 0 if it is allowed (of a dataset: any edition), and with 1 if it is denied.
    """
    day = _today() if on is None else day_of(on, "--on")
    found = explained(ctx.obj(), principal, what, purpose=purpose, on=day)
    stated = "no purpose stated" if purpose is None else f"for {purpose}"
    for one in found:
        typer.echo(explanation_text(one, f"{principal} on {day}, {stated}"))
    if not any(one.decision.allow for one in found):
        raise typer.Exit(_DENIED)


def explanation_text(one: Explanation, asked: str) -> str:
    """The decision, then a line for each grant of the edition."""
    said = "allowed" if one.decision.allow else "denied"
    lines = [f"{one.dataset}/{one.edition}: {said} to {asked}"]
    if not one.grants:
        lines += [f"  {reason}" for reason in one.decision.reasons]
    for number, grant, missed in one.grants:
        holds = "holds" if not missed else f"does not hold: {'; '.join(missed)}"
        lines.append(f"  grant {number} to {grant.to} ({terms(grant)}) {holds}")
    return "\n".join(lines)


def terms(grant: Grant) -> str:
    """For what, from when, until when and why."""
    purposes = "any purpose" if grant.purposes == "any" else ", ".join(grant.purposes)
    start = "" if grant.from_ is None else f", from {grant.from_}"
    end = "" if grant.until is None else f", until {grant.until}"
    return f"{purposes}{start}{end}: {grant.why}"


@app.command("grants")
def grants_command(
    ctx: typer.Context,
    *,
    expiring: Annotated[str | None, typer.Option(metavar="DAYS", help="Those that end within: 30d.")] = None,
    to: Annotated[str | None, typer.Option(metavar="PRINCIPAL", help="To it, its groups and everyone.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Of this dataset.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """List what is granted to whom, for what and until when; a grant's number is its place in the policy."""
    lab: Lab = ctx.obj()
    today = _today()
    wrong: list[DatalabError] = []
    within = None if expiring is None else _days(expiring)
    found = list(grants(lab, today, dataset=dataset, to=to, within=within, left_out=wrong.append))
    if as_json:
        for row in found:
            typer.echo(json.dumps(row_dict(row, today), ensure_ascii=False))
    else:
        Console().print(grants_table(found, today))
    if wrong:
        raise DatalabError("\n".join(map(str, wrong)))


def row_dict(row: Row, today: dt.date) -> dict[str, object]:
    """All of a row."""
    told = row.grant.model_dump(mode="json", by_alias=True)
    return {"dataset": row.dataset, "number": row.number, **told, "state": row.state(today), "days_left": row.days}


def grants_table(rows: Sequence[Row], today: dt.date) -> Sheet:
    """One line a grant; what ends first is first, and what has ended is last."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("dataset", "no", "to", "edition", "for"):
        sheet.add_column(heading, overflow="fold")
    sheet.add_column("state", no_wrap=True)
    sheet.add_column("why", overflow="fold")
    for row in sorted(rows, key=lambda row: (row.days is not None and row.days <= 0, row.days is None, row.days or 0)):
        grant = row.grant
        purposes = "any" if grant.purposes == "any" else ", ".join(grant.purposes)
        cells = (row.dataset, str(row.number), grant.to, grant.edition, purposes, row.state(today), grant.why)
        sheet.add_row(*map(Text, cells))
    return sheet


def day_of(text: str, option: str) -> dt.date:
    """The day that an option names; raises UsageError."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: expected a day, like 2026-03-01") from None


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,5})d?", text)
    if found is None:
        raise UsageError(f"--expiring {text}: expected a number of days, like 30d")
    return int(found[1])


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()
