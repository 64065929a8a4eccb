"""The commands of this room: `datalab query`, `serve`, `dcat`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from catalog import query
from catalog.dcat import graph
from catalog.entries import EVERYONE, entries
from catalog.output import Format, write
from catalog.settings import CatalogSettings
from catalog.web.serve import serve
from policies.errors import DatalabError

if TYPE_CHECKING:
    from catalog.lab import Lab

app = typer.Typer()


@app.command("query")
def query_command(
    ctx: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT, on views like communes.communes.")],
    as_: Annotated[
        str, typer.Option("--as", metavar="PRINCIPAL", help="everyone, user:NAME, group:NAME, or a user's NAME.")
    ] = "everyone",
    purpose: Annotated[str | None, typer.Option(help="What for: some grants hold for one purpose only.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="table for a person; the others write every row.")
    ] = Format.table,
) -> None:
    """Ask the lake in SQL, as a principal who sees the editions granted to it and nothing else."""
    lab: Lab = ctx.obj()
    con = query.connect(lab, lab.principals(as_), purpose=purpose)
    write(query.select(con, sql), form, sys.stdout.buffer, Console())


@app.command("serve")
def serve_command(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="0 takes any free port.", show_default="the one of datalab.toml")
    ] = None,
) -> None:
    """Show the catalogue on this machine until Ctrl-C: datasets, previews, downloads, and DCAT at /catalog.ttl."""
    serve(ctx.obj(), port, lambda url: typer.echo(f"{url}  (Ctrl-C stops)"))


@app.command("dcat")
def dcat_command(
    ctx: typer.Context,
    form: Annotated[str, typer.Option("--format", help="turtle or json-ld.")] = "turtle",
) -> None:
    """Print the DCAT-AP 3 catalogue of what everyone may see."""
    if form not in {"turtle", "json-ld"}:
        message = f"unknown format {form!r}; expected turtle or json-ld"
        raise typer.BadParameter(message)
    lab: Lab = ctx.obj()
    left_out: list[DatalabError] = []
    found = graph(lab.section("catalog", CatalogSettings), entries(lab, EVERYONE, left_out.append))
    typer.echo(found.serialize(format=form))
    if left_out:
        raise DatalabError("\n".join(str(error) for error in left_out))
