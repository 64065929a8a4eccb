"""The commands of this room: `datalab query`, `serve`, `dcat`, `publish`, `schema`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Sheet
from rich.text import Text

from catalog import query
from catalog.ckan.publish import publish, settings_for
from catalog.entries import EVERYONE, entries
from catalog.feed import feed
from catalog.output import Format, write
from catalog.schema import Document, json_schema
from catalog.settings import CatalogSettings
from catalog.web.serve import serve
from policies.errors import DatalabError

if TYPE_CHECKING:
    from catalog.ckan.plan import Plan
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
    shown = entries(lab, EVERYONE, left_out.append)
    told = feed(lab.section("catalog", CatalogSettings), shown, "ttl" if form == "turtle" else "jsonld")
    for piece in told:
        sys.stdout.buffer.write(piece)
    if left_out:
        raise DatalabError("\n".join(str(error) for error in left_out))


@app.command("publish")
def publish_command(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and write nothing.")] = False,
    allow_deletions: Annotated[
        bool, typer.Option("--allow-deletions", help="Delete even more than a tenth of the lab's datasets there.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(help="The CKAN to publish to.", envvar="DATALAB_CKAN_URL", show_default="url of [ckan]"),
    ] = None,
) -> None:
    """Publish to CKAN what everyone may see: shows the plan, then carries it out.

    The token, a sysadmin's, is read from $DATALAB_CKAN_TOKEN, or the variable that datalab.toml names instead.
    """
    lab: Lab = ctx.obj()
    settings = settings_for(lab, url)
    console = Console(stderr=True)
    with console.status("reading CKAN") as status:
        made, left_out = publish(
            lab,
            settings,
            lambda plan: Console().print(plan_table(plan)),
            lambda action, done, total: status.update(f"{done} of {total}: {action.kind} {action.name}"),
            dry_run=dry_run,
            allow_deletions=allow_deletions,
        )
    typer.echo(f"nothing written; it would be: {made.summary}" if dry_run else made.summary)
    if left_out:
        raise DatalabError("\n".join([*map(str, left_out), "these were left as they are in CKAN, and none deleted"]))


def plan_table(plan: Plan) -> Sheet:
    """One line a thing: its kind, its name, what becomes of it, and what changes in it."""
    sheet = Sheet(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("kind", "name", "action"):
        sheet.add_column(heading, no_wrap=True)
    sheet.add_column("what changes", overflow="fold")
    for action in plan.actions:
        sheet.add_row(action.kind, Text(action.name), action.what, Text(", ".join(action.changes)))
    return sheet


@app.command("schema")
def schema_command(
    what: Annotated[Document, typer.Argument(help="dataset for descriptors, policy for policies.")],
) -> None:
    """Print the JSON Schema of what stewards write, so that an editor can complete and check it."""
    typer.echo(json.dumps(json_schema(what), indent=2, ensure_ascii=False))
