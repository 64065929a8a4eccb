"""The commands by which an edition is asked for, granted, refused and taken back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from catalog import requesting
from catalog.policycli import day_of, terms
from policies.audit.origin import account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.requests import Request

app = typer.Typer()

Number = Annotated[int, typer.Argument(metavar="N", min=1, help="The request's number.")]
Why = Annotated[str, typer.Option(help="Why: the agreement's reference; it stands in the policy and the audit log.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who says so.", show_default="your account")]


@app.command("request")
def request_command(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="DATASET/EDITION", help="The edition that is asked for.")],
    as_: Annotated[str, typer.Option("--as", metavar="USER", help="Who asks; users stand in datalab.toml.")],
    purpose: Annotated[str, typer.Option(help="What for: one word, like etude-eau.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="The first day on which it is no longer needed.")],
    why: Why,
) -> None:
    """Ask a steward for an edition; prints the request's number."""
    day = day_of(until, "--until")
    made = requesting.ask(ctx.obj(), as_, what, purpose=purpose, until=day, why=why)
    typer.echo(f"request {made.number}: {made.who} asks for {what}; a steward grants or refuses it")


@app.command("requests")
def requests_command(
    ctx: typer.Context,
    *,
    whole: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """List the requests that wait for a steward."""
    found = [one for one in requesting.requests_of(ctx.obj()).all() if whole or one.state == "asked"]
    if as_json:
        for one in found:
            typer.echo(json.dumps(one.model_dump(mode="json"), ensure_ascii=False))
    elif not found:
        typer.echo("no request waits")
    else:
        Console().print(requests_table(found))


def requests_table(found: Sequence[Request]) -> Sheet:
    """One line a request."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("no", "asked", "who", "edition", "for", "until", "state"):
        sheet.add_column(heading, overflow="fold")
    sheet.add_column("why", overflow="fold")
    for one in found:
        state = one.state if one.by is None else f"{one.state} by {one.by}: {one.reason}"
        edition = f"{one.dataset}/{one.edition}"
        cells = (
            str(one.number),
            f"{one.asked:%Y-%m-%d}",
            one.who,
            edition,
            one.purpose,
            str(one.until),
            state,
            one.why,
        )
        sheet.add_row(*map(Text, cells))
    return sheet


@app.command("grant")
def grant_command(
    ctx: typer.Context,
    number: Number,
    why: Why,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Another end.", show_default="the one asked for")
    ] = None,
    by: By = None,
) -> None:
    """Grant what was asked: writes the grant into the dataset's policy, whose comments and layout stay."""
    day = None if until is None else day_of(until, "--until")
    made, given = requesting.grant(ctx.obj(), number, by=by or account(), why=why, until=day)
    typer.echo(f"granted: {made.dataset}/{made.edition} to {given.to} for {terms(given)}")


@app.command("refuse-request")
def refuse_command(ctx: typer.Context, number: Number, why: Why, by: By = None) -> None:
    """Refuse what was asked."""
    made = requesting.close(ctx.obj(), number, "refused", by=by or account(), why=why)
    typer.echo(f"refused: request {made.number} of {made.who} for {made.dataset}/{made.edition}")


@app.command("withdraw-request")
def withdraw_command(
    ctx: typer.Context,
    number: Number,
    as_: Annotated[str, typer.Option("--as", metavar="USER", help="Who asked.")],
    why: Why = "no longer needed",
) -> None:
    """Take back a request of one's own."""
    made = requesting.close(ctx.obj(), number, "withdrawn", by=as_.removeprefix("user:"), why=why)
    typer.echo(f"withdrawn: request {made.number}")


@app.command("revoke")
def revoke_command(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    which: Annotated[str, typer.Argument(metavar="N|PRINCIPAL", help="A grant's number, or to whom: all of theirs.")],
    why: Why,
    by: By = None,
) -> None:
    """End a grant today: its end is written into the policy, whose comments and layout stay."""
    for gone in requesting.revoke(ctx.obj(), dataset, which, by=by or account(), why=why):
        typer.echo(f"revoked: {dataset}/{gone.edition} to {gone.to}, granted for {terms(gone)}")
